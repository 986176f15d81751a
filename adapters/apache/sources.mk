# The apache adapter: sees certdeploy-adapter.h only. Add each source to libcertdeploy_internal_la_SOURCES.
libcertdeploy_internal_la_SOURCES += \
	adapters/apache/adapter.h \
	adapters/apache/addresses.c \
	adapters/apache/amend.c \
	adapters/apache/apache.c \
	adapters/apache/commands.c \
	adapters/apache/directives.c \
	adapters/apache/edit.c adapters/apache/edit.h \
	adapters/apache/envvars.c \
	adapters/apache/hash.h \
	adapters/apache/hosts.c \
	adapters/apache/includes.c \
	adapters/apache/known.c \
	adapters/apache/layouts.c \
	adapters/apache/lines.c \
	adapters/apache/macros.c \
	adapters/apache/managed.c \
	adapters/apache/merge.c \
	adapters/apache/misdirected.c \
	adapters/apache/modules.c \
	adapters/apache/naming.c \
	adapters/apache/pairs.c \
	adapters/apache/places.c \
	adapters/apache/proxied.c \
	adapters/apache/read.c adapters/apache/read.h \
	adapters/apache/sections.c \
	adapters/apache/seen.c \
	adapters/apache/shell.c adapters/apache/shell.h \
	adapters/apache/slots.c \
	adapters/apache/sysconfig.c \
	adapters/apache/variables.c \
	adapters/apache/words.c \
	adapters/apache/write.c
