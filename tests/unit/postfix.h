/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* postfix.h - a Postfix configuration in a file tree, read and planned by the adapter */
#ifndef CD_UNIT_POSTFIX_H
#define CD_UNIT_POSTFIX_H

#include "unit.h"

#include "host/reading.h"
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern const struct certdeploy_adapter cd_adapter_postfix;

#define STORE "/etc/ssl/certdeploy/mail/current/"

static const char *const material_names[] = {"mail.example.jp", NULL};

static const struct certdeploy_material rsa_material = {
	.name = "mail",
	.key_type = "rsa",
	.sha256 = "00",
	.names = material_names,
	.has_chain = true,
	.building = {STORE "../new/cert.pem", STORE "../new/key.pem", STORE "../new/chain.pem",
		     STORE "../new/fullchain.pem", STORE "../new/combined.pem"},
	.paths = {STORE "cert.pem", STORE "key.pem", STORE "chain.pem", STORE "fullchain.pem",
		  STORE "combined.pem"},
};

static const struct certdeploy_material ecdsa_material = {
	.name = "mail",
	.key_type = "ecdsa",
	.sha256 = "01",
	.names = material_names,
	.has_chain = true,
	.paths = {STORE "cert-ecdsa.pem", STORE "key-ecdsa.pem", STORE "chain-ecdsa.pem",
		  STORE "fullchain-ecdsa.pem", STORE "combined-ecdsa.pem"},
};

static inline void fixture_open(struct fixture *fixture)
{
	fixture_begin(fixture, &cd_adapter_postfix);
}

/* Read two files in a new tree. */
static inline int read_pair(struct fixture *fixture, const char *main_cf, const char *master_cf)
{
	fixture_open(fixture);
	put(fixture, "/etc/postfix/main.cf", main_cf);
	put(fixture, "/etc/postfix/master.cf", master_cf);
	return fixture_read(fixture);
}

/* Give endpoints whose listener begins with a text ("" for all) these certificates. */
static inline int plan_for(struct fixture *fixture, const char *listen,
			   const struct certdeploy_material *const *materials, bool drop)
{
	fixture->materials = materials;
	fixture->drop = drop;
	assign_defaults(fixture, listen);
	return fixture_plan(fixture);
}

/* Give what answers for a name these certificates. */
static inline int plan_name(struct fixture *fixture, const char *hostname,
			    const struct certdeploy_material *const *materials)
{
	int result;

	fixture->materials = materials;
	fixture->drop = false;
	result = cd_adapter_postfix.answers(&fixture->reading, hostname, true, assign, fixture);
	return result == 0 ? fixture_plan(fixture) : result;
}

#endif
