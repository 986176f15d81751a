# The tool and the other programs on the library. Public headers only, but for the reader of catalogues.
examples_cppflags = -include $(top_builddir)/config.h -I$(top_srcdir)/libcertdeploy \
	-DCD_LOCALEDIR='"$(localedir)"'

bin_PROGRAMS += examples/certdeploy/certdeploy
examples_certdeploy_certdeploy_SOURCES = examples/certdeploy/main.c $(tool_sources)
tool_sources = examples/certdeploy/tool.h examples/certdeploy/request.h \
	examples/certdeploy/adapters.c \
	examples/certdeploy/apply.c \
	examples/certdeploy/batch.c \
	examples/certdeploy/check.c \
	examples/certdeploy/columns.c \
	examples/certdeploy/complete.c \
	examples/certdeploy/deploy.c \
	examples/certdeploy/diff.c \
	examples/certdeploy/discover.c \
	examples/certdeploy/doctor.c \
	examples/certdeploy/environment.c \
	examples/certdeploy/expiry.c \
	examples/certdeploy/export.c \
	examples/certdeploy/given.c \
	examples/certdeploy/help.c \
	examples/certdeploy/history.c \
	examples/certdeploy/import.c \
	examples/certdeploy/hook.c \
	examples/certdeploy/json.c \
	examples/certdeploy/language.c \
	libcertdeploy/base/catalogue.c libcertdeploy/base/catalogue.h \
	libcertdeploy/base/descriptor.c libcertdeploy/base/descriptor.h \
	examples/certdeploy/list.c \
	examples/certdeploy/monitoring.c \
	examples/certdeploy/newrequest.c \
	examples/certdeploy/options.c \
	examples/certdeploy/outcome.c \
	examples/certdeploy/outputs.c \
	examples/certdeploy/plan.c \
	examples/certdeploy/problems.c \
	examples/certdeploy/prune.c \
	examples/certdeploy/recover.c \
	examples/certdeploy/request.c \
	examples/certdeploy/rollback.c \
	examples/certdeploy/show.c \
	examples/certdeploy/store.c \
	examples/certdeploy/table.c \
	examples/certdeploy/terminal.c \
	examples/certdeploy/text.c \
	examples/certdeploy/tlsa.c \
	examples/certdeploy/verify.c
examples_certdeploy_certdeploy_CPPFLAGS = $(examples_cppflags)
examples_certdeploy_certdeploy_LDFLAGS = $(AM_LDFLAGS) $(CD_PROGRAM_LDFLAGS)
examples_certdeploy_certdeploy_LDADD = libcertdeploy.la $(JANSSON_LIBS) $(OPENSSL_LIBS) $(LIBINTL)

noinst_PROGRAMS += examples/panel-extension/panel-extension
examples_panel_extension_panel_extension_SOURCES = examples/panel-extension/panel-extension.c
examples_panel_extension_panel_extension_CPPFLAGS = -I$(top_srcdir)/libcertdeploy
examples_panel_extension_panel_extension_LDADD = libcertdeploy.la

EXTRA_DIST += examples/adapter-skeleton/vsftpd.c examples/adapter-skeleton/Makefile

dist_zshcompletion_DATA = examples/certdeploy/completion/_certdeploy
EXTRA_DIST += examples/certdeploy/completion/certdeploy.bash
install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(bashcompletiondir)"
	$(INSTALL_DATA) $(top_srcdir)/examples/certdeploy/completion/certdeploy.bash \
		"$(DESTDIR)$(bashcompletiondir)/certdeploy"
uninstall-local:
	rm -f "$(DESTDIR)$(bashcompletiondir)/certdeploy"

EXTRA_DIST += examples/perl/Certdeploy.pm examples/perl/t/certdeploy.t
