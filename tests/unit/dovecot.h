/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dovecot.h - a Dovecot configuration in a file tree, read and planned by the adapter */
#ifndef CD_UNIT_DOVECOT_H
#define CD_UNIT_DOVECOT_H

#include "unit.h"

#include "host/reading.h"
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONF "/etc/dovecot/dovecot.conf"
#define STORE "/etc/ssl/certdeploy/mail/current/"
#define FULL STORE "fullchain.pem"
#define KEY STORE "key.pem"
#define ECFULL STORE "fullchain-ecdsa.pem"
#define ECKEY STORE "key-ecdsa.pem"

extern const struct certdeploy_adapter cd_adapter_dovecot;

struct fixture {
	char root[TREE_PATH];
	struct cd_problems problems;
	struct cd_host host;
	struct cd_arena arena;
	struct cd_service service;
	struct certdeploy_reading reading;
	struct certdeploy_reading after; /* over the edits, once planned */
	struct cd_overlay overlay;
	struct certdeploy_edits edits;
	struct certdeploy_assignment *assignments;
	size_t assignment_count;
	const struct certdeploy_material *const *materials;
	bool drop;
};

static inline void put_bytes(const struct fixture *fixture, const char *path, const char *bytes,
			     size_t length)
{
	tree_put(fixture->root, path, bytes, length);
}

static inline void put(const struct fixture *fixture, const char *path, const char *text)
{
	put_bytes(fixture, path, text, strlen(text));
}

static inline void fixture_open(struct fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	tree_make(fixture->root, "dovecot");
}

/* Read what was put there; the adapter's result. */
static inline int fixture_read(struct fixture *fixture)
{
	fixture->service.name = "dovecot";
	fixture->service.adapter = &cd_adapter_dovecot;
	fixture->service.arena = &fixture->arena;
	assert_int_equal(cd_host_open(&fixture->host, &fixture->problems, fixture->root), 0);
	cd_reading_open(&fixture->reading, &fixture->host, &fixture->service, NULL);
	return cd_adapter_dovecot.read(&fixture->reading);
}

/* Read one file. */
static inline int read_conf(struct fixture *fixture, const char *text)
{
	fixture_open(fixture);
	put(fixture, CONF, text);
	return fixture_read(fixture);
}

static inline void fixture_close(struct fixture *fixture)
{
	if (fixture->after.host != NULL)
		cd_reading_close(&fixture->after);
	cd_overlay_free(&fixture->overlay);
	cd_edits_free(&fixture->edits);
	cd_reading_close(&fixture->reading);
	cd_host_close(&fixture->host);
	cd_vector_free(&fixture->service.settings);
	cd_arena_free(&fixture->arena);
	cd_problems_free(&fixture->problems);
	free(fixture->assignments);
	tree_remove(fixture->root);
}

static inline const struct certdeploy_endpoint *find_endpoint(const struct certdeploy_reading *reading,
							      const char *listen, const char *name)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(reading, &count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(all[i]->listen, listen) == 0 &&
		    (name == NULL ? all[i]->name == NULL
				  : all[i]->name != NULL && strcmp(all[i]->name, name) == 0))
			return all[i];
	return NULL;
}

/* The certificates of an endpoint as one text: "a.pem+b.pem", "-" for none, "none" without endpoint. */
static inline const char *served(struct fixture *fixture, const struct certdeploy_reading *reading,
				 const char *listen, const char *name)
{
	const struct certdeploy_endpoint *endpoint = find_endpoint(reading, listen, name);

	if (endpoint == NULL)
		return "none";
	if (endpoint->pair_count == 0)
		return "-";
	if (endpoint->pair_count == 1)
		return endpoint->pairs[0].certificate;
	return cd_arena_format(&fixture->arena, "%s+%s", endpoint->pairs[0].certificate,
			       endpoint->pairs[1].certificate);
}

static inline int assign(void *user, const struct certdeploy_endpoint *endpoint)
{
	struct fixture *fixture = user;
	size_t size = (fixture->assignment_count + 1) * sizeof(*fixture->assignments);

	fixture->assignments = realloc(fixture->assignments, size);
	assert_non_null(fixture->assignments);
	fixture->assignments[fixture->assignment_count++] =
		(struct certdeploy_assignment){endpoint, fixture->materials, fixture->drop};
	return 0;
}

