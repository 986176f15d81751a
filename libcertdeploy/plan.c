/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan.c - everything that would be done, worked out by reading only */
#include "plan-steps.h"

#include "base/text.h"
#include "change/diff.h"
#include "host/managed.h"
#include "host/rehearsal.h"
#include "proof/running.h"

#include <stdlib.h>
#include <string.h>

/* All assignments of one service. An endpoint that two orders want goes to the first. */
static int plan_service(struct cd_plan *plan, size_t service)
{
	struct cd_seen *seen = plan->inventory.services.items[service];
	bool drop = cd_request_flag(plan->request, CERTDEPLOY_DROP_OTHER_TYPES, 0) != 0;
	struct certdeploy_assignment *assignments;
	struct cd_table taken = {0};
	size_t count = 0, room = 0;
	int result = 0;

	for (size_t i = 0; i < plan->orders.count; i++) {
		const struct cd_chosen *chosen = cd_planned_chosen(plan->orders.items[i], service);

		room += chosen == NULL ? 0 : chosen->endpoints.count;
	}
	assignments = cd_arena_array(&plan->arena, room + 1, sizeof(*assignments));
	if (assignments == NULL)
		return cd_fail_memory(plan->problems);
	for (size_t i = 0; result == 0 && i < plan->orders.count; i++) {
		const struct cd_planned_order *order = plan->orders.items[i];
		const struct cd_chosen *chosen = cd_planned_chosen(order, service);

		for (size_t j = 0; order->result == 0 && chosen != NULL && j < chosen->endpoints.count;
		     j++) {
			const struct certdeploy_endpoint *endpoint = chosen->endpoints.items[j];

			if (cd_table_get_bytes(&taken, &endpoint, sizeof(endpoint)) != NULL)
				continue;
			if (cd_table_put_bytes(&taken, &endpoint, sizeof(endpoint), order) != 0)
				result = cd_fail_memory(plan->problems);
			assignments[count++] = (struct certdeploy_assignment){
				.endpoint = endpoint,
				.materials = order->materials,
				.drop_other_types = drop,
			};
		}
	}
	cd_table_free(&taken);
	if (result != 0 || count == 0)
		return result;
	return seen->service.adapter->plan(&seen->reading, assignments, count, &plan->edits);
}

static bool will_reload(const struct cd_plan *plan, const struct cd_seen *seen)
{
	return plan->inventory.host.root.live && seen->running != 0 &&
	       cd_request_flag(plan->request, CERTDEPLOY_NO_RELOAD, 0) == 0;
}

static int plan_edits(struct cd_plan *plan)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < plan->inventory.services.count; i++) {
		const struct cd_seen *seen = plan->inventory.services.items[i];
		size_t from = plan->problems->list.count;

		plan->problems->service = cd_arena_string(&plan->problems->arena, seen->service.name);
		result = plan_service(plan, i);
		plan->problems->service = NULL;
		/* An adapter says what a reload does; it does not know whether there is one. */
		if (!will_reload(plan, seen))
			cd_problems_drop(plan->problems, from, "sessions-end");
	}
	if (result == 0)
		result = cd_edits_render(&plan->edits);
	if (result == 0)
		result = cd_overlay_edits(&plan->overlay, plan->problems, &plan->edits);
	return result;
}

/* A diff names the file itself, not a link to it: patch(1) follows none. */
static int find_real(struct cd_plan *plan, struct cd_file_edit *edit)
{
	struct cd_place place;
	int result =
		cd_place_find(&place, plan->problems, &plan->inventory.host.root, edit->path, CD_TRUST_ANY);

	if (result != 0)
		return result;
	edit->real = cd_arena_string(&plan->arena, place.path);
	cd_place_close(&place);
	return edit->real == NULL ? cd_fail_memory(plan->problems) : 0;
}

