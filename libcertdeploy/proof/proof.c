/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proof.c - what a plan's endpoints served before, and whether they serve what they should after */
#include "proof/proof.h"

#include "base/text.h"
#include "certificate/leaf.h"

#include <stdlib.h>
#include <string.h>

#define NEIGHBOURS 16
#define SAMPLE 64
#define FIRST_LOOK_SECONDS 5
#define FIRST_LOOK_MS 2000
#define DEFAULT_SECONDS 30
#define ENDPOINTS_A_SECOND 100
#define MOST_MESSAGES 20

void cd_proof_free(struct cd_proof *proof)
{
	cd_vector_free(&proof->items);
	cd_here_free(&proof->here);
	cd_table_free(&proof->elsewhere);
	cd_arena_free(&proof->arena);
}

/* A name that a wildcard covers and nothing else is likely to. */
static const char *name_to_send(struct cd_proof *proof, const char *name)
{
	if (name == NULL || strncmp(name, "*.", 2) != 0)
		return name;
	return cd_arena_format(&proof->arena, "certdeploy-probe%s", name + 1);
}

static int add_item(struct cd_proof *proof, const struct cd_planned *planned,
		    struct cd_planned_endpoint *endpoint, const struct certdeploy_material *material,
		    const struct cd_probe_setting *setting, bool by_type)
{
	struct cd_proof_item *item = cd_arena_alloc(&proof->arena, sizeof(*item));

	if (item == NULL)
		return cd_fail_memory(proof->plan->problems);
	item->planned = planned;
	item->endpoint = endpoint;
	item->want = material == NULL ? NULL : material->sha256;
	item->key_type = by_type ? material->key_type : NULL;
	item->address = setting == NULL ? endpoint->after->address : setting->address;
	item->port = setting == NULL ? endpoint->after->port : setting->port;
	item->configured = setting != NULL;
	item->name = name_to_send(proof, endpoint->after->name);
	if (endpoint->looks++ == 0)
		endpoint->first_look = (uint32_t)proof->items.count;
	if ((endpoint->after->name != NULL && item->name == NULL) ||
	    cd_vector_add(&proof->items, item) != 0)
		return cd_fail_memory(proof->plan->problems);
	return 0;
}

/* One look for each key type where there are several: a client gets the one it can use. */
static int add_endpoint(struct cd_proof *proof, const struct cd_planned *planned,
			struct cd_planned_endpoint *endpoint, const struct cd_probe_setting *setting)
{
	const struct certdeploy_material *const *materials;
	bool by_type;
	int result = 0;

	if (!endpoint->targeted)
		return add_item(proof, planned, endpoint, NULL, setting, false);
	materials = endpoint->order->materials;
	by_type = materials[1] != NULL || endpoint->after->pair_count > 1;
	for (size_t i = 0; result == 0 && materials[i] != NULL; i++)
		result = add_item(proof, planned, endpoint, materials[i], setting, by_type);
	return result;
}

/* Another host answers there now: it is said once. */
static int leave_out(struct cd_proof *proof, const struct cd_planned *planned,
		     const struct cd_planned_endpoint *endpoint)
{
	struct cd_problems *problems = proof->plan->problems;
	const char *address = endpoint->after->address;

	if (!endpoint->targeted || cd_table_get(&proof->elsewhere, address) != NULL)
		return 0;
	problems->service = cd_arena_string(&problems->arena, planned->seen->service.name);
	cd_problem(problems, CERTDEPLOY_WARNING, "not-here", endpoint->after->file, endpoint->after->line,
		   _("%s is not an address of this host now: what is served there is not looked at"),
		   address);
	problems->service = NULL;
	return cd_table_put(&proof->elsewhere, address, endpoint) == 0 ? 0 : cd_fail_memory(problems);
}

/* Its server ends these connections, before as after: the plan has said so, and nothing is to be seen. */
static bool is_ended(const struct cd_planned_endpoint *endpoint)
{
	return endpoint->after->ended && endpoint->before != NULL && endpoint->before->ended;
}

static int add_places(struct cd_proof *proof, const struct cd_planned *planned,
		      struct cd_planned_endpoint *endpoint)
{
	const struct cd_service_settings *configured = planned->seen->configured;
	const struct certdeploy_endpoint *after = endpoint->after;
	size_t at = 0;
	const struct cd_probe_setting *instead = cd_probe_setting_next(configured, after->protocol, &at);
	int result = 0;

