/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe.c - live TLS handshakes: what do many ports serve?
 *
 * Probes wait in queues, one for each pause that an attempt may have to wait. As a queue's pause is
 * constant, its first probe is always the next one due, and no search is needed: the work grows with
 * the number of attempts, the memory with the number of probes and a bounded number of connections.
 */
#include "proof/probe.h"

#include "base/process.h"
#include "base/text.h"
#include "proof/attempt.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PARALLEL 64
#define MOST_PARALLEL 1024
#define SECONDS 15
/** Postfix's postscreen lets a stranger wait for 6 seconds. */
#define SINGLE_MS 10000
/** How long a caller that may cancel waits at most to be asked. */
#define PROGRESS_MS 200

/** Pauses before each further attempt at a probe; the last one stays. */
static const int64_t pauses_ms[] = {0, 20, 40, 80, 160, 320, 500};
#define QUEUES (sizeof(pauses_ms) / sizeof(pauses_ms[0]))

/** A probe that has no answer yet. */
struct waiting {
	struct cd_probe *probe;
	struct waiting *next;
	int64_t due;
	unsigned tries;
};

struct queue {
	struct waiting *first, *last;
};

struct slot {
	struct cd_attempt *attempt;
	struct waiting *waiting;
	int64_t deadline;
};

struct round {
	const struct cd_probing *how;
	struct cd_clients clients;
	struct waiting *all;
	struct queue queues[QUEUES];
	struct slot *slots; /**< the first `active` ones are in use */
	struct pollfd *polls;
	size_t parallel, active;
	size_t total, done;
	int64_t now, end;
	int64_t single_ms;
};

static void enqueue(struct round *round, struct waiting *waiting)
{
	size_t which = waiting->tries < QUEUES ? waiting->tries : QUEUES - 1;
	struct queue *queue = &round->queues[which];

	waiting->due = round->now + pauses_ms[which];
	waiting->next = NULL;
	if (queue->last == NULL)
		queue->first = waiting;
	else
		queue->last->next = waiting;
	queue->last = waiting;
}

/* The queue whose first probe is due first; NULL: nothing waits. */
static struct queue *next_queue(struct round *round)
{
	struct queue *next = NULL;

	for (size_t i = 0; i < QUEUES; i++) {
		struct queue *queue = &round->queues[i];

		if (queue->first != NULL && (next == NULL || queue->first->due < next->first->due))
			next = queue;
	}
	return next;
}

struct cd_probe cd_probe_of(const struct certdeploy_endpoint *endpoint)
{
	return (struct cd_probe){.address = endpoint->address,
				 .port = endpoint->port,
				 .start = endpoint->start,
				 .proxied = endpoint->proxied,
				 .name = endpoint->name};
}

const char *cd_probe_title(struct cd_arena *arena, const struct certdeploy_endpoint *endpoint)
{
	const char *name = endpoint->name == NULL ? _("the default") : endpoint->name;
	const char *full = endpoint->address == NULL
				   ? NULL
				   : cd_arena_format(arena, "%s (%s)", name, endpoint->address);

	return full == NULL ? name : full;
}

const char *cd_probe_code(const struct cd_probe *probe)
{
	switch (probe->state) {
	case CD_PROBE_SERVED:
		return "served-other";
	case CD_PROBE_NO_STARTTLS:
		return "no-starttls";
	case CD_PROBE_NO_HANDSHAKE:
		return "no-handshake";
	default:
		return "not-listening";
	}
}

static bool is_answered(const struct cd_probe *probe)
{
	if (probe->want == NULL)
		return true;
	return probe->state == CD_PROBE_SERVED && strcasecmp(probe->want, probe->sha256) == 0;
}

/* An attempt has come to its end: the probe is done, or will be tried again. */
static void conclude(struct round *round, struct waiting *waiting)
{
	waiting->tries++;
	if (is_answered(waiting->probe))
		round->done++;
	else
		enqueue(round, waiting);
}

/* Begin what is due, as long as there is room. */
static int begin_due(struct round *round)
{
	struct queue *queue;
	int result;

	while (round->active < round->parallel && (queue = next_queue(round)) != NULL &&
	       queue->first->due <= round->now) {
		struct waiting *waiting = queue->first;
		struct slot *slot = &round->slots[round->active];

		queue->first = waiting->next;
		if (queue->first == NULL)
			queue->last = NULL;
		result = cd_attempt_begin(&slot->attempt, &round->clients, waiting->probe);
		if (result < 0)
			return result;
		if (result == CD_ATTEMPT_WAITS) {
			slot->waiting = waiting;
			slot->deadline = round->now + round->single_ms;
			round->active++;
		} else if (result == CD_ATTEMPT_ENDED) {
			conclude(round, waiting);
		} else {
			/* No descriptor is free: others may give one back. */
			waiting->tries++;
			enqueue(round, waiting);
			break;
		}
	}
	return 0;
}

static void close_slot(struct round *round, size_t which)
{
	cd_attempt_free(round->slots[which].attempt);
	round->active--;
	round->slots[which] = round->slots[round->active];
	round->polls[which] = round->polls[round->active];
}

