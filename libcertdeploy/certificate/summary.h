/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * summary.h - what a certificate says, without its key being decoded
 *
 * d2i_X509() decodes the public key each time, which takes most of its time; whoever looks at thousands
 * of installed certificates only wants to read them. For computing with a certificate use X509.
 */
#ifndef CD_SUMMARY_H
#define CD_SUMMARY_H

#include "certificate/material.h"

struct cd_summary {
	const unsigned char *der; /**< borrowed; what belongs to the certificate, no more */
	size_t length;
	const ASN1_INTEGER *serial;
	const X509_ALGOR *signature;
	const X509_NAME *issuer;
	const X509_NAME *subject;
	int64_t not_before;
	int64_t not_after;
	const unsigned char *public_key; /**< the SubjectPublicKeyInfo */
	size_t public_key_length;
	const char *key_type;
	unsigned key_bits;
	const STACK_OF(X509_EXTENSION) * extensions; /**< may be NULL */
	bool self_issued;                            /**< subject and issuer are one */
	void *parsed;
};

/**
 * Returns 0, CERTDEPLOY_EREFUSED (no certificate; the summary is all zero) or CERTDEPLOY_ENOMEM. Free what
 * was read.
 */
int cd_summary_read(struct cd_summary *summary, const void *der, size_t length);
void cd_summary_free(struct cd_summary *summary);

#endif
