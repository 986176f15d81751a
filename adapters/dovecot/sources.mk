# The Dovecot adapter: sees certdeploy-adapter.h only.
libcertdeploy_internal_la_SOURCES += \
	adapters/dovecot/adapter.h \
	adapters/dovecot/amend.c \
	adapters/dovecot/answers.c \
	adapters/dovecot/blocks.c \
	adapters/dovecot/checks.c \
	adapters/dovecot/dovecot.c \
	adapters/dovecot/edit.c adapters/dovecot/edit.h \
	adapters/dovecot/endpoints.c \
	adapters/dovecot/filters.c \
	adapters/dovecot/lines.c adapters/dovecot/lines.h \
	adapters/dovecot/listeners.c adapters/dovecot/listeners.h \
	adapters/dovecot/memory.c adapters/dovecot/memory.h \
	adapters/dovecot/model.h \
	adapters/dovecot/nets.c adapters/dovecot/nets.h \
	adapters/dovecot/place.c \
	adapters/dovecot/read.c adapters/dovecot/read.h \
	adapters/dovecot/rehearse.c \
	adapters/dovecot/settings.c adapters/dovecot/settings.h \
	adapters/dovecot/trial.c \
	adapters/dovecot/values.c \
	adapters/dovecot/write.c
