/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* result.c - what an operation found and did, walked by position */
#include "handle.h"

#include <stdlib.h>

int cd_result_begin(struct certdeploy_result **result, struct certdeploy_result **out,
		    struct certdeploy *cd)
{
	*result = NULL;
	if (out == NULL)
		return CERTDEPLOY_EUSAGE;
	*out = NULL;
	*result = cd == NULL ? NULL : calloc(1, sizeof(**result));
	if (*result == NULL)
		return CERTDEPLOY_ENOMEM;
	(*result)->cd = cd;
	(*result)->problems.catalogue = cd->catalogue;
	cd_language_enter(&(*result)->language, cd->language);
	return 0;
}

void certdeploy_result_free(struct certdeploy_result *result)
{
	if (result == NULL)
		return;
	cd_vector_free(&result->certificates);
	cd_vector_free(&result->services);
	cd_vector_free(&result->files);
	cd_vector_free(&result->history);
	cd_vector_free(&result->adapters);
	cd_vector_free(&result->outputs);
	cd_problems_free(&result->problems);
	free(result);
}

/* The handle keeps a copy: the result may be freed before the error is asked for. */
static void remember(struct certdeploy *cd, const struct certdeploy_result *result, int code)
{
	const struct certdeploy_problem *error = cd_problems_error(&result->problems, 0);

	cd_problems_free(&cd->problems);
	cd->problems = (struct cd_problems){.catalogue = cd->catalogue};
	cd->error = NULL;
	cd->problems.out_of_memory = code == CERTDEPLOY_ENOMEM;
	if (code != 0 && error != NULL)
		cd->error = cd_problem_copy(&cd->problems.arena, error);
}

int cd_result_end(struct certdeploy_result **out, struct certdeploy_result *result, int code)
{
	if (result->problems.out_of_memory && code == 0)
		code = CERTDEPLOY_ENOMEM;
	result->code = code;
	remember(result->cd, result, code);
	cd_language_leave(&result->language);
	*out = result;
	return code;
}

/* There is no result where memory was short, and then it says so. */
int certdeploy_result_code(const struct certdeploy_result *result)
{
	return result == NULL ? CERTDEPLOY_ENOMEM : result->code;
}

bool certdeploy_result_changed(const struct certdeploy_result *result)
{
	return result != NULL && result->changed;
}

const char *certdeploy_result_transaction(const struct certdeploy_result *result)
{
	return result == NULL ? NULL : result->transaction;
}

const char *certdeploy_result_diff(const struct certdeploy_result *result)
{
	return result == NULL || result->diff == NULL ? "" : result->diff;
}

static const void *at(const struct cd_vector *vector, size_t position)
{
	return position < vector->count ? vector->items[position] : NULL;
}

const struct certdeploy_problem *certdeploy_result_problem(const struct certdeploy_result *result,
							   size_t position)
{
	return result == NULL ? NULL : at(&result->problems.list, position);
}

const struct certdeploy_certificate_report *
certdeploy_result_certificate(const struct certdeploy_result *result, size_t position)
{
	return result == NULL ? NULL : at(&result->certificates, position);
}

const struct certdeploy_service_report *certdeploy_result_service(const struct certdeploy_result *result,
								  size_t position)
{
	return result == NULL ? NULL : at(&result->services, position);
}

const struct certdeploy_file_report *certdeploy_result_file(const struct certdeploy_result *result,
							    size_t position)
{
	return result == NULL ? NULL : at(&result->files, position);
}

const struct certdeploy_transaction_report *
certdeploy_result_history(const struct certdeploy_result *result, size_t position)
{
	return result == NULL ? NULL : at(&result->history, position);
}

const struct certdeploy_adapter_report *certdeploy_result_adapter(const struct certdeploy_result *result,
								  size_t position)
{
	return result == NULL ? NULL : at(&result->adapters, position);
}

const struct certdeploy_output *certdeploy_result_output(const struct certdeploy_result *result,
							 size_t position)
{
	return result == NULL ? NULL : at(&result->outputs, position);
}
