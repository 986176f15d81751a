/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dovecot.h - a Dovecot configuration in a file tree, read and planned by the adapter */
#ifndef CD_UNIT_DOVECOT_H
#define CD_UNIT_DOVECOT_H

#include "unit.h"

#include "../readings.h"
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

static inline void fixture_open(struct fixture *fixture)
{
	fixture_begin(fixture, &cd_adapter_dovecot);
}

/* Read one file. */
static inline int read_conf(struct fixture *fixture, const char *text)
{
	fixture_open(fixture);
	put(fixture, CONF, text);
	return fixture_read(fixture);
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

/* The same files to be copied, and the same to be seen by doveconf. Where that is known by its path. */
static inline void check_rehearsal(struct certdeploy_reading *whole, struct certdeploy_reading *amended)
{
	struct certdeploy_rehearsal one = {0}, other = {0};

	assert_int_equal(cd_adapter_dovecot.rehearse(whole, &one), 0);
	assert_int_equal(cd_adapter_dovecot.rehearse(amended, &other), 0);
	assert_int_equal(one.file_count, other.file_count);
	for (size_t i = 0; i < one.file_count; i++) {
		assert_string_equal(one.files[i].name, other.files[i].name);
		assert_int_equal(one.files[i].length, other.files[i].length);
		assert_memory_equal(one.files[i].bytes, other.files[i].bytes, one.files[i].length);
		/* One that is written as doveconf prints it. */
		assert_int_equal(one.commands[0].judge(whole, one.files[i].bytes, one.files[i].bytes),
				 other.commands[0].judge(amended, one.files[i].bytes, one.files[i].bytes));
	}
}

/* What was read over the edits, made of what was read before them, tells the same. */
static inline void check_amended(struct fixture *fixture)
{
	struct certdeploy_reading amended;

	cd_reading_open(&amended, &fixture->host, &fixture->service, &fixture->overlay);
	amended.before = &fixture->reading;
	assert_int_equal(cd_adapter_dovecot.read(&amended), 0);
	assert_true(same_readings(&fixture->after, &amended));
	check_rehearsal(&fixture->after, &amended);
	cd_reading_close(&amended);
}

/* Plan what was assigned, and read the result. */
static inline int plan(struct fixture *fixture)
{
	int result = fixture_plan(fixture);

	if (result == 0)
		result = cd_overlay_edits(&fixture->overlay, &fixture->problems, &fixture->edits);
	if (result != 0)
		return result;
	cd_reading_open(&fixture->after, &fixture->host, &fixture->service, &fixture->overlay);
	result = cd_adapter_dovecot.read(&fixture->after);
	if (result == 0 && fixture->overlay.added.count == 0)
		check_amended(fixture);
	return result;
}

/* hostname NULL: all default endpoints. */
static inline int plan_for(struct fixture *fixture, const char *hostname,
			   const struct certdeploy_material *const *materials)
{
	fixture->materials = materials;
	if (hostname != NULL)
		assert_int_equal(
			cd_adapter_dovecot.answers(&fixture->reading, hostname, true, assign, fixture), 0);
	else
		assign_defaults(fixture, "");
	return plan(fixture);
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
	size_t where = 0;

	assert_int_equal(read_conf(&fixture, text), CERTDEPLOY_EREFUSED);
	assert_string_equal(problem(&fixture, &where), code);
	assert_int_equal(where, line);
	fixture_close(&fixture);
}

/* A plan that the adapter refuses. */
__attribute__((unused)) static inline void check_no_plan(const char *text, const char *hostname,
							 const char *code, size_t line)
{
	struct fixture fixture;
	size_t where = 0;

	assert_int_equal(read_conf(&fixture, text), 0);
	assert_int_equal(plan_for(&fixture, hostname, rsa), CERTDEPLOY_EREFUSED);
	assert_string_equal(problem(&fixture, &where), code);
	assert_int_equal(where, line);
	fixture_close(&fixture);
}

#endif
