# Unit tests: one cmocka program for each file of the library that has something to say.
if HAVE_CMOCKA
unit_tests =
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)

unit_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
unit_ldadd = libcertdeploy-internal.la $(CMOCKA_LIBS)

unit_tests += tests/unit/test-changes
tests_unit_test_changes_SOURCES = tests/unit/test-changes.c tests/unit/unit.h
tests_unit_test_changes_CFLAGS = $(unit_cflags)
tests_unit_test_changes_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test-document
tests_unit_test_document_SOURCES = tests/unit/test-document.c tests/unit/unit.h
tests_unit_test_document_CFLAGS = $(unit_cflags)
tests_unit_test_document_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test-file
tests_unit_test_file_SOURCES = tests/unit/test-file.c tests/unit/unit.h
tests_unit_test_file_CFLAGS = $(unit_cflags)
tests_unit_test_file_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test-names
tests_unit_test_names_SOURCES = tests/unit/test-names.c tests/unit/unit.h
tests_unit_test_names_CFLAGS = $(unit_cflags)
tests_unit_test_names_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test-settings
tests_unit_test_settings_SOURCES = tests/unit/test-settings.c tests/unit/unit.h
tests_unit_test_settings_CFLAGS = $(unit_cflags)
tests_unit_test_settings_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test-postfix
tests_unit_test_postfix_SOURCES = tests/unit/test-postfix.c tests/unit/postfix.h tests/unit/unit.h
tests_unit_test_postfix_CFLAGS = $(unit_cflags)
tests_unit_test_postfix_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test-text
tests_unit_test_text_SOURCES = tests/unit/test-text.c tests/unit/unit.h
tests_unit_test_text_CFLAGS = $(unit_cflags)
tests_unit_test_text_LDADD = $(unit_ldadd)
endif

include tests/fuzz/sources.mk

# The tool over a library that tells stories, so that every result can be seen.
check_PROGRAMS += tests/tool/certdeploy-fake
tests_tool_certdeploy_fake_SOURCES = $(examples_certdeploy_certdeploy_SOURCES) tests/tool/fake-library.c
tests_tool_certdeploy_fake_CPPFLAGS = $(examples_cppflags)
tests_tool_certdeploy_fake_LDADD = $(JANSSON_LIBS) $(OPENSSL_LIBS) $(LIBINTL)