/* Let each attempt go on whose descriptor is ready, and end those whose time is up. */
static int serve_ready(struct round *round)
{
	for (size_t i = round->active; i-- > 0;) {
		struct slot *slot = &round->slots[i];
		struct waiting *waiting = slot->waiting;
		int result = CD_ATTEMPT_WAITS;

		if (round->polls[i].revents != 0)
			result = cd_attempt_go(slot->attempt);
		if (result < 0)
			return result;
		if (result == CD_ATTEMPT_WAITS && slot->deadline <= round->now) {
			cd_attempt_expire(slot->attempt);
			result = CD_ATTEMPT_ENDED;
		}
		if (result == CD_ATTEMPT_ENDED) {
			close_slot(round, i);
			conclude(round, waiting);
		}
	}
	return 0;
}

static int wait_for_events(struct round *round)
{
	const struct queue *queue = next_queue(round);
	int64_t until = round->end;

	if (queue != NULL && queue->first->due < until && round->active < round->parallel)
		until = queue->first->due;
	for (size_t i = 0; i < round->active; i++) {
		round->polls[i].fd = cd_attempt_fd(round->slots[i].attempt, &round->polls[i].events);
		round->polls[i].revents = 0;
		if (round->slots[i].deadline < until)
			until = round->slots[i].deadline;
	}
	if (round->how->progress != NULL && until > round->now + PROGRESS_MS)
		until = round->now + PROGRESS_MS;
	if (until < round->now)
		until = round->now;
	/* The clock is cut to milliseconds: one more, not to come back too early. */
	if (poll(round->polls, round->active, (int)(until - round->now) + (until > round->now)) == -1 &&
	    errno != EINTR && errno != EAGAIN)
		return CERTDEPLOY_ENOMEM;
	round->now = cd_now_ms();
	return 0;
}

static int go_round(struct round *round)
{
	const struct cd_probing *how = round->how;
	int result = 0;

	while (result == 0 && round->done < round->total && round->now < round->end) {
		result = begin_due(round);
		if (result == 0 && round->done < round->total)
			result = wait_for_events(round);
		if (result == 0)
			result = serve_ready(round);
		if (result == 0 && how->progress != NULL &&
		    how->progress(how->user, round->done, round->total) != 0)
			result = CERTDEPLOY_ECANCELLED;
	}
	return result;
}

static int set_up(struct round *round, struct cd_probe *probes, size_t count)
{
	const struct cd_probing *how = round->how;

	round->parallel = how->parallel == 0 ? PARALLEL : how->parallel;
	if (round->parallel > MOST_PARALLEL)
		round->parallel = MOST_PARALLEL;
	if (round->parallel > count)
		round->parallel = count;
	round->single_ms = how->single_ms == 0 ? SINGLE_MS : how->single_ms;
	round->now = cd_now_ms();
	round->end = round->now + (int64_t)(how->seconds == 0 ? SECONDS : how->seconds) * 1000;
	round->total = count;
	round->all = calloc(count, sizeof(*round->all));
	round->slots = calloc(round->parallel, sizeof(*round->slots));
	round->polls = calloc(round->parallel, sizeof(*round->polls));
	if (round->all == NULL || round->slots == NULL || round->polls == NULL)
		return CERTDEPLOY_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct cd_probe *probe = &probes[i];

		probe->state = CD_PROBE_PENDING;
		probe->sha256[0] = '\0';
		probe->not_before = probe->not_after = 0;
		probe->chain_length = 0;
		probe->unheard = false;
		probe->turned_away = false;
		probe->detail[0] = '\0';
		round->all[i].probe = probe;
		enqueue(round, &round->all[i]);
	}
	return 0;
}

static void tear_down(struct round *round)
{
	while (round->slots != NULL && round->active > 0) {
		/* Interrupted: what an earlier attempt found stands. */
		if (cd_attempt_probe(round->slots[0].attempt)->state == CD_PROBE_PENDING)
			cd_attempt_expire(round->slots[0].attempt);
		close_slot(round, 0);
	}
	for (size_t i = 0; round->all != NULL && i < round->total; i++) {
		struct cd_probe *probe = round->all[i].probe;

		if (probe != NULL && probe->state == CD_PROBE_PENDING) {
			probe->state = CD_PROBE_TIMEOUT;
			memcpy(probe->detail, "time was up", sizeof("time was up"));
		}
	}
	free(round->all);
	free(round->slots);
	free(round->polls);
	cd_clients_free(&round->clients);
}

int cd_probe_all(struct cd_probe *probes, size_t count, const struct cd_probing *how)
{
	static const struct cd_probing usual = {0};
	struct round round = {.how = how == NULL ? &usual : how};
	int result;

	if (count == 0)
		return 0;
	result = cd_clients_make(&round.clients);
	if (result == 0)
		result = set_up(&round, probes, count);
	if (result == 0)
		result = go_round(&round);
	tear_down(&round);
	return result;
}
