# The manual, and the description of the tool's JSON.
dist_doc_DATA = doc/certdeploy.schema.json
dist_man_MANS = doc/certdeploy.1 doc/certdeploy.conf.5 doc/libcertdeploy.3 doc/certdeploy-adapter.7
man_MANS = doc/certdeploy-problems.7
jamandir = $(mandir)/ja/man1
dist_jaman_DATA = doc/ja/certdeploy.1

EXTRA_DIST += tools/problems-page doc/performance.md
CLEANFILES += doc/certdeploy-problems.7
doc/certdeploy-problems.7: tools/problems-page libcertdeploy/base/problems.def
	$(AM_V_GEN)$(MKDIR_P) doc && \
	$(top_srcdir)/tools/problems-page $(top_srcdir)/libcertdeploy/base/problems.def >$@.new && mv $@.new $@
