/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* running.c - whether a server runs, where nothing but its ports can tell */
#include "proof/running.h"

#include "proof/here.h"
#include "proof/probe.h"

#define PORTS 4
#define LOOK_SECONDS 3
#define LOOK_MS 1500

static int settle(struct cd_seen *seen)
{
	struct cd_probing how = {.seconds = LOOK_SECONDS, .single_ms = LOOK_MS};
	struct cd_probe probes[PORTS] = {{0}};
	struct cd_here here = {0};
	size_t count, used = 0;
	const struct certdeploy_endpoint *const *all = certdeploy_endpoints(&seen->reading, &count);
	int result;

	for (size_t i = 0; i < count && used < PORTS; i++) {
		bool known = all[i]->port == 0 || all[i]->unseen || all[i]->name != NULL ||
			     !cd_here_has(&here, all[i]->address);

		for (size_t j = 0; j < used; j++)
			known = known || probes[j].port == all[i]->port;
		if (known)
			continue;
		probes[used++] = cd_probe_of(all[i]);
	}
	cd_here_free(&here);
	result = used == 0 ? 0 : cd_probe_all(probes, used, &how);
	for (size_t i = 0; i < used && result == 0; i++) {
		bool answers = probes[i].state != CD_PROBE_REFUSED && probes[i].state != CD_PROBE_PENDING;

		seen->running = answers || seen->running == 1 ? 1 : 0;
	}
	return result;
}

int cd_running_settle(struct cd_inventory *inventory)
{
	int result = 0;

	for (size_t i = 0; result == 0 && inventory->host.root.live && i < inventory->services.count; i++) {
		struct cd_seen *seen = inventory->services.items[i];

		if (seen->result == 0 && seen->running == -1)
			result = settle(seen);
	}
	return result;
}
