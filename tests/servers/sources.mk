# Real servers on loopback: run by ./runtests, see tests/servers/harness.
EXTRA_DIST += tests/servers

# What our reader says, to be compared with the server's own dump. It stands outside the directory that
# is distributed whole: a release made where things were built must not carry objects.
check_PROGRAMS += tests/oracle/dovecot-effective
tests_oracle_dovecot_effective_SOURCES = tests/oracle/dovecot-effective.c
tests_oracle_dovecot_effective_LDADD = libcertdeploy-internal.la