	if (instead == NULL && after->port != 0 && !after->unseen && !is_ended(endpoint))
		result = cd_here_has(&proof->here, after->address)
				 ? add_endpoint(proof, planned, endpoint, NULL)
				 : leave_out(proof, planned, endpoint);
	for (; result == 0 && instead != NULL;
	     instead = cd_probe_setting_next(configured, after->protocol, &at))
		result = add_endpoint(proof, planned, endpoint, instead);
	return result;
}

static int add_service(struct cd_proof *proof, const struct cd_planned *planned)
{
	long scope =
		cd_request_flag(proof->plan->request, CERTDEPLOY_VERIFY_SCOPE, CERTDEPLOY_VERIFY_CHANGED);
	size_t counts[2] = {0, 0}, seen[2] = {0, 0}, steps[2]; /* of neighbours, of targets */
	int result = 0;

	for (size_t i = 0; i < planned->endpoint_count; i++) {
		const struct cd_planned_endpoint *endpoint = &planned->endpoints[i];

		counts[endpoint->targeted] += endpoint->after->tls ? 1 : 0;
	}
	steps[false] = scope == CERTDEPLOY_VERIFY_ALL ? 1 : counts[false] / NEIGHBOURS + 1;
	steps[true] = scope == CERTDEPLOY_VERIFY_SAMPLE ? counts[true] / SAMPLE + 1 : 1;
	for (size_t i = 0; result == 0 && i < planned->endpoint_count; i++) {
		struct cd_planned_endpoint *endpoint = &planned->endpoints[i];

		if (endpoint->after->tls && seen[endpoint->targeted]++ % steps[endpoint->targeted] == 0)
			result = add_places(proof, planned, endpoint);
	}
	return result;
}

int cd_proof_prepare(struct cd_proof *proof, struct cd_plan *plan, bool all)
{
	int result = 0;

	*proof = (struct cd_proof){.plan = plan};
	for (size_t i = 0; result == 0 && i < plan->services.count; i++) {
		const struct cd_planned *planned = plan->services.items[i];

		if (planned->seen->running == 1 && (planned->touched || all))
			result = add_service(proof, planned);
	}
	return result;
}

/* ---- looking ---- */

struct looking {
	struct cd_proof *proof;
	struct cd_probe *probes;
	size_t count;
};

static int progress(void *user, size_t done, size_t total)
{
	const struct cd_proof *proof = user;

	if (proof->going_back)
		return 0;
	return cd_progress(proof->plan->cd, proof->plan->problems, "verify", done, total) == 0 ? 0 : 1;
}

static int look(struct looking *looking, struct cd_proof *proof, unsigned seconds, unsigned single_ms,
		const char *(*want)(const struct cd_proof_item *))
{
	struct cd_probing how = {
		.seconds = seconds, .single_ms = single_ms, .progress = progress, .user = proof};

	*looking = (struct looking){.proof = proof, .count = proof->items.count};
	looking->probes = calloc(looking->count + 1, sizeof(*looking->probes));
	if (looking->probes == NULL)
		return cd_fail_memory(proof->plan->problems);
	for (size_t i = 0; i < looking->count; i++) {
		const struct cd_proof_item *item = proof->items.items[i];

		looking->probes[i] = cd_probe_of(item->endpoint->after);
		looking->probes[i].address = item->address;
		looking->probes[i].port = item->port;
		looking->probes[i].name = item->name;
		looking->probes[i].key_type = item->key_type;
		looking->probes[i].want = want == NULL ? NULL : want(item);
		looking->probes[i].own = item;
	}
	return cd_probe_all(looking->probes, looking->count, &how);
}

static bool is_slow(const struct cd_probe *probe)
{
	return probe->state == CD_PROBE_TIMEOUT && !probe->unheard;
}

/* A port that took the connection and was then too slow says more on a second, patient look. */
static int look_longer(struct looking *looking)
{
	struct cd_probe *slow = calloc(looking->count + 1, sizeof(*slow));
	const struct cd_probing how = {0};
	size_t count = 0, next = 0;
	int result;

	if (slow == NULL)
		return cd_fail_memory(looking->proof->plan->problems);
	for (size_t i = 0; i < looking->count; i++)
		if (is_slow(&looking->probes[i]))
			slow[count++] = looking->probes[i];
	result = count == 0 ? 0 : cd_probe_all(slow, count, &how);
	for (size_t i = 0; i < looking->count && result == 0 && next < count; i++)
		if (is_slow(&looking->probes[i]))
			looking->probes[i] = slow[next++];
	free(slow);
	return result;
}

