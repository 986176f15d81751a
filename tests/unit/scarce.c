/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scarce.c - one of OpenSSL's own allocations fails */
#include "scarce.h"

#include <openssl/crypto.h>
#include <stdlib.h>

static unsigned long left; /* allocations until one fails; 0: none will */

static void *get(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return size == 0 || (left != 0 && --left == 0) ? NULL : malloc(size);
}

static void *get_more(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	if (size == 0) {
		free(old);
		return NULL;
	}
	return left != 0 && --left == 0 ? NULL : realloc(old, size);
}

static void give_back(void *old, const char *file, int line)
{
	(void)file;
	(void)line;
	free(old);
}

bool scarce_begin(void)
{
	return CRYPTO_set_mem_functions(get, get_more, give_back) == 1;
}

void scarce(unsigned long k)
{
	left = k;
}

bool scarce_met(void)
{
	bool met = left == 0;

	left = 0;
	return met;
}
