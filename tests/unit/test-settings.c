/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-settings.c - certdeploy.conf: what it gives, and how each mistake is told with its line */
#include "unit.h"

#include "host/reading.h"
#include "host/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct loaded {
	struct cd_settings settings;
	struct cd_arena arena;
	struct cd_problems problems;
	char path[64];
	int result;
};

static void load(struct loaded *loaded, const char *text)
{
	FILE *file;
	int fd;

	*loaded = (struct loaded){.path = "/tmp/certdeploy-conf.XXXXXX"};
	fd = mkstemp(loaded->path);
	assert_int_not_equal(fd, -1);
	file = fdopen(fd, "w");
	assert_non_null(file);
	(void)fputs(text, file);
	assert_int_equal(fclose(file), 0);
	loaded->result =
		cd_settings_load(&loaded->settings, &loaded->arena, &loaded->problems, loaded->path, NULL);
}

static void unload(struct loaded *loaded)
{
	assert_int_equal(unlink(loaded->path), 0);
	cd_settings_free(&loaded->settings);
	cd_problems_free(&loaded->problems);
	cd_arena_free(&loaded->arena);
}

static void test_everything_is_read(void **state)
{
	const struct cd_service_settings *service;
	const struct cd_probe_setting *probe;
	const struct cd_setting *value;
	struct loaded loaded;

	(void)state;
	load(&loaded,
	     "store = \"/s\"; state = \"/t\"; backup_style = \"beside\"; keep = 3; watch = 0; syslog = "
	     "false;\n"
	     "services = ( { name = \"web\"; adapter = \"apache\"; defines = [ \"A\", \"B\" ];\n"
	     "  test = [ \"true\" ]; timeout = 7; http2 = true;\n"
	     "  probe = ( { protocol = \"https\"; address = \"127.0.0.1\"; port = 8443; } ); } );\n");
	assert_int_equal(loaded.result, 0);
	assert_string_equal(loaded.settings.store, "/s");
	assert_string_equal(loaded.settings.state, "/t");
	assert_false(loaded.settings.syslog);
	assert_true(loaded.settings.backup_beside);
	assert_int_equal(loaded.settings.keep, 3);
	assert_int_equal(loaded.settings.watch, 0);
	assert_int_equal(loaded.settings.services.count, 1);
	service = loaded.settings.services.items[0];
	assert_string_equal(service->name, "web");
	assert_string_equal(service->adapter, "apache");
	assert_int_equal(service->timeout, 7);
	value = service->values.items[0];
	assert_string_equal(value->key, "defines");
	assert_string_equal(value->values[1], "B");
	assert_null(value->values[2]);
	probe = service->probes.items[0];
	assert_int_equal(probe->port, 8443);
	unload(&loaded);
}

static void test_defaults(void **state)
{
	struct loaded loaded;

	(void)state;
	load(&loaded, "");
	assert_int_equal(loaded.result, 0);
	assert_string_equal(loaded.settings.state, "/var/lib/certdeploy");
	assert_int_equal(loaded.settings.keep, 10);
	assert_int_equal(loaded.settings.watch, 2500);
	assert_true(loaded.settings.syslog);
	assert_int_equal(loaded.settings.services.count, 0);
	assert_true(loaded.settings.search);
	unload(&loaded);
}

static void test_an_empty_list_means_none(void **state)
{
	struct loaded loaded;

	(void)state;
	load(&loaded, "services = ( );");
	assert_int_equal(loaded.result, 0);
	assert_false(loaded.settings.search);
	unload(&loaded);
}

