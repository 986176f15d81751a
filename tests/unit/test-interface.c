/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-interface.c - what certdeploy.h promises of its own manners: sizes, codes, misuse, NULL */
#include "unit.h"

#include <certdeploy.h>
#include <string.h>

#define NOWHERE "/nonexistent/certdeploy.conf"

static void test_options_by_function(void **state)
{
	struct certdeploy_options options, fresh = CERTDEPLOY_OPTIONS_INIT;

	(void)state;
	memset(&options, 0x55, sizeof(options));
	assert_int_equal(certdeploy_options_init(&options, sizeof(options)), 0);
	assert_memory_equal(&options, &fresh, sizeof(options));
	/* A binding of an older header: what lies behind its structure is not ours. */
	memset(&options, 0x55, sizeof(options));
	assert_int_equal(certdeploy_options_init(&options, offsetof(struct certdeploy_options, progress)),
			 0);
	assert_int_equal(options.size, offsetof(struct certdeploy_options, progress));
	assert_null(options.language);
	assert_int_equal(((const unsigned char *)&options)[sizeof(options) - 1], 0x55);
	assert_int_equal(certdeploy_options_init(&options, sizeof(options) + 1), CERTDEPLOY_EUSAGE);
	assert_int_equal(certdeploy_options_init(&options, 1), CERTDEPLOY_EUSAGE);
}

/* A structure of a later release: well as long as nothing unknown is asked for. */
static void test_options_of_another_release(void **state)
{
	struct {
		struct certdeploy_options known;
		void *unknown;
	} options = {CERTDEPLOY_OPTIONS_INIT, NULL};
	struct certdeploy *cd = NULL;
	int code;

	(void)state;
	options.known.size = sizeof(options);
	code = certdeploy_new(&cd, &options.known);
	assert_int_not_equal(code, CERTDEPLOY_EUSAGE);
	certdeploy_free(cd);
	options.unknown = &options;
	assert_int_equal(certdeploy_new(&cd, &options.known), CERTDEPLOY_EUSAGE);
	assert_non_null(cd);
	assert_string_equal(certdeploy_error(cd)->code, "usage");
	certdeploy_free(cd);
	/* The shortest: its own size, and nothing else is read. */
	options.known.size = sizeof(options.known.size);
	options.known.root = (const char *)8;
	code = certdeploy_new(&cd, &options.known);
	assert_int_not_equal(code, CERTDEPLOY_EUSAGE);
	certdeploy_free(cd);
}

static void test_codes(void **state)
{
	static const int codes[] = {0, -1, -2, -3, -4, -5, -6, -7, -8, -9, -64, -65, -130};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		assert_string_not_equal(certdeploy_code_name(codes[i]), "unknown");
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(certdeploy_code_name(codes[i]),
						certdeploy_code_name(codes[j]));
	}
	assert_string_equal(certdeploy_code_name(1), "unknown");
}

static void test_misuse(void **state)
{
	struct certdeploy_options options = CERTDEPLOY_OPTIONS_INIT;
	struct certdeploy_request *request = NULL;
	struct certdeploy *cd = NULL;

	(void)state;
	options.config_file = NOWHERE;
	(void)certdeploy_new(&cd, &options);
	assert_non_null(cd);
	assert_int_equal(certdeploy_request_new(&request, cd), 0);
	assert_int_equal(certdeploy_request_add(request, (enum certdeploy_list_option)9999, "x"),
			 CERTDEPLOY_EUSAGE);
	assert_string_equal(certdeploy_error(cd)->code, "usage");
	assert_int_equal(certdeploy_request_add(request, CERTDEPLOY_NAME, NULL), CERTDEPLOY_EUSAGE);
	assert_int_equal(certdeploy_request_set(request, (enum certdeploy_flag)0, 1), CERTDEPLOY_EUSAGE);
	assert_int_equal(certdeploy_request_set(request, CERTDEPLOY_WAIT, -1), CERTDEPLOY_EUSAGE);
	assert_int_equal(certdeploy_request_add_file(request, CERTDEPLOY_MATERIAL_ANY, "/nonexistent/x"),
			 CERTDEPLOY_EFAILED);
	assert_string_equal(certdeploy_error(cd)->code, "not-found");
	assert_int_equal(certdeploy_request_add_file(request, CERTDEPLOY_MATERIAL_ANY, "/dev/null"),
			 CERTDEPLOY_EREFUSED);
	assert_int_equal(certdeploy_request_add_file(request, CERTDEPLOY_MATERIAL_ANY, NULL),
			 CERTDEPLOY_EUSAGE);
	assert_int_equal(certdeploy_request_add_memory(request, CERTDEPLOY_MATERIAL_ANY, NULL, 5, NULL),
			 CERTDEPLOY_EUSAGE);
	assert_int_equal(
		certdeploy_request_add_memory(request, (enum certdeploy_material_kind)99, "x", 1, NULL),
		CERTDEPLOY_EUSAGE);
	assert_int_equal(certdeploy_request_add_memory(request, CERTDEPLOY_MATERIAL_ANY, NULL, 0, NULL), 0);
	/* Only what was refused is left out. */
	assert_int_equal(certdeploy_request_next(request), 0);
	assert_int_equal(certdeploy_request_leave_out(request), CERTDEPLOY_EUSAGE);
	assert_int_equal(certdeploy_request_add_file(request, CERTDEPLOY_MATERIAL_ANY, NOWHERE "/x"),
			 CERTDEPLOY_EFAILED);
	assert_int_equal(certdeploy_request_leave_out(request), 0);
	for (size_t i = 2; i < 100000; i++)
		assert_int_equal(certdeploy_request_next(request), 0);
	assert_int_equal(certdeploy_request_next(request), CERTDEPLOY_EUSAGE);
	assert_non_null(strstr(certdeploy_error(cd)->message, "certdeploy_request_next 100000"));
	certdeploy_request_free(request);
	certdeploy_free(cd);
	certdeploy_request_free(NULL);
	certdeploy_result_free(NULL);
	certdeploy_free(NULL);
}