/* Whether the files of an endpoint hold this certificate; *all: whether all of them could be read. */
static bool is_in_files(const struct cd_proof_item *item, const char *sha256, bool *all)
{
	const struct certdeploy_endpoint *endpoint = item->endpoint->after;
	struct certdeploy_reading *reading = &item->planned->seen->reading;
	const struct certdeploy_leaf *leaf;
	bool found = false;

	*all = endpoint->pair_count != 0;
	for (size_t i = 0; i < endpoint->pair_count; i++) {
		const char *path = endpoint->pairs[i].certificate;

		if (path == NULL || certdeploy_leaf(&leaf, reading, path) != 0)
			*all = false;
		else
			found = found || cd_leaf_is(leaf, sha256);
	}
	return found;
}

/*
 * Others may have renewed a neighbour without a reload: ours lets it serve what it has. Or it changes with
 * the target, which was allowed.
 */
static bool is_renewed(const struct cd_proof_item *item)
{
	bool all;

	if (item->endpoint->also_changes)
		return true;
	return item->want == NULL && item->before[0] != '\0' && !is_in_files(item, item->before, &all) &&
	       all;
}

int cd_proof_before(struct cd_proof *proof)
{
	struct looking looking;
	unsigned seconds = FIRST_LOOK_SECONDS + (unsigned)(proof->items.count / ENDPOINTS_A_SECOND);
	int result = look(&looking, proof, seconds, FIRST_LOOK_MS, NULL);

	if (result == 0)
		result = look_longer(&looking);
	for (size_t i = 0; result == 0 && i < looking.count; i++) {
		struct cd_proof_item *item = proof->items.items[i];

		memcpy(item->before, looking.probes[i].sha256, sizeof(item->before));
		memcpy(item->after, looking.probes[i].sha256, sizeof(item->after));
		item->after_until = looking.probes[i].not_after;
		/*
		 * One that is slow to answer must be seen afterwards, and is waited for; one that turns
		 * clients like us away does so afterwards, too.
		 */
		item->expected = looking.probes[i].state != CD_PROBE_REFUSED &&
				 !looking.probes[i].unheard && !looking.probes[i].turned_away;
		item->silent = is_slow(&looking.probes[i]);
		item->verified = item->want != NULL && strcmp(item->want, item->before) == 0;
		item->renewed = is_renewed(item);
	}
	free(looking.probes);
	return result;
}

bool cd_proof_is_stale(const struct cd_proof *proof, const struct cd_planned *planned)
{
	for (size_t i = 0; i < proof->items.count; i++) {
		const struct cd_proof_item *item = proof->items.items[i];

		if (item->planned == planned && item->want != NULL && item->expected && !item->verified)
			return true;
	}
	return false;
}

bool cd_proof_is_silent(const struct cd_proof *proof, const struct cd_planned *planned)
{
	bool any = false;

	for (size_t i = 0; i < proof->items.count; i++) {
		const struct cd_proof_item *item = proof->items.items[i];

		if (item->planned == planned && !item->silent)
			return false;
		any = any || item->planned == planned;
	}
	return any;
}

bool cd_proof_is_stuck(const struct cd_proof *proof, const struct cd_planned *planned)
{
	for (size_t i = 0; i < proof->items.count; i++) {
		const struct cd_proof_item *item = proof->items.items[i];

		if (item->planned == planned && item->stuck)
			return true;
	}
	return false;
}

static const char *want_old(const struct cd_proof_item *item)
{
	return item->before[0] == '\0' || item->renewed ? NULL : item->before;
}

/* A neighbour keeps what it served; one that served nothing is not waited for. */
static const char *want_new(const struct cd_proof_item *item)
{
	if (item->want != NULL)
		return item->expected || item->configured ? item->want : NULL;
	return want_old(item);
}

static unsigned seconds_for(const struct cd_proof *proof)
{
	unsigned most = DEFAULT_SECONDS;
	bool configured = false;
	long asked = cd_request_flag(proof->plan->request, CERTDEPLOY_VERIFY_TIMEOUT, 0);

	if (asked > 0)
		return (unsigned)asked;
	for (size_t i = 0; i < proof->items.count; i++) {
		const struct cd_proof_item *item = proof->items.items[i];
		const struct cd_service_settings *settings = item->planned->seen->configured;

		if (settings == NULL || settings->timeout == 0)
			continue;
		most = configured && most > settings->timeout ? most : settings->timeout;
		configured = true;
	}
	return most + (unsigned)(proof->items.count / ENDPOINTS_A_SECOND);
}

