# Fuzz targets: linked with libFuzzer after configure --enable-fuzzing, else tests that replay the corpus.
fuzz_targets =
check_PROGRAMS += $(fuzz_targets)
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/standalone.c
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

fuzz_targets += tests/fuzz/fuzz-dovecot
tests_fuzz_fuzz_dovecot_SOURCES = tests/fuzz/fuzz-dovecot.c $(fuzz_main)
tests_fuzz_fuzz_dovecot_LDADD = libcertdeploy-internal.la
tests_fuzz_fuzz_dovecot_LDFLAGS = $(fuzz_ldflags)

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
