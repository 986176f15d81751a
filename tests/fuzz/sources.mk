# Fuzz targets: linked with libFuzzer after configure --enable-fuzzing, else tests that replay the corpus.
fuzz_targets = tests/fuzz/fuzz-leaf
check_PROGRAMS += $(fuzz_targets)
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/standalone.c
if FUZZING
fuzz_main =
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer
else
TESTS += $(fuzz_targets)
fuzz_main = tests/fuzz/standalone.c
fuzz_ldflags = $(AM_LDFLAGS)
endif

tests_fuzz_fuzz_leaf_SOURCES = tests/fuzz/fuzz-leaf.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_leaf_CPPFLAGS = $(AM_CPPFLAGS) -DCD_FUZZ_NAME='"leaf"'
tests_fuzz_fuzz_leaf_LDADD = libcertdeploy-internal.la
tests_fuzz_fuzz_leaf_LDFLAGS = $(fuzz_ldflags)