static void test_mistakes_have_a_line(void **state)
{
	static const struct {
		const char *text;
		size_t line;
	} mistakes[] = {
		{"keep = 1;\nstore = relative", 2},
		{"keep = 1;\nstore = \"relative\";", 2},
		{"\n\nkeep = 0;", 3},
		{"keep = \"three\";", 1},
		{"watch = -1;", 1},
		{"stoer = \"/s\";", 1},
		{"backup_style = \"besides\";", 1},
		{"services = { };", 1},
		{"services = (\n{ test = [ \"x\" ]; } );", 2},
		{"services = (\n{ name = \"\"; adapter = \"apache\"; } );", 2},
		{"services = (\n{ name = \"a b\"; adapter = \"apache\"; } );", 2},
		{"services = ( { name = \"a\"; },\n{ name = \"a\"; } );", 2},
		{"services = ( { name = \"a\";\n probe = ( { port = 70000; } ); } );", 2},
		{"services = ( { name = \"a\"; probe = ( { protocol = \"https\"; port = 443;\n"
		 "address = \"www\"; } ); } );",
		 2},
		{"services = ( { name = \"a\";\n test = [ \"\", \"x\" ]; } );", 2},
		{"services = ( { name = \"a\";\n config = \"etc/main.cf\"; } );", 2},
		{"services = ( { name = \"a\";\n pid_file = \"\"; } );", 2},
		{"services = ( { name = \"a\";\n test = { a = 1; }; } );", 2},
		{"services = ( { name = \"a\";\n version = 2.4; } );", 2},
		{"keep = 1;\npermissions = 0.5;", 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		const struct certdeploy_problem *problem;
		struct loaded loaded;

		load(&loaded, mistakes[i].text);
		assert_int_equal(loaded.result, CERTDEPLOY_EREFUSED);
		problem = cd_problems_error(&loaded.problems, 0);
		assert_non_null(problem);
		if (problem->line != mistakes[i].line)
			print_error("%s\n", mistakes[i].text);
		assert_int_equal(problem->line, mistakes[i].line);
		assert_true(problem->message[0] != '-'); /* each says of which setting it is */
		unload(&loaded);
	}
}

/* What an interrupted run left is found also when the file has an error in it. */
static void test_the_state_is_known_of_a_broken_file(void **state)
{
	static const struct {
		const char *text, *state;
	} cases[] = {
		{"state = \"/t\";\nservices = (\n", "/t"},
		{"services = ( { ;\n  state\t: \"/t\";\n", "/t"},
		{"keep = 3; state = \"/t\"; }", "/t"},
		{"state = \"/t\"; nonsense = 1;", "/t"},
		{"nonsense = 1; state = \"/t\";", "/t"},
		{"# state = \"/no\";\n// state = \"/no\";\nmystate = \"/no\"; }", "/var/lib/certdeploy"},
		{"state = \"t\"; }", "/var/lib/certdeploy"},
		{"state = \"/t/../u\"; }", "/var/lib/certdeploy"},
		{"state = \"/t", "/var/lib/certdeploy"},
		{"state", "/var/lib/certdeploy"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct loaded loaded;

		load(&loaded, cases[i].text);
		assert_int_equal(loaded.result, CERTDEPLOY_EREFUSED);
		assert_string_equal(loaded.settings.state, cases[i].state);
		unload(&loaded);
	}
}

/* Whoever wrote 0 is told what is possible. */
static void test_a_range_is_told(void **state)
{
	struct loaded loaded;

	(void)state;
	load(&loaded, "keep = 0;");
	assert_string_equal(cd_problems_error(&loaded.problems, 0)->message,
			    "keep: a number from 1 to 100000 is expected");
	unload(&loaded);
}

static void test_others_must_not_write_it(void **state)
{
	struct loaded loaded, again = {0};

	(void)state;
	load(&loaded, "keep = 3;");
	assert_int_equal(loaded.result, 0);
	assert_int_equal(chmod(loaded.path, 0666), 0);
	again.result = cd_settings_load(&again.settings, &again.arena, &again.problems, loaded.path, NULL);
	assert_int_equal(again.result, CERTDEPLOY_EREFUSED);
	assert_string_equal(cd_problems_error(&again.problems, 0)->code, "unsafe-path");
	cd_settings_free(&again.settings);
	cd_problems_free(&again.problems);
	cd_arena_free(&again.arena);
	unload(&loaded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_is_read),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_an_empty_list_means_none),
		cmocka_unit_test(test_mistakes_have_a_line),
		cmocka_unit_test(test_the_state_is_known_of_a_broken_file),
		cmocka_unit_test(test_a_range_is_told),
		cmocka_unit_test(test_others_must_not_write_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
