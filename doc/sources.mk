# The manual, and the description of the tool's JSON.
dist_doc_DATA = doc/certdeploy.schema.json
function_pages = doc/certdeploy_csr.3 doc/certdeploy_deploy.3 doc/certdeploy_list.3 doc/certdeploy_new.3 \
	doc/certdeploy_read.3 doc/certdeploy_request.3 doc/certdeploy_result.3 doc/certdeploy_setting.3 \
	doc/certdeploy_splice.3
dist_man_MANS = doc/certdeploy.1 doc/certdeploy.conf.5 doc/libcertdeploy.3 doc/certdeploy-adapter.7 $(function_pages)
man_MANS = doc/certdeploy-problems.7
jamandir = $(mandir)/ja/man1
dist_jaman_DATA = doc/ja/certdeploy.1

EXTRA_DIST += tools/problems-page doc/performance.md doc/performance.svg
CLEANFILES += doc/certdeploy-problems.7
doc/certdeploy-problems.7: tools/problems-page libcertdeploy/base/problems.def
	$(AM_V_GEN)$(MKDIR_P) doc && \
	$(top_srcdir)/tools/problems-page $(top_srcdir)/libcertdeploy/base/problems.def >$@.new && mv $@.new $@

# Each function by its own name: a page that names it in another page's place.
function_names = sed -n 's/^\.Nm \(certdeploy_[a-z0-9_]*\).*/\1/p' $$page | sort -u | grep -vx "$$(basename $$page .3)"
install-function-pages:
	for page in $(function_pages:%=$(srcdir)/%); do \
		for name in $$($(function_names)); do \
			echo ".so man3/$$(basename $$page)" >"$(DESTDIR)$(man3dir)/$$name.3" || exit 1; \
		done; \
	done
uninstall-function-pages:
	for page in $(function_pages:%=$(srcdir)/%); do \
		for name in $$($(function_names)); do rm -f "$(DESTDIR)$(man3dir)/$$name.3"; done; \
	done
.PHONY: install-function-pages uninstall-function-pages
