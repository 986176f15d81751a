# The postfix adapter: sees certdeploy-adapter.h only. Add each source to libcertdeploy_internal_la_SOURCES.
