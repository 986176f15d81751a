# Units for a host with systemd: recovery at boot and a timer, neither enabled by being installed.
nodist_systemdunit_DATA = systemd/certdeploy-recover.service systemd/certdeploy-converge.service
dist_systemdunit_DATA = systemd/certdeploy-converge.timer
EXTRA_DIST += systemd/certdeploy-recover.service.in systemd/certdeploy-converge.service.in \
	systemd/certdeploy.tmpfiles systemd/certdeploy.logrotate
CLEANFILES += $(nodist_systemdunit_DATA)

unit_from_template = $(AM_V_GEN)$(MKDIR_P) systemd && sed 's|@bindir[@]|$(bindir)|g'

systemd/certdeploy-recover.service: systemd/certdeploy-recover.service.in Makefile
	$(unit_from_template) $(srcdir)/systemd/certdeploy-recover.service.in >$@.tmp && mv $@.tmp $@

systemd/certdeploy-converge.service: systemd/certdeploy-converge.service.in Makefile
	$(unit_from_template) $(srcdir)/systemd/certdeploy-converge.service.in >$@.tmp && mv $@.tmp $@

install-data-hook: install-function-pages
	$(MKDIR_P) $(DESTDIR)$(tmpfilesdir)
	$(INSTALL_DATA) $(srcdir)/systemd/certdeploy.tmpfiles $(DESTDIR)$(tmpfilesdir)/certdeploy.conf

uninstall-hook: uninstall-function-pages
	rm -f $(DESTDIR)$(tmpfilesdir)/certdeploy.conf