static int take_edit(struct cd_plan *plan, struct cd_file_edit *edit)
{
	struct cd_change change = {
		.kind = CD_CHANGE_FILE,
		.path = edit->path,
		.bytes = edit->bytes,
		.length = edit->length,
		.compare = true,
		.mode = edit->secret ? 0600 : 0644,
		.owner = (uid_t)-1,
		.group = (gid_t)-1,
		.secret = edit->secret,
		.service = edit->service,
	};
	struct cd_buffer diff = {0};
	int result = edit->document == NULL ? 0 : find_real(plan, edit);

	if (result != 0)
		return result;
	if (edit->document != NULL)
		change.before = edit->document->identity;
	cd_diff_add(&diff, edit);
	change.diff = cd_buffer_text(&diff);
	cd_buffer_add(&plan->diff, cd_buffer_text(&diff), diff.length);
	result = diff.failed || plan->diff.failed ? cd_fail_memory(plan->problems)
						  : cd_changes_add(&plan->changes, plan->problems, &change);
	cd_buffer_free(&diff);
	return result;
}

static struct cd_seen *seen_of(const struct cd_plan *plan, const char *service)
{
	for (size_t i = 0; i < plan->inventory.services.count; i++) {
		struct cd_seen *seen = plan->inventory.services.items[i];

		if (strcmp(seen->service.name, service) == 0)
			return seen;
	}
	return NULL;
}

static int take_build(struct cd_plan *plan, const struct cd_build *build)
{
	const struct certdeploy_build *wish = &build->build;
	const struct cd_seen *seen = seen_of(plan, build->service);
	struct cd_change_build change = {
		.source = wish->source,
		.input = wish->input,
		.input_length = wish->input_length,
		.argv = wish->argv,
		.environment = seen == NULL ? NULL : seen->reading.environment,
		.suffix = wish->suffix,
		.secret = wish->secret,
		.service = build->service,
	};

	if (!plan->inventory.host.root.live) {
		cd_problem(plan->problems, CERTDEPLOY_WARNING, "not-built", wish->source, 0,
			   _("%s%s is to be made anew on the host itself: no program runs on a tree"),
			   wish->source, wish->suffix);
		return 0;
	}
	change.product = cd_arena_format(&plan->arena, "%s%s", wish->source, wish->suffix);
	if (change.product == NULL)
		return cd_fail_memory(plan->problems);
	return cd_changes_add_build(&plan->changes, plan->problems, &change);
}

static int take_edits(struct cd_plan *plan)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < plan->edits.files.count; i++)
		result = take_edit(plan, plan->edits.files.items[i]);
	for (size_t i = 0; result == 0 && i < plan->edits.builds.count; i++)
		result = take_build(plan, plan->edits.builds.items[i]);
	return result;
}

/* Another tool's files are written only when that is accepted, whatever led to them. */
static int refuse_managed(struct cd_plan *plan)
{
	int result = 0;

	if (cd_in_list(plan->inventory.host.accepted, "managed-elsewhere"))
		return 0;
	for (size_t i = 0; result == 0 && i < plan->changes.list.count; i++) {
		const struct cd_change *change = plan->changes.list.items[i];
		struct cd_seen *seen = change->service == NULL ? NULL : seen_of(plan, change->service);
		const struct cd_file_edit *edit = cd_table_get(&plan->edits.by_path, change->path);
		const char *note = NULL;

		if (seen == NULL && plan->inventory.services.count != 0)
			seen = plan->inventory.services.items[0];
		if (seen == NULL)
			continue;
		if (edit == NULL)
			note = cd_managed_path(&seen->reading, change->path);
		else if (edit->document != NULL)
			note = cd_managed_file(&seen->reading, edit->document);
		if (note != NULL)
			result = cd_fail(plan->problems, CERTDEPLOY_EREFUSED, "managed-elsewhere",
					 change->path, 0, "%s", note);
	}
	return result;
}

