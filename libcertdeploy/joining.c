/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * joining.c - orders of one certificate are loaded, stored and remembered once
 *
 * A batch has a row for each site, and many sites may have one certificate. Each order keeps its own
 * target, so that one whose target is not there is left out alone; what is remembered under the name is all
 * of them.
 */
#include "plan-steps.h"

#include "base/buffer.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* What two orders must have in common. */
static const enum certdeploy_list_option common[] = {
	CERTDEPLOY_NAME,          CERTDEPLOY_INSTALL_CERT,      CERTDEPLOY_INSTALL_KEY,
	CERTDEPLOY_INSTALL_CHAIN, CERTDEPLOY_INSTALL_FULLCHAIN, CERTDEPLOY_PERMISSIONS,
};

static const enum certdeploy_list_option places[] = {CERTDEPLOY_HOSTNAME, CERTDEPLOY_ADDRESS,
						     CERTDEPLOY_LISTENER};

static int key_of(struct cd_buffer *key, const struct cd_order *order)
{
	key->length = 0;
	cd_buffer_string(key, cd_order_has_target(order) ? "there\n" : "where its names are\n");
	for (size_t i = 0; i < order->pieces.count; i++) {
		const struct cd_piece *piece = order->pieces.items[i];
		char digest[CD_SHA256_TEXT];

		if (cd_sha256(digest, piece->bytes, piece->length) != 0)
			return CERTDEPLOY_ENOMEM;
		cd_buffer_format(key, "%d %s\n", (int)piece->kind, digest);
	}
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
		const struct cd_vector *list = &order->lists[common[i]];

		cd_buffer_format(key, "%zu\n", list->count);
		for (size_t j = 0; j < list->count; j++)
			cd_buffer_add(key, list->items[j], strlen(list->items[j]) + 1);
	}
	return key->failed ? CERTDEPLOY_ENOMEM : 0;
}

int cd_plan_join(struct cd_plan *plan)
{
	struct cd_table heads = {0};
	struct cd_buffer key = {0};
	int result = 0;

	for (size_t i = 0; result == 0 && plan->orders.count > 1 && i < plan->orders.count; i++) {
		struct cd_planned_order *planned = plan->orders.items[i];
		void **head = NULL;

		/* What is remembered has a name of its own. */
		if (planned->recalled != NULL || planned->order->failure != NULL)
			continue;
		if (key_of(&key, planned->order) == 0)
			head = cd_table_place(&heads, key.bytes, key.length);
		if (head == NULL)
			result = cd_fail_memory(plan->problems);
		else if (*head == NULL)
			*head = planned;
		else
			planned->head = *head;
		if (planned->head != NULL)
			planned->head->waiting++;
	}
	cd_table_free(&heads);
	cd_buffer_free(&key);
	return result;
}

static int copy_list(struct cd_vector *to, const struct cd_vector *from)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < from->count; i++)
		result = cd_vector_add(to, from->items[i]);
	return result;
}

int cd_plan_add_target(struct cd_planned_order *head, const struct cd_order *target)
{
	struct cd_order *whole = head->whole == NULL ? calloc(1, sizeof(*whole)) : head->whole;
	int result = whole == NULL ? CERTDEPLOY_ENOMEM : 0;

	head->whole = whole;
	for (size_t i = 0; result == 0 && i < sizeof(places) / sizeof(places[0]); i++)
		result = copy_list(&whole->lists[places[i]], &target->lists[places[i]]);
	if (result == 0) {
		whole->defaults = whole->defaults || target->defaults;
		whole->all = whole->all || target->all;
	}
	return result;
}
