# The library. The installed one is the internal one behind a version script: tests link the internal
# one and reach what is hidden.
lib_LTLIBRARIES += libcertdeploy.la
noinst_LTLIBRARIES += libcertdeploy-internal.la

include_HEADERS = libcertdeploy/certdeploy.h libcertdeploy/certdeploy-adapter.h
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = libcertdeploy/certdeploy.pc
EXTRA_DIST += libcertdeploy/certdeploy.map

libcertdeploy_internal_la_SOURCES = \
	libcertdeploy/certdeploy.c libcertdeploy/handle.h \
	libcertdeploy/adopt.c \
	libcertdeploy/check.c \
	libcertdeploy/comparison.c libcertdeploy/comparison.h \
	libcertdeploy/csr.c \
	libcertdeploy/joining.c \
	libcertdeploy/loading.c libcertdeploy/loading.h \
	libcertdeploy/keeping.c libcertdeploy/keeping.h \
	libcertdeploy/move.c \
	libcertdeploy/names.c \
	libcertdeploy/deploy.c \
	libcertdeploy/operation.h \
	libcertdeploy/operations.c \
	libcertdeploy/orders.c \
	libcertdeploy/plan.c libcertdeploy/plan.h libcertdeploy/plan-steps.h \
	libcertdeploy/prediction.c \
	libcertdeploy/report.c libcertdeploy/report.h \
	libcertdeploy/request.c \
	libcertdeploy/result.c \
	libcertdeploy/tlsa.c \
	libcertdeploy/use.c libcertdeploy/use.h \
	libcertdeploy/base/arena.c libcertdeploy/base/arena.h \
	libcertdeploy/base/buffer.c libcertdeploy/base/buffer.h \
	libcertdeploy/base/catalogue.c libcertdeploy/base/catalogue.h \
	libcertdeploy/base/descriptor.c libcertdeploy/base/descriptor.h \
	libcertdeploy/base/file.c libcertdeploy/base/file.h \
	libcertdeploy/base/hostname.c libcertdeploy/base/hostname.h \
	libcertdeploy/base/json.c libcertdeploy/base/json.h \
	libcertdeploy/base/language.c libcertdeploy/base/language.h \
	libcertdeploy/base/openat2.h \
	libcertdeploy/base/pattern.c libcertdeploy/base/pattern.h \
	libcertdeploy/base/problem.c libcertdeploy/base/problem.h libcertdeploy/base/problems.def \
	libcertdeploy/base/process.c libcertdeploy/base/process.h \
	libcertdeploy/base/table.c libcertdeploy/base/table.h \
	libcertdeploy/base/text.c libcertdeploy/base/text.h \
	libcertdeploy/base/vector.c libcertdeploy/base/vector.h \
	libcertdeploy/certificate/archive.c libcertdeploy/certificate/archive.h \
	libcertdeploy/certificate/armour.c \
	libcertdeploy/certificate/certificate.h \
	libcertdeploy/certificate/deployment.c libcertdeploy/certificate/deployment.h \
	libcertdeploy/certificate/chain.c \
	libcertdeploy/certificate/check.c \
	libcertdeploy/certificate/csr.c \
	libcertdeploy/certificate/decoder.c \
	libcertdeploy/certificate/fields.c \
	libcertdeploy/certificate/fits.c \
	libcertdeploy/certificate/issue.c libcertdeploy/certificate/issue.h \
	libcertdeploy/certificate/issuer.c \
	libcertdeploy/certificate/key.c \
	libcertdeploy/certificate/leaf.c libcertdeploy/certificate/leaf.h \
	libcertdeploy/certificate/load.c \
	libcertdeploy/certificate/material.h \
	libcertdeploy/certificate/permissions.c libcertdeploy/certificate/permissions.h \
	libcertdeploy/certificate/normal.c libcertdeploy/certificate/pkcs12.c libcertdeploy/certificate/pkcs12.h \
	libcertdeploy/certificate/read.c \
	libcertdeploy/certificate/report.c \
	libcertdeploy/certificate/roots.c \
	libcertdeploy/certificate/store.c libcertdeploy/certificate/store.h \
	libcertdeploy/certificate/stored.c libcertdeploy/certificate/stored.h \
	libcertdeploy/certificate/summary.c libcertdeploy/certificate/summary.h \
	libcertdeploy/certificate/waiting.c libcertdeploy/certificate/waiting.h \
	libcertdeploy/change/attributes.c libcertdeploy/change/attributes.h \
	libcertdeploy/change/audit.c \
	libcertdeploy/change/syslog.c \
	libcertdeploy/change/syslog.h \
	libcertdeploy/change/backup.c \
	libcertdeploy/change/build.c \
	libcertdeploy/change/changes.c libcertdeploy/change/changes.h \
	libcertdeploy/change/diff.c libcertdeploy/change/diff.h \
	libcertdeploy/change/disk.c libcertdeploy/change/disk.h \
	libcertdeploy/change/document.c libcertdeploy/change/document.h \
	libcertdeploy/change/edits.c libcertdeploy/change/edits.h \
	libcertdeploy/change/entries.c \
	libcertdeploy/change/foreign.c \
	libcertdeploy/change/history.c libcertdeploy/change/history.h \
	libcertdeploy/change/journal.c libcertdeploy/change/journal.h libcertdeploy/change/record.c \
	libcertdeploy/change/lock.c \
	libcertdeploy/change/prune.c \
	libcertdeploy/change/recover.c \
	libcertdeploy/change/scratch.c libcertdeploy/change/scratch.h \
	libcertdeploy/change/services.c \
	libcertdeploy/change/side.c \
	libcertdeploy/change/stage.c \
	libcertdeploy/change/state.c libcertdeploy/change/state.h \
	libcertdeploy/change/transaction.c libcertdeploy/change/transaction.h \
	libcertdeploy/change/work.h \
	libcertdeploy/host/account.c libcertdeploy/host/account.h \
	libcertdeploy/host/adapters.c libcertdeploy/host/adapters.h \
	libcertdeploy/host/digests.c \
	libcertdeploy/host/host.c libcertdeploy/host/host.h \
	libcertdeploy/host/inventory.c libcertdeploy/host/inventory.h \
	libcertdeploy/host/managed.c libcertdeploy/host/managed.h \
	libcertdeploy/host/reading.c libcertdeploy/host/reading.h \
	libcertdeploy/host/names.c libcertdeploy/host/names.h \
	libcertdeploy/host/resolve.c \
	libcertdeploy/host/rehearsal.c libcertdeploy/host/rehearsal.h \
	libcertdeploy/host/service.c libcertdeploy/host/service.h \
	libcertdeploy/host/settings.c libcertdeploy/host/settings.h \
	libcertdeploy/host/target.c libcertdeploy/host/target.h \
	libcertdeploy/proof/attempt.c libcertdeploy/proof/attempt.h \
	libcertdeploy/proof/doctor.c \
	libcertdeploy/proof/expiry.c \
	libcertdeploy/proof/fetch.c libcertdeploy/proof/fetch.h \
	libcertdeploy/proof/here.c libcertdeploy/proof/here.h \
	libcertdeploy/proof/probe.c libcertdeploy/proof/probe.h \
	libcertdeploy/proof/proof.c libcertdeploy/proof/proof.h \
	libcertdeploy/proof/running.c libcertdeploy/proof/running.h \
	libcertdeploy/proof/standing.c libcertdeploy/proof/standing.h \
	libcertdeploy/proof/starttls.c libcertdeploy/proof/starttls.h \
	libcertdeploy/proof/survey.c libcertdeploy/proof/survey.h \
	libcertdeploy/proof/survival.c libcertdeploy/proof/survival.h \
	libcertdeploy/proof/verify.c
libcertdeploy_internal_la_LIBADD = $(OPENSSL_LIBS) $(LIBCONFIG_LIBS) $(PCRE2_LIBS) $(JANSSON_LIBS) $(LIBIDN2_LIBS) $(LIBINTL)

libcertdeploy_la_SOURCES =
libcertdeploy_la_LIBADD = libcertdeploy-internal.la
# CURRENT:REVISION:AGE. Changed code: REVISION + 1. Added interfaces: CURRENT + 1, REVISION 0, AGE + 1.
# Removed or changed interfaces: CURRENT + 1, REVISION 0, AGE 0 (a new SONAME: not within a major version).
libcertdeploy_la_LDFLAGS = $(AM_LDFLAGS) -no-undefined -version-info 0:0:0 \
	-Wl,--version-script=$(top_srcdir)/libcertdeploy/certdeploy.map
libcertdeploy_la_DEPENDENCIES = libcertdeploy-internal.la libcertdeploy/certdeploy.map