/* The code of the first error recorded, or "". */
static inline const char *error_code(const struct fixture *fixture)
{
	const struct certdeploy_problem *first = cd_problems_error(&fixture->problems, 0);

	return first == NULL ? "" : first->code;
}

static inline size_t error_line(const struct fixture *fixture)
{
	const struct certdeploy_problem *first = cd_problems_error(&fixture->problems, 0);

	return first == NULL ? 0 : first->line;
}

/* Plan what was assigned, and read the result. */
static inline int plan(struct fixture *fixture)
{
	int result;

	fixture->edits.problems = &fixture->problems;
	result = cd_adapter_dovecot.plan(&fixture->reading, fixture->assignments, fixture->assignment_count,
					 &fixture->edits);
	if (result == 0)
		result = cd_edits_render(&fixture->edits);
	if (result == 0)
		result = cd_overlay_edits(&fixture->overlay, &fixture->problems, &fixture->edits);
	if (result != 0)
		return result;
	cd_reading_open(&fixture->after, &fixture->host, &fixture->service, &fixture->overlay);
	return cd_adapter_dovecot.read(&fixture->after);
}

/* hostname NULL: all default endpoints. */
static inline int plan_for(struct fixture *fixture, const char *hostname,
			   const struct certdeploy_material *const *materials)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(&fixture->reading, &count);

	fixture->materials = materials;
	if (hostname != NULL)
		assert_int_equal(
			cd_adapter_dovecot.answers(&fixture->reading, hostname, true, assign, fixture), 0);
	for (size_t i = 0; i < count && hostname == NULL; i++)
		if (all[i]->name == NULL)
			assign(fixture, all[i]);
	return plan(fixture);
}

/* The new text of a file, or NULL where it stays as it is. */
static inline const char *edited(const struct fixture *fixture, const char *path)
{
	return tree_edited(&fixture->edits, path);
}

static const char *const material_names[] = {"mail.example.jp", NULL};

static const struct certdeploy_material rsa_material = {
	.name = "mail",
	.key_type = "rsa",
	.sha256 = "00",
	.names = material_names,
	.has_chain = true,
	.paths = {STORE "cert.pem", KEY, STORE "chain.pem", FULL, STORE "combined.pem"},
};

static const struct certdeploy_material ecdsa_material = {
	.name = "mail",
	.key_type = "ecdsa",
	.sha256 = "01",
	.names = material_names,
	.has_chain = true,
	.paths = {STORE "cert-ecdsa.pem", ECKEY, STORE "chain-ecdsa.pem", ECFULL,
		  STORE "combined-ecdsa.pem"},
};

__attribute__((unused)) static const struct certdeploy_material *const rsa[] = {&rsa_material, NULL};
__attribute__((unused)) static const struct certdeploy_material *const both[] = {&rsa_material,
										 &ecdsa_material, NULL};

/* Plan an RSA certificate for a name (NULL: the default) in one file, and compare. NULL: unchanged. */
__attribute__((unused)) static inline void check_edit(const char *before, const char *hostname,
						      const char *want)
{
	struct fixture fixture;
	const char *text;

	assert_int_equal(read_conf(&fixture, before), 0);
	assert_int_equal(plan_for(&fixture, hostname, rsa), 0);
	text = edited(&fixture, CONF);
	if (want == NULL)
		assert_null(text);
	else
		assert_string_equal(text == NULL ? "" : text, want);
	assert_string_equal(served(&fixture, &fixture.after, "imaps/993", hostname), FULL);
	fixture_close(&fixture);
}

/* A configuration that the adapter refuses to read. */
__attribute__((unused)) static inline void check_refused(const char *text, const char *code, size_t line)
{
	struct fixture fixture;

	assert_int_equal(read_conf(&fixture, text), CERTDEPLOY_EREFUSED);
	assert_string_equal(error_code(&fixture), code);
	assert_int_equal(error_line(&fixture), line);
	fixture_close(&fixture);
}

/* A plan that the adapter refuses. */
__attribute__((unused)) static inline void check_no_plan(const char *text, const char *hostname,
							 const char *code, size_t line)
{
	struct fixture fixture;

	assert_int_equal(read_conf(&fixture, text), 0);
	assert_int_equal(plan_for(&fixture, hostname, rsa), CERTDEPLOY_EREFUSED);
	assert_string_equal(error_code(&fixture), code);
	assert_int_equal(error_line(&fixture), line);
	fixture_close(&fixture);
}

#endif
