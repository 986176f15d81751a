# Unit tests: one cmocka program for each subject, made of tests/unit/NAME.c: a line here is all it takes.
if HAVE_CMOCKA
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)

AM_CFLAGS += $(CMOCKA_CFLAGS)
LDADD = libcertdeploy-internal.la $(CMOCKA_LIBS)
EXTRA_DIST += tests/unit/unit.h

unit_tests =
unit_tests += tests/unit/test-archive
unit_tests += tests/unit/test-certificate-chain
unit_tests += tests/unit/test-certificate-check
unit_tests += tests/unit/test-certificate-memory
unit_tests += tests/unit/test-certificate-read
unit_tests += tests/unit/test-apache
unit_tests += tests/unit/test-apache-amend
unit_tests += tests/unit/test-changes
unit_tests += tests/unit/test-disk
unit_tests += tests/unit/test-document
unit_tests += tests/unit/test-dovecot
unit_tests += tests/unit/test-dovecot-24
unit_tests += tests/unit/test-dovecot-address
unit_tests += tests/unit/test-dovecot-amend
unit_tests += tests/unit/test-edits
unit_tests += tests/unit/test-file
unit_tests += tests/unit/test-history
unit_tests += tests/unit/test-json
unit_tests += tests/unit/test-interface
unit_tests += tests/unit/test-issue
unit_tests += tests/unit/test-language
unit_tests += tests/unit/test-names
unit_tests += tests/unit/test-postfix
unit_tests += tests/unit/test-postfix-sni
unit_tests += tests/unit/test-problem
unit_tests += tests/unit/test-probe
unit_tests += tests/unit/test-programs
unit_tests += tests/unit/test-proof
unit_tests += tests/unit/test-process
unit_tests += tests/unit/test-recovery
unit_tests += tests/unit/test-settings
unit_tests += tests/unit/test-store
unit_tests += tests/unit/test-survival
unit_tests += tests/unit/test-text
unit_tests += tests/unit/test-threads
unit_tests += tests/unit/test-together
unit_tests += tests/unit/test-transaction
# Short enough for valgrind in CI.
quick_tests = tests/unit/test-apache tests/unit/test-apache-amend tests/unit/test-certificate-chain tests/unit/test-certificate-read \
	tests/unit/test-changes tests/unit/test-document tests/unit/test-dovecot tests/unit/test-dovecot-24 \
	tests/unit/test-file tests/unit/test-json tests/unit/test-names tests/unit/test-postfix \
	tests/unit/test-problem tests/unit/test-settings tests/unit/test-text
# Where each allocation and each system call fails once.
unit_short = tests/unit/short.c tests/unit/short.h
unit_comma = ,
unit_short_wrapped = malloc calloc realloc strdup strndup read write fstat mkdir mkdtemp futimens fdopendir readdir \
	openat open close fstatat mkdirat unlinkat fchmod fchown fsync syncfs socket flistxattr fgetxattr fsetxattr \
	fremovexattr renameat symlinkat fchownat utimensat lseek pread statx fcntl syscall EVP_MD_CTX_new EVP_DigestInit_ex EVP_DigestUpdate EVP_DigestFinal_ex EVP_Digest \
	cd_run
