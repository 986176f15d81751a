/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-proof.c - which endpoints are looked at after a reload */
#include "unit.h"

#include "handle.h"
#include "proof/proof.h"

#include <stdlib.h>

#define EACH 1000

/* A service with as many endpoints that change as others, one after the other. */
struct many {
	struct cd_plan plan;
	struct cd_planned planned;
	struct cd_seen seen;
	struct cd_planned_order order;
	struct certdeploy_material material;
	const struct certdeploy_material *materials[2];
	struct certdeploy_endpoint after;
	struct cd_planned_endpoint endpoints[2 * EACH];
	struct certdeploy_request request;
};

static size_t looked_at(long scope, size_t *targets)
{
	struct many *many = calloc(1, sizeof(*many));
	struct cd_proof proof;
	size_t count;

	assert_non_null(many);
	many->materials[0] = &many->material;
	many->order.materials = many->materials;
	many->after = (struct certdeploy_endpoint){.name = "www.example.jp", .port = 443, .tls = true};
	many->seen.running = 1;
	many->planned.seen = &many->seen;
	many->planned.touched = true;
	many->plan.request = &many->request;
	many->request.flags[CERTDEPLOY_VERIFY_SCOPE] = scope;
	many->request.given[CERTDEPLOY_VERIFY_SCOPE] = scope >= 0;
	assert_int_equal(cd_vector_add(&many->plan.services, &many->planned), 0);
	many->planned.endpoints = many->endpoints;
	many->planned.endpoint_count = 2 * EACH;
	for (size_t i = 0; i < 2 * EACH; i++)
		many->endpoints[i] = (struct cd_planned_endpoint){
			.after = &many->after, .order = &many->order, .targeted = i % 2 == 1};
	assert_int_equal(cd_proof_prepare(&proof, &many->plan, false), 0);
	count = proof.items.count;
	*targets = 0;
	for (size_t i = 0; i < count; i++)
		*targets += ((struct cd_proof_item *)proof.items.items[i])->endpoint->targeted ? 1 : 0;
	cd_proof_free(&proof);
	cd_vector_free(&many->plan.services);
	free(many);
	return count;
}

static void all_that_change_by_default(void **state)
{
	size_t targets, count = looked_at(-1, &targets);

	(void)state;
	assert_int_equal(targets, EACH);
	assert_in_range(count - targets, 1, 16);
	assert_int_equal(looked_at(CERTDEPLOY_VERIFY_CHANGED, &targets), count);
}

static void everything(void **state)
{
	size_t targets;

	(void)state;
	assert_int_equal(looked_at(CERTDEPLOY_VERIFY_ALL, &targets), 2 * EACH);
	assert_int_equal(targets, EACH);
}

static void a_sample(void **state)
{
	size_t targets, count = looked_at(CERTDEPLOY_VERIFY_SAMPLE, &targets);

	(void)state;
	assert_in_range(targets, 1, 64);
	assert_in_range(count - targets, 1, 16);
}

static void no_other_scope(void **state)
{
	struct certdeploy *cd;
	struct certdeploy_request *made;

	(void)state;
	assert_int_equal(certdeploy_new(&cd, NULL), 0);
	assert_int_equal(certdeploy_request_new(&made, cd), 0);
	assert_int_equal(certdeploy_request_set(made, CERTDEPLOY_VERIFY_SCOPE, CERTDEPLOY_VERIFY_SAMPLE),
			 0);
	assert_int_equal(
		certdeploy_request_set(made, CERTDEPLOY_VERIFY_SCOPE, CERTDEPLOY_VERIFY_SAMPLE + 1),
		CERTDEPLOY_EUSAGE);
	certdeploy_request_free(made);
	certdeploy_free(cd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_change_by_default),
		cmocka_unit_test(everything),
		cmocka_unit_test(a_sample),
		cmocka_unit_test(no_other_scope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
