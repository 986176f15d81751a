# Fuzz targets: linked with libFuzzer after configure --enable-fuzzing, else tests that replay the corpus.
fuzz_targets =
check_PROGRAMS += $(fuzz_targets)
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/run tests/fuzz/standalone.c
if FUZZING
fuzz_main = tests/fuzz/fuzz.h
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer
else
TESTS += $(fuzz_targets)
fuzz_main = tests/fuzz/fuzz.h tests/fuzz/standalone.c
fuzz_ldflags = $(AM_LDFLAGS)
endif

fuzz_targets += tests/fuzz/fuzz-apache
tests_fuzz_fuzz_apache_SOURCES = tests/fuzz/fuzz-apache.c $(fuzz_main)
tests_fuzz_fuzz_apache_LDADD = libcertdeploy-internal.la
tests_fuzz_fuzz_apache_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz-dialogue
tests_fuzz_fuzz_dialogue_SOURCES = tests/fuzz/fuzz-dialogue.c $(fuzz_main)
tests_fuzz_fuzz_dialogue_LDADD = libcertdeploy-internal.la
tests_fuzz_fuzz_dialogue_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz-dovecot
tests_fuzz_fuzz_dovecot_SOURCES = tests/fuzz/fuzz-dovecot.c tests/readings.h $(fuzz_main)
tests_fuzz_fuzz_dovecot_LDADD = libcertdeploy-internal.la
tests_fuzz_fuzz_dovecot_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz-envvars
tests_fuzz_fuzz_envvars_SOURCES = tests/fuzz/fuzz-envvars.c $(fuzz_main)
tests_fuzz_fuzz_envvars_LDADD = libcertdeploy-internal.la
tests_fuzz_fuzz_envvars_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz-journal
tests_fuzz_fuzz_journal_SOURCES = tests/fuzz/fuzz-journal.c $(fuzz_main)
tests_fuzz_fuzz_journal_LDADD = libcertdeploy-internal.la
tests_fuzz_fuzz_journal_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz-leaf
tests_fuzz_fuzz_leaf_SOURCES = tests/fuzz/fuzz-leaf.c $(fuzz_main)
tests_fuzz_fuzz_leaf_LDADD = libcertdeploy-internal.la
tests_fuzz_fuzz_leaf_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz-material
tests_fuzz_fuzz_material_SOURCES = tests/fuzz/fuzz-material.c $(fuzz_main)
tests_fuzz_fuzz_material_LDADD = libcertdeploy-internal.la
tests_fuzz_fuzz_material_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz-postfix
tests_fuzz_fuzz_postfix_SOURCES = tests/fuzz/fuzz-postfix.c $(fuzz_main)
tests_fuzz_fuzz_postfix_LDADD = libcertdeploy-internal.la
tests_fuzz_fuzz_postfix_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz-settings
tests_fuzz_fuzz_settings_SOURCES = tests/fuzz/fuzz-settings.c $(fuzz_main)
tests_fuzz_fuzz_settings_LDADD = libcertdeploy-internal.la
tests_fuzz_fuzz_settings_LDFLAGS = $(fuzz_ldflags)

# The tool's own reader of a request: the tool without its main().
fuzz_targets += tests/fuzz/fuzz-request
tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz-request.c $(fuzz_main) $(tool_sources)
tests_fuzz_fuzz_request_CPPFLAGS = $(examples_cppflags)
tests_fuzz_fuzz_request_LDADD = libcertdeploy-internal.la $(JANSSON_LIBS) $(OPENSSL_LIBS) $(LIBINTL)
tests_fuzz_fuzz_request_LDFLAGS = $(fuzz_ldflags)

fuzz-targets: $(fuzz_targets)
.PHONY: fuzz-targets
