/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* issue.h - new keys, certificate signing requests, self-signed certificates */
#ifndef CD_ISSUE_H
#define CD_ISSUE_H

#include "base/problem.h"

/** What is to stand in a request. Texts are UTF-8; NULL: the field is left out. */
#define CD_DEFAULT_DAYS 365

struct cd_wish {
	const char *common_name;  /**< NULL: the first of names */
	const char *const *names; /**< host names and IP addresses; NULL: the common name alone */
	const char *organization;
	const char *const *units;
	const char *locality;
	const char *state;
	const char *country;
	const char *email;
	const char *key_type; /**< NULL: "rsa:2048" */
	/** Rules for the fields: ASCII of a few kinds; no addresses among the names; what must be there. */
	bool strict;
	bool no_addresses;
	const char *const *required;
	void *key; /**< EVP_PKEY *: to be used instead of a new one; NULL: make one */
	bool self_signed;
	long days;
	int64_t now;
	const char *passphrase; /**< to encrypt the key with, or NULL */
	size_t passphrase_length;
};

/** What was made: PEM, in an arena that wipes. */
struct cd_issue {
	struct cd_arena arena;
	const char *name; /**< the first name */
	char *key_pem;
	char *csr_pem;         /**< NULL for a self-signed certificate */
	char *certificate_pem; /**< NULL for a request */
};

/**
 * Check the fields, make a key and what it signs, and read both again.
 * Returns 0; CERTDEPLOY_EREFUSED ("bad-field", every one that is wrong); CERTDEPLOY_EUSAGE;
 * CERTDEPLOY_ENOMEM.
 */
int cd_issue(struct cd_issue *out, struct cd_problems *problems, const struct cd_wish *wish);
void cd_issue_free(struct cd_issue *issue);

/** Only the rules for the fields. */
int cd_wish_check(struct cd_problems *problems, const struct cd_wish *wish);

#endif
