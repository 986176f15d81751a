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

struct postfix_fixture {
	char root[TREE_PATH];
	struct cd_problems problems;
	struct cd_host host;
	struct cd_arena arena;
	struct cd_service service;
	struct certdeploy_reading reading;
	struct certdeploy_edits edits;
	struct certdeploy_assignment assignments[64];
	const struct certdeploy_material *const *materials;
	size_t assignment_count;
};

static inline void put_file(const struct postfix_fixture *fixture, const char *path, const char *text,
			    size_t length)
{
	tree_put(fixture->root, path, text, length);
}

static inline void put_text(const struct postfix_fixture *fixture, const char *path, const char *text)
{
	put_file(fixture, path, text, strlen(text));
}

static inline void fixture_open(struct postfix_fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	tree_make(fixture->root, "postfix");
}

/* Read what was put there; the adapter's result. */
static inline int fixture_read(struct postfix_fixture *fixture)
{
	fixture->service.name = "postfix";
	fixture->service.adapter = &cd_adapter_postfix;
	fixture->service.arena = &fixture->arena;
	assert_int_equal(cd_host_open(&fixture->host, &fixture->problems, fixture->root), 0);
	cd_reading_open(&fixture->reading, &fixture->host, &fixture->service, NULL);
	return cd_adapter_postfix.read(&fixture->reading);
}

static inline void fixture_close(struct postfix_fixture *fixture)
{
	cd_edits_free(&fixture->edits);
	cd_reading_close(&fixture->reading);
	cd_host_close(&fixture->host);
	cd_vector_free(&fixture->service.settings);
	cd_arena_free(&fixture->arena);
	cd_problems_free(&fixture->problems);
	tree_remove(fixture->root);
}

/* Read two files in a new tree. */
static inline int read_pair(struct postfix_fixture *fixture, const char *main_cf, const char *master_cf)
{
	fixture_open(fixture);
	put_text(fixture, "/etc/postfix/main.cf", main_cf);
	put_text(fixture, "/etc/postfix/master.cf", master_cf);
	return fixture_read(fixture);
}

static inline const struct certdeploy_endpoint *endpoint(const struct postfix_fixture *fixture,
							 size_t index)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(&fixture->reading, &count);

	return index < count ? all[index] : NULL;
}

static inline const char *problem(const struct postfix_fixture *fixture, size_t *line)
{
	return tree_problem(&fixture->problems, line);
}

/* Give endpoints whose listener begins with a text ("" for all) these certificates. */
static inline int plan_for(struct postfix_fixture *fixture, const char *listen,
			   const struct certdeploy_material *const *materials, bool drop)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(&fixture->reading, &count);
	int result;

	for (size_t i = 0; i < count; i++)
		if (all[i]->name == NULL && strncmp(all[i]->listen, listen, strlen(listen)) == 0)
			fixture->assignments[fixture->assignment_count++] =
				(struct certdeploy_assignment){all[i], materials, drop};
	fixture->edits.problems = &fixture->problems;
	result = cd_adapter_postfix.plan(&fixture->reading, fixture->assignments, fixture->assignment_count,
					 &fixture->edits);
	return result == 0 ? cd_edits_render(&fixture->edits) : result;
}

/* The new text of a file, or NULL where it stays as it is. */
static inline const char *edited(const struct postfix_fixture *fixture, const char *path)
{
	return tree_edited(&fixture->edits, path);
}

static inline int take_endpoint(void *user, const struct certdeploy_endpoint *one)
{
	struct postfix_fixture *fixture = user;

	fixture->assignments[fixture->assignment_count++] =
		(struct certdeploy_assignment){one, fixture->materials, false};
	return 0;
}

/* Give what answers for a name these certificates. */
static inline int plan_name(struct postfix_fixture *fixture, const char *hostname,
			    const struct certdeploy_material *const *materials)
{
	int result;

	fixture->materials = materials;
	fixture->edits.problems = &fixture->problems;
	result = cd_adapter_postfix.answers(&fixture->reading, hostname, true, take_endpoint, fixture);
	if (result == 0)
		result = cd_adapter_postfix.plan(&fixture->reading, fixture->assignments,
						 fixture->assignment_count, &fixture->edits);
	return result == 0 ? cd_edits_render(&fixture->edits) : result;
}

#endif
