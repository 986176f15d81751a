/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* adapter.h - the parts of the adapter's structure that stand in files of their own */
#ifndef DOVECOT_ADAPTER_H
#define DOVECOT_ADAPTER_H

#include "edit.h"

int dovecot_answers(struct certdeploy_reading *reading, const char *hostname, bool create,
		    int (*use)(void *user, const struct certdeploy_endpoint *endpoint), void *user);

int dovecot_answers_address(struct certdeploy_reading *reading, const char *address, uint16_t port,
			    int (*use)(void *user, const struct certdeploy_endpoint *endpoint), void *user);

/** A program as told in the settings, else where it usually is, else its name; NULL: no memory. */
const char *dovecot_program(struct certdeploy_reading *reading, const char *name);

int dovecot_rehearse(struct certdeploy_reading *reading, struct certdeploy_rehearsal *rehearsal);

#endif
