/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nets.h - networks: as they are written, and which are within which */
#ifndef DOVECOT_NETS_H
#define DOVECOT_NETS_H

#include "memory.h"

/** A network; bits 0: none. */
struct dovecot_net {
	unsigned char address[16];
	uint8_t v6;
	uint8_t bits;
};

/** This host, as it reaches itself: 127.0.0.1 and ::1. */
extern const struct dovecot_net dovecot_loopback[2];
/** "10.0.0.0/8", "::1", "[::1]": false when it is none (a host name). */
bool dovecot_parse_net(struct dovecot_net *net, const char *text);
bool dovecot_net_contains(const struct dovecot_net *net, const struct dovecot_net *inner);
/** Either may be NULL. */
bool dovecot_same_net(const struct dovecot_net *one, const struct dovecot_net *other);
/** As a `local` names it; NULL: no memory. */
const char *dovecot_spell_net(struct certdeploy_reading *reading, const struct dovecot_net *net);

/** What is kept by network. All zero is empty. */
struct dovecot_nets {
	struct dovecot_table by_net;
	bool widths[2][129]; /**< those that there are, by family */
};

/** Set or replace. net NULL: all addresses of both families. value is not NULL. */
int dovecot_nets_put(struct dovecot_nets *nets, struct certdeploy_reading *reading,
		     const struct dovecot_net *net, void *value);
/** What is kept for the network itself, or NULL. */
void *dovecot_nets_get(const struct dovecot_nets *nets, const struct dovecot_net *net);
/**
 * What is kept for the network of so many bits that `net` lies in (0: for all addresses), or NULL. All
 * that are around a network are found by asking for each width up to its own.
 */
void *dovecot_nets_around(const struct dovecot_nets *nets, const struct dovecot_net *net, unsigned bits);
/** Is something kept for a network around the address? */
bool dovecot_nets_cover(const struct dovecot_nets *nets, const struct dovecot_net *address);

#endif