static bool is_same(const char *one, const char *other)
{
	return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

/* Files that changed without an endpoint that shows it (an index made anew). */
static void mark_edited(struct cd_plan *plan)
{
	for (size_t i = 0; i < plan->services.count; i++) {
		struct cd_planned *planned = plan->services.items[i];
		const char *name = planned->seen->service.name;

		for (size_t j = 0; j < plan->edits.files.count; j++) {
			const struct cd_file_edit *edit = plan->edits.files.items[j];

			planned->touched = planned->touched || is_same(edit->service, name);
		}
		for (size_t j = 0; j < plan->changes.builds.count; j++) {
			const struct cd_change_build *build = plan->changes.builds.items[j];

			planned->touched = planned->touched || is_same(build->service, name);
		}
	}
}

static int rehearse(struct cd_plan *plan)
{
	int result = 0;

	if (!plan->inventory.host.root.live || cd_request_flag(plan->request, CERTDEPLOY_NO_TEST, 0) != 0)
		return 0;
	for (size_t i = 0; result == 0 && i < plan->services.count; i++) {
		struct cd_planned *planned = plan->services.items[i];

		if (!planned->touched || plan->edits.files.count == 0)
			continue;
		plan->problems->service =
			cd_arena_string(&plan->problems->arena, planned->seen->service.name);
		result = cd_rehearse(planned->seen, &planned->after, plan->problems);
		plan->problems->service = NULL;
	}
	return result;
}

int cd_plan_make_for(struct cd_plan *plan, struct certdeploy *cd, struct cd_problems *problems,
		     const struct certdeploy_request *request, const char *const *only)
{
	bool install_only = cd_request_flag(request, CERTDEPLOY_INSTALL_ONLY, 0) != 0;
	int result;

	*plan = (struct cd_plan){.cd = cd, .problems = problems, .request = request};
	plan->edits.problems = problems;
	result = cd_inventory_open_only(&plan->inventory, cd, problems, request, only, !install_only);
	if (result == 0)
		result = cd_running_settle(&plan->inventory);
	if (result == 0)
		result = cd_plan_collect(plan);
	if (result == 0 && !install_only)
		result = cd_inventory_result(&plan->inventory);
	if (result == 0 && !install_only && plan->inventory.services.count == 0)
		result = cd_fail(problems, CERTDEPLOY_EREFUSED, "no-service", NULL, 0,
				 _("no server that certdeploy knows was found on this host"));
	if (result == 0)
		result = cd_plan_orders(plan, install_only);
	if (result == 0 && !install_only)
		result = plan_edits(plan);
	if (result == 0)
		result = take_edits(plan);
	if (result == 0)
		result = refuse_managed(plan);
	if (result == 0 && !install_only)
		result = cd_plan_predict(plan);
	if (result == 0) {
		mark_edited(plan);
		result = rehearse(plan);
	}
	return problems->out_of_memory ? CERTDEPLOY_ENOMEM : result;
}

int cd_plan_make(struct cd_plan *plan, struct certdeploy *cd, struct cd_problems *problems,
		 const struct certdeploy_request *request)
{
	return cd_plan_make_for(plan, cd, problems, request, cd_request_list(request, CERTDEPLOY_SERVICE));
}

static void close_order(struct cd_planned_order *planned)
{
	cd_selection_free(&planned->selection);
	cd_certificates_free(&planned->certificates);
	if (planned->recalled != NULL)
		cd_order_free(planned->recalled);
	if (planned->whole != NULL)
		cd_order_free(planned->whole);
}

void cd_plan_close(struct cd_plan *plan)
{
	for (size_t i = 0; i < plan->services.count; i++) {
		struct cd_planned *planned = plan->services.items[i];

		if (planned->read_again)
			cd_reading_close(&planned->after);
	}
	cd_vector_free(&plan->services);
	for (size_t i = 0; i < plan->orders.count; i++)
		close_order(plan->orders.items[i]);
	cd_vector_free(&plan->orders);
	cd_table_free(&plan->names);
	cd_loads_free(&plan->loads);
	cd_buffer_free(&plan->diff);
	cd_overlay_free(&plan->overlay);
	cd_edits_free(&plan->edits);
	cd_changes_free(&plan->changes);
	cd_inventory_close(&plan->inventory);
	cd_arena_free(&plan->arena);
}

bool cd_plan_is_empty(const struct cd_plan *plan)
{
	return plan->changes.list.count == 0 && plan->changes.builds.count == 0;
}
