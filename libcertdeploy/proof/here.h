/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* here.h - which addresses are this host's own */
#ifndef CD_HERE_H
#define CD_HERE_H

#include "base/table.h"

/** All zero: not asked yet. */
struct cd_here {
	struct cd_table addresses; /* the bytes of each interface's -> itself */
	bool asked;
	bool told; /* they could be told */
};

/**
 * Whether a connection to a numeric address ends on this host. A server may be configured for one that
 * another host has now (a shared address that moves): what answers there is not the server at hand. In
 * doubt it is here. NULL, all addresses, is.
 */
bool cd_here_has(struct cd_here *here, const char *address);
void cd_here_free(struct cd_here *here);

#endif
