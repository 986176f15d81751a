# Real servers on loopback: run by ./runtests, see tests/servers/harness.
EXTRA_DIST += tests/servers

# what a test run leaves in the source tree
dist-hook:
	find $(distdir) -name __pycache__ -prune -exec rm -rf {} +
