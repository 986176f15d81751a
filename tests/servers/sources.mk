# Real servers on loopback: run by ./runtests, see tests/servers/harness.
EXTRA_DIST += tests/servers

check_PROGRAMS += tests/servers/dovecot/dovecot-effective
tests_servers_dovecot_dovecot_effective_SOURCES = tests/servers/dovecot/effective.c
tests_servers_dovecot_dovecot_effective_LDADD = libcertdeploy-internal.la

# what a test run leaves in the source tree
dist-hook:
	find $(distdir) -name __pycache__ -prune -exec rm -rf {} +
