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

static inline void fixture_open(struct fixture *fixture)
{
	fixture_begin(fixture, &cd_adapter_apache);
	set(fixture, "config", CONFIG);
}

/* What an ordinary server needs; the site stands in a file of its own. */
#define MAIN "Listen 443\nServerName main.test\nIncludeOptional sites-enabled/*.conf\n"

static inline int read_site(struct fixture *fixture, const char *site)
{
	fixture_open(fixture);
	put(fixture, CONFIG, MAIN);
	put(fixture, SITE, site);
	return fixture_read(fixture);
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

/* Give what answers for a name these certificates; "*" every TLS endpoint, "" the defaults. */
static inline int plan_for(struct fixture *fixture, const char *name,
			   const struct certdeploy_material *const *materials, bool drop)
{
	const struct certdeploy_endpoint *one;

	fixture->materials = materials;
	fixture->drop = drop;
	if (strcmp(name, "*") != 0 && *name != '\0')
		assert_int_equal(cd_adapter_apache.answers(&fixture->reading, name, false, assign, fixture),
				 0);
	else
		for (size_t i = 0; (one = endpoint(fixture, i)) != NULL; i++)
			if (one->tls && (*name == '*' || one->name == NULL))
				(void)assign(fixture, one);
	assert_true(fixture->assignment_count > 0);
	return fixture_plan(fixture);
}

/* Read once more over the edits: as a whole, and from the reading before, which must tell the same. */
static inline char *listing_after(struct fixture *fixture)
{
	struct certdeploy_reading amended;
	char *text;

	assert_int_equal(cd_overlay_edits(&fixture->overlay, &fixture->problems, &fixture->edits), 0);
	cd_reading_open(&fixture->after, &fixture->host, &fixture->service, &fixture->overlay);
	assert_int_equal(cd_adapter_apache.read(&fixture->after), 0);
	text = listing(&fixture->after);
	cd_reading_open(&amended, &fixture->host, &fixture->service, &fixture->overlay);
	amended.before = &fixture->reading;
	assert_int_equal(cd_adapter_apache.read(&amended), 0);
	assert_string_equal(listing(&amended), text);
	cd_reading_close(&amended);
	return text;
}

#endif
