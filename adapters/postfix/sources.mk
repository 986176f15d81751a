# The postfix adapter: sees certdeploy-adapter.h only. Add each source to libcertdeploy_internal_la_SOURCES.
libcertdeploy_internal_la_SOURCES += \
	adapters/postfix/addresses.c \
	adapters/postfix/edit.c \
	adapters/postfix/index.c \
	adapters/postfix/lines.c \
	adapters/postfix/listeners.c \
	adapters/postfix/main-cf.c \
	adapters/postfix/maps.c \
	adapters/postfix/master-cf.c \
	adapters/postfix/memory.c adapters/postfix/memory.h \
	adapters/postfix/model.c \
	adapters/postfix/plan.c \
	adapters/postfix/postfix.c adapters/postfix/postfix.h \
	adapters/postfix/rehearse.c \
	adapters/postfix/sni.c \
	adapters/postfix/sources.c \
	adapters/postfix/value.c