/* A structure that was zeroed and not begun: its root would not be seen. */
static void test_options_that_were_not_begun(void **state)
{
	static const size_t sizes[] = {0, 1, 4, 12, 17};
	struct certdeploy_options options;
	struct certdeploy *cd = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(&options, 0, sizeof(options));
		options.root = NOWHERE;
		options.size = sizes[i];
		assert_int_equal(certdeploy_new(&cd, &options), CERTDEPLOY_EUSAGE);
		assert_string_equal(certdeploy_error(cd)->code, "usage");
		certdeploy_free(cd);
	}
	assert_int_equal(certdeploy_options_init(NULL, sizeof(options)), CERTDEPLOY_EUSAGE);
	assert_int_equal(certdeploy_options_init(&options, 12), CERTDEPLOY_EUSAGE);
}

/* Nothing is done whose result has no place. */
static void test_nowhere_to_put_it(void **state)
{
	struct certdeploy_options options = CERTDEPLOY_OPTIONS_INIT;
	struct certdeploy *cd = NULL;

	(void)state;
	assert_int_equal(certdeploy_new(NULL, NULL), CERTDEPLOY_EUSAGE);
	assert_int_equal(certdeploy_request_new(NULL, NULL), CERTDEPLOY_EUSAGE);
	options.config_file = NOWHERE;
	(void)certdeploy_new(&cd, &options);
	assert_non_null(cd);
	assert_int_equal(certdeploy_request_new(NULL, cd), CERTDEPLOY_EUSAGE);
	assert_int_equal(certdeploy_deploy(NULL, cd, NULL), CERTDEPLOY_EUSAGE);
	assert_int_equal(certdeploy_plan(NULL, cd, NULL), CERTDEPLOY_EUSAGE);
	assert_int_equal(certdeploy_csr(NULL, cd, NULL), CERTDEPLOY_EUSAGE);
	assert_int_equal(certdeploy_list(NULL, cd, NULL), CERTDEPLOY_EUSAGE);
	assert_int_equal(certdeploy_store_list(NULL, cd, NULL), CERTDEPLOY_EUSAGE);
	assert_int_equal(certdeploy_recover(NULL, cd, NULL), CERTDEPLOY_EUSAGE);
	assert_int_equal(certdeploy_adapters(NULL, cd, NULL), CERTDEPLOY_EUSAGE);
	certdeploy_free(cd);
}

/* A program that looks at nothing but the last code gets there. */
static void test_what_could_not_be_made(void **state)
{
	struct certdeploy_request *request = (struct certdeploy_request *)1;
	struct certdeploy_result *result = (struct certdeploy_result *)1;

	(void)state;
	assert_string_equal(certdeploy_error(NULL)->code, "out-of-memory");
	assert_int_equal(certdeploy_request_new(&request, NULL), CERTDEPLOY_ENOMEM);
	assert_null(request);
	assert_int_equal(certdeploy_request_next(NULL), CERTDEPLOY_ENOMEM);
	assert_int_equal(certdeploy_request_leave_out(NULL), CERTDEPLOY_ENOMEM);
	assert_int_equal(certdeploy_request_add(NULL, CERTDEPLOY_NAME, "x"), CERTDEPLOY_ENOMEM);
	assert_int_equal(certdeploy_request_set(NULL, CERTDEPLOY_ALL, 1), CERTDEPLOY_ENOMEM);
	assert_int_equal(certdeploy_request_add_file(NULL, CERTDEPLOY_MATERIAL_ANY, "x"),
			 CERTDEPLOY_ENOMEM);
	assert_int_equal(certdeploy_request_add_memory(NULL, CERTDEPLOY_MATERIAL_ANY, "x", 1, NULL),
			 CERTDEPLOY_ENOMEM);
	assert_int_equal(certdeploy_deploy(&result, NULL, NULL), CERTDEPLOY_ENOMEM);
	assert_null(result);
	assert_int_equal(certdeploy_csr(&result, NULL, NULL), CERTDEPLOY_ENOMEM);
	assert_int_equal(certdeploy_list(&result, NULL, NULL), CERTDEPLOY_ENOMEM);
	assert_int_equal(certdeploy_store_list(&result, NULL, NULL), CERTDEPLOY_ENOMEM);
	assert_int_equal(certdeploy_recover(&result, NULL, NULL), CERTDEPLOY_ENOMEM);
	assert_int_equal(certdeploy_result_code(NULL), CERTDEPLOY_ENOMEM);
	assert_false(certdeploy_result_changed(NULL));
	assert_null(certdeploy_result_transaction(NULL));
	assert_string_equal(certdeploy_result_diff(NULL), "");
	assert_null(certdeploy_result_problem(NULL, 0));
	assert_null(certdeploy_result_certificate(NULL, 0));
	assert_null(certdeploy_result_service(NULL, 0));
	assert_null(certdeploy_result_file(NULL, 0));
	assert_null(certdeploy_result_history(NULL, 0));
	assert_null(certdeploy_result_adapter(NULL, 0));
	assert_null(certdeploy_result_output(NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_by_function),
		cmocka_unit_test(test_options_of_another_release),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_options_that_were_not_begun),
		cmocka_unit_test(test_nowhere_to_put_it),
		cmocka_unit_test(test_what_could_not_be_made),
		cmocka_unit_test(test_misuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