unit_short_flags = $(AM_LDFLAGS) $(unit_short_wrapped:%=-Wl$(unit_comma)--wrap=%)
tests_unit_test_edits_SOURCES = tests/unit/test-edits.c $(unit_short)
tests_unit_test_edits_LDFLAGS = $(unit_short_flags)
tests_unit_test_edits_LDADD = $(LDADD) $(OPENSSL_LIBS)
tests_unit_test_disk_SOURCES = tests/unit/test-disk.c $(unit_short)
tests_unit_test_disk_LDFLAGS = $(unit_short_flags)
tests_unit_test_disk_LDADD = $(LDADD) $(OPENSSL_LIBS)
tests_unit_test_json_SOURCES = tests/unit/test-json.c $(unit_short)
tests_unit_test_json_LDFLAGS = $(unit_short_flags)
tests_unit_test_json_LDADD = $(LDADD) $(OPENSSL_LIBS)
# Certificates made in the test.
tests_unit_test_archive_SOURCES = tests/unit/test-archive.c tests/unit/issue.c tests/unit/issue.h
tests_unit_test_certificate_chain_SOURCES = tests/unit/test-certificate-chain.c tests/unit/issue.c tests/unit/issue.h
tests_unit_test_certificate_check_SOURCES = tests/unit/test-certificate-check.c tests/unit/issue.c tests/unit/issue.h
unit_scarce = tests/unit/issue.c tests/unit/issue.h tests/unit/scarce.c tests/unit/scarce.h
tests_unit_test_certificate_memory_SOURCES = tests/unit/test-certificate-memory.c $(unit_scarce)
tests_unit_test_certificate_memory_LDADD = $(LDADD) $(OPENSSL_LIBS)
tests_unit_test_certificate_read_SOURCES = tests/unit/test-certificate-read.c tests/unit/issue.c tests/unit/issue.h
tests_unit_test_issue_SOURCES = tests/unit/test-issue.c tests/unit/issue.c tests/unit/issue.h
tests_unit_test_store_SOURCES = tests/unit/test-store.c tests/unit/issue.c tests/unit/issue.h $(unit_short)
tests_unit_test_store_LDFLAGS = $(unit_short_flags)
tests_unit_test_store_LDADD = $(LDADD) $(OPENSSL_LIBS)
# Whose fcntl() can fail.
tests_unit_test_process_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=fcntl
# A small host with fake servers.
tests_unit_test_history_SOURCES = tests/unit/test-history.c tests/unit/host.c tests/unit/host.h $(unit_short)
tests_unit_test_history_LDFLAGS = $(unit_short_flags)
tests_unit_test_history_LDADD = $(LDADD) $(OPENSSL_LIBS)
tests_unit_test_programs_SOURCES = tests/unit/test-programs.c tests/unit/host.c tests/unit/host.h $(unit_short)
tests_unit_test_programs_LDFLAGS = $(unit_short_flags)
tests_unit_test_programs_LDADD = $(LDADD) $(OPENSSL_LIBS)
tests_unit_test_recovery_SOURCES = tests/unit/test-recovery.c tests/unit/host.c tests/unit/host.h $(unit_short)
tests_unit_test_recovery_LDFLAGS = $(unit_short_flags)
tests_unit_test_recovery_LDADD = $(LDADD) $(OPENSSL_LIBS)
tests_unit_test_together_SOURCES = tests/unit/test-together.c tests/unit/host.c tests/unit/host.h
tests_unit_test_transaction_SOURCES = tests/unit/test-transaction.c tests/unit/host.c tests/unit/host.h $(unit_short)
tests_unit_test_transaction_LDFLAGS = $(unit_short_flags)
tests_unit_test_transaction_LDADD = $(LDADD) $(OPENSSL_LIBS)
# A configuration in a file tree of its own.
in_a_tree = tests/unit/tree.c tests/unit/tree.h
tests_unit_test_survival_SOURCES = tests/unit/test-survival.c $(unit_scarce) $(in_a_tree)
tests_unit_test_survival_LDADD = $(LDADD) $(OPENSSL_LIBS)
tests_unit_test_apache_SOURCES = tests/unit/test-apache.c tests/unit/apache.h $(in_a_tree)
tests_unit_test_apache_amend_SOURCES = tests/unit/test-apache-amend.c tests/unit/apache.h $(in_a_tree)
in_a_dovecot = tests/unit/dovecot.h tests/readings.h $(in_a_tree)
tests_unit_test_dovecot_SOURCES = tests/unit/test-dovecot.c $(in_a_dovecot)
tests_unit_test_dovecot_24_SOURCES = tests/unit/test-dovecot-24.c $(in_a_dovecot)
tests_unit_test_dovecot_address_SOURCES = tests/unit/test-dovecot-address.c $(in_a_dovecot)
tests_unit_test_dovecot_amend_SOURCES = tests/unit/test-dovecot-amend.c $(in_a_dovecot)
tests_unit_test_postfix_SOURCES = tests/unit/test-postfix.c tests/unit/postfix.h $(in_a_tree)
tests_unit_test_postfix_sni_SOURCES = tests/unit/test-postfix-sni.c tests/unit/postfix.h $(in_a_tree)
tests_unit_test_threads_SOURCES = tests/unit/test-threads.c tests/unit/issue.c tests/unit/issue.h $(in_a_tree)
tests_unit_test_threads_LDADD = $(LDADD) $(OPENSSL_LIBS) -lpthread
tests_unit_test_probe_LDADD = $(LDADD) $(OPENSSL_LIBS) -lpthread
endif

include tests/faults/sources.mk
include tests/bench/sources.mk
include tests/fuzz/sources.mk

# The tool over a library that tells stories, so that every result can be seen.
check_PROGRAMS += tests/tool/certdeploy-fake
tests_tool_certdeploy_fake_SOURCES = $(examples_certdeploy_certdeploy_SOURCES) tests/tool/fake-library.c
tests_tool_certdeploy_fake_CPPFLAGS = -include $(top_builddir)/config.h -I$(top_srcdir)/libcertdeploy \
	-DCD_LOCALEDIR='"$(abs_builddir)/tests/tool/locale"'
tests_tool_certdeploy_fake_LDADD = $(JANSSON_LIBS) $(OPENSSL_LIBS) $(LIBINTL)
EXTRA_DIST += tests/tool/asn1.py tests/tool/conftest.py tests/tool/test_archive.py tests/tool/test_certificates.py tests/tool/test_completion.py \
	tests/tool/test_growth.py tests/tool/test_hook.py tests/tool/test_hostile.py tests/tool/test_json.py tests/tool/test_manual.py tests/tool/test_mutated.py tests/tool/test_output.py \
	tests/tool/test_perl.py tests/tool/test_problems.py tests/tool/test_process.py tests/tool/test_real.py tests/tool/test_store.py tests/tool/test_targets.py \
	tests/tool/test_translation.py tests/tool/test_usage.py

EXTRA_DIST += tests/installcheck
installcheck-local:
	$(top_srcdir)/tests/installcheck $(top_srcdir) $(DESTDIR)$(pkgconfigdir) $(DESTDIR)$(libdir) $(bindir) "$(CC)"
CLEANFILES += tests/tool/.lock tests/tool/locale/ja/LC_MESSAGES/certdeploy.mo
