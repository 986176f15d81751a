/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * roots.c - the issuers that this host trusts, from OpenSSL's own places
 *
 * The directory is asked for one name. The bundle has to be read as a whole, which takes longer than
 * all other work on a certificate: only where the directory did not help, and once for many loads.
 */
#include "certificate/material.h"

static X509_STORE *new_store(X509_LOOKUP_METHOD *method, bool bundle)
{
	X509_STORE *store = X509_STORE_new();
	X509_LOOKUP *lookup = store == NULL ? NULL : X509_STORE_add_lookup(store, method);

	/* A place that is not there is as good as an empty one. */
	if (lookup != NULL && bundle)
		(void)X509_LOOKUP_load_file(lookup, NULL, X509_FILETYPE_DEFAULT);
	else if (lookup != NULL)
		(void)X509_LOOKUP_add_dir(lookup, NULL, X509_FILETYPE_DEFAULT);
	return store;
}

static X509 *issuer_in(X509_STORE *store, X509 *subject)
{
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509 *issuer = NULL;

	if (context == NULL || store == NULL || X509_STORE_CTX_init(context, store, subject, NULL) != 1 ||
	    X509_STORE_CTX_get1_issuer(&issuer, context, subject) != 1)
		issuer = NULL;
	X509_STORE_CTX_free(context);
	return issuer;
}

X509 *cd_roots_issuer(struct cd_roots *roots, X509 *subject)
{
	X509 *issuer;

	if (roots->directory == NULL)
		roots->directory = new_store(X509_LOOKUP_hash_dir(), false);
	issuer = issuer_in(roots->directory, subject);
	if (issuer != NULL)
		return issuer;
	if (roots->bundle == NULL)
		roots->bundle = new_store(X509_LOOKUP_file(), true);
	return issuer_in(roots->bundle, subject);
}

void cd_roots_free(struct cd_roots *roots)
{
	X509_STORE_free(roots->directory);
	X509_STORE_free(roots->bundle);
	*roots = (struct cd_roots){0};
}