static void tell(struct cd_proof *proof, const struct cd_proof_item *item, const struct cd_probe *probe,
		 enum certdeploy_severity severity)
{
	struct cd_problems *problems = proof->plan->problems;
	const struct certdeploy_endpoint *endpoint = item->endpoint->after;
	const char *name = cd_probe_title(&problems->arena, endpoint);

	problems->service = cd_arena_string(&problems->arena, item->planned->seen->service.name);
	if (probe->state == CD_PROBE_SERVED)
		cd_problem(problems, severity, "served-other", endpoint->file, endpoint->line,
			   item->want == NULL
				   ? _("%s on port %u (%s) does not serve any more what it served: %s")
				   : _("%s on port %u (%s) serves another certificate: %s"),
			   name, (unsigned)item->port, endpoint->protocol, probe->sha256);
	else
		cd_problem(problems, severity, cd_probe_code(probe), endpoint->file, endpoint->line,
			   _("%s on port %u (%s) could not be proven: %s"), name, (unsigned)item->port,
			   endpoint->protocol, probe->detail[0] == '\0' ? "-" : probe->detail);
	problems->service = NULL;
}

/* At least one endpoint of a running service must have answered, or nothing is proven. */
static bool is_unproven(const struct cd_proof *proof, const struct cd_planned *planned)
{
	bool any = false;

	for (size_t i = 0; i < proof->items.count; i++) {
		const struct cd_proof_item *item = proof->items.items[i];

		if (item->planned != planned || item->want == NULL)
			continue;
		if (item->verified)
			return false;
		any = true;
	}
	return any;
}

/* What was there before says nothing, or what it said: its process may be an old one, or paused. */
static bool is_stuck(const struct cd_proof_item *item, const struct cd_probe *probe)
{
	bool unmoved = item->want != NULL && !item->verified && probe->state == CD_PROBE_SERVED &&
		       strcmp(item->before, probe->sha256) == 0;

	return item->expected &&
	       (unmoved || probe->state == CD_PROBE_REFUSED || probe->state == CD_PROBE_TIMEOUT);
}

static int judge(struct cd_proof *proof, const struct looking *looking,
		 const char *(*want)(const struct cd_proof_item *))
{
	size_t told = 0;
	int result = 0;

	for (size_t i = 0; i < looking->count; i++) {
		struct cd_proof_item *item = proof->items.items[i];
		const struct cd_probe *probe = &looking->probes[i];

		memcpy(item->after, probe->sha256, sizeof(item->after));
		item->after_until = probe->not_after;
		item->verified = item->want != NULL && strcmp(item->want, probe->sha256) == 0;
		item->stuck = is_stuck(item, probe);
	}
	for (size_t i = 0; i < looking->count; i++) {
		const struct cd_proof_item *item = proof->items.items[i];
		const struct cd_probe *probe = &looking->probes[i];
		const char *wanted = want(item);
		bool wrong = wanted != NULL && strcmp(wanted, probe->sha256) != 0;
		bool silent = wanted == NULL && item->want != NULL && !item->verified, all;

		if (item->renewed && strcmp(item->before, probe->sha256) != 0 &&
		    !is_in_files(item, probe->sha256, &all))
			wrong = true;

		if (silent && is_unproven(proof, item->planned))
			wrong = true;
		if (wrong)
			result = CERTDEPLOY_EFAILED;
		if ((wrong || silent) && told++ < MOST_MESSAGES)
			tell(proof, item, probe, wrong ? CERTDEPLOY_ERROR : CERTDEPLOY_WARNING);
	}
	return result;
}

static int look_and_judge(struct cd_proof *proof, const char *(*want)(const struct cd_proof_item *))
{
	struct looking looking;
	int result = look(&looking, proof, seconds_for(proof), 0, want);

	if (result == 0)
		result = judge(proof, &looking, want);
	free(looking.probes);
	return result;
}

int cd_proof_after(struct cd_proof *proof)
{
	return look_and_judge(proof, want_new);
}

int cd_proof_restored(struct cd_proof *proof)
{
	struct looking looking;
	int result;

	proof->going_back = true;
	result = look(&looking, proof, seconds_for(proof), 0, want_old);

	for (size_t i = 0; result == 0 && i < looking.count; i++) {
		struct cd_proof_item *item = proof->items.items[i];
		const char *wanted = want_old(item);

		memcpy(item->after, looking.probes[i].sha256, sizeof(item->after));
		item->verified = false;
		if (wanted == NULL || strcmp(wanted, looking.probes[i].sha256) == 0)
			continue;
		tell(proof, item, &looking.probes[i], CERTDEPLOY_ERROR);
		result = CERTDEPLOY_EFAILED;
	}
	free(looking.probes);
	return result;
}
