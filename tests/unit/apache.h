/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* apache.h - an Apache configuration in a file tree, read and planned by the adapter */
#ifndef CD_UNIT_APACHE_H
#define CD_UNIT_APACHE_H

#include "unit.h"

#include "host/reading.h"
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG "/etc/apache2/apache2.conf"
#define SITE "/etc/apache2/sites-enabled/site.conf"
#define STORE "/etc/ssl/certdeploy/x/current/"
#define FULL STORE "fullchain.pem"
#define KEY STORE "key.pem"

extern const struct certdeploy_adapter cd_adapter_apache;

struct apache_fixture {
	char root[TREE_PATH];
	struct cd_problems problems;
	struct cd_host host;
	struct cd_arena arena;
	struct cd_service service;
	struct certdeploy_reading reading;
	struct certdeploy_edits edits;
	struct cd_overlay overlay;
	struct certdeploy_reading again;
	struct certdeploy_assignment assignments[64];
	size_t assignment_count;
};

static inline void put_bytes(const struct apache_fixture *fixture, const char *path, const char *bytes,
			     size_t length)
{
	tree_put(fixture->root, path, bytes, length);
}

static inline void put(const struct apache_fixture *fixture, const char *path, const char *text)
{
	put_bytes(fixture, path, text, strlen(text));
}

static inline void open_fixture(struct apache_fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	tree_make(fixture->root, "apache");
	fixture->service.name = "apache";
	fixture->service.adapter = &cd_adapter_apache;
	fixture->service.arena = &fixture->arena;
}

static inline void set(struct apache_fixture *fixture, const char *key, const char *value)
{
	const char *const values[] = {value, NULL};

	assert_int_equal(cd_service_set(&fixture->service, key, values), 0);
}

/* Read what was put there; the adapter's result. */
static inline int read_fixture(struct apache_fixture *fixture)
{
	set(fixture, "config", CONFIG);
	assert_int_equal(cd_host_open(&fixture->host, &fixture->problems, fixture->root), 0);
	cd_reading_open(&fixture->reading, &fixture->host, &fixture->service, NULL);
	return cd_adapter_apache.read(&fixture->reading);
}

static inline void close_fixture(struct apache_fixture *fixture)
{
	cd_reading_close(&fixture->again);
	cd_overlay_free(&fixture->overlay);
	cd_edits_free(&fixture->edits);
	cd_reading_close(&fixture->reading);
	cd_host_close(&fixture->host);
	cd_vector_free(&fixture->service.settings);
	cd_arena_free(&fixture->arena);
	cd_problems_free(&fixture->problems);
	tree_remove(fixture->root);
}

/* What an ordinary server needs; the site stands in a file of its own. */
#define MAIN "Listen 443\nServerName main.test\nIncludeOptional sites-enabled/*.conf\n"

static inline int read_site(struct apache_fixture *fixture, const char *site)
{
	open_fixture(fixture);
	put(fixture, CONFIG, MAIN);
	put(fixture, SITE, site);
	return read_fixture(fixture);
}

static inline const char *problem(const struct apache_fixture *fixture, size_t *line)
{
	return tree_problem(&fixture->problems, line);
}

/* "LISTEN NAME CERTIFICATE FILE:LINE" of every endpoint, one a line, "-" for none; "!" no TLS. */
static inline char *listing(struct certdeploy_reading *reading)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(reading, &count);
	char *text = certdeploy_format(reading, "%s", "");

	for (size_t i = 0; i < count; i++) {
		const struct certdeploy_endpoint *one = all[i];

		text = certdeploy_format(
			reading, "%s%s%s %s %s%s\n", text, one->tls ? "" : "!", one->listen,
			one->name == NULL ? "-" : one->name,
			one->pair_count == 0 ? "-" : one->pairs[one->pair_count - 1].certificate,
			one->untouchable == NULL ? (one->inherited ? " inherited" : "") : one->untouchable);
	}
	return text;
}

extern const struct certdeploy_material rsa_material, ecdsa_material;

static inline int target(void *user, const struct certdeploy_endpoint *endpoint)
{
	struct apache_fixture *fixture = user;

	fixture->assignments[fixture->assignment_count++].endpoint = endpoint;
	return 0;
}

/* Give what answers for a name these certificates; "*" every TLS endpoint, "" the defaults. */
static inline int plan_for(struct apache_fixture *fixture, const char *name,
			   const struct certdeploy_material *const *materials, bool drop)
{
	size_t count;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(&fixture->reading, &count);
	int result;

	if (strcmp(name, "*") != 0 && *name != '\0') {
		assert_int_equal(cd_adapter_apache.answers(&fixture->reading, name, false, target, fixture),
				 0);
	} else {
		for (size_t i = 0; i < count; i++)
			if (all[i]->tls && (*name == '*' || all[i]->name == NULL))
				(void)target(fixture, all[i]);
	}
	assert_true(fixture->assignment_count > 0);
	for (size_t i = 0; i < fixture->assignment_count; i++) {
		fixture->assignments[i].materials = materials;
		fixture->assignments[i].drop_other_types = drop;
	}
	fixture->edits.problems = &fixture->problems;
	result = cd_adapter_apache.plan(&fixture->reading, fixture->assignments, fixture->assignment_count,
					&fixture->edits);
	return result == 0 ? cd_edits_render(&fixture->edits) : result;
}

/* The new text of a file, or NULL where it stays as it is. */
static inline const char *edited(const struct apache_fixture *fixture, const char *path)
{
	return tree_edited(&fixture->edits, path);
}

/* Read once more over the edits: as a whole, and from the reading before, which must tell the same. */
static inline char *listing_after(struct apache_fixture *fixture)
{
	struct certdeploy_reading amended;
	char *text;

	assert_int_equal(cd_overlay_edits(&fixture->overlay, &fixture->problems, &fixture->edits), 0);
	cd_reading_open(&fixture->again, &fixture->host, &fixture->service, &fixture->overlay);
	assert_int_equal(cd_adapter_apache.read(&fixture->again), 0);
	text = listing(&fixture->again);
	cd_reading_open(&amended, &fixture->host, &fixture->service, &fixture->overlay);
	amended.before = &fixture->reading;
	assert_int_equal(cd_adapter_apache.read(&amended), 0);
	assert_string_equal(listing(&amended), text);
	cd_reading_close(&amended);
	return text;
}

#endif
