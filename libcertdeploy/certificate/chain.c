/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chain.c - which of the given certificates is the leaf, which key is its, and who issued whom
 *
 * A chain goes from issuer to issuer while one is given. It ends well where the next issuer is a root
 * that was given (servers do not send roots: it is left out), or one that this host trusts. A chain of
 * given intermediates whose last issuer nobody here knows is taken too: that issuer may be a root. A
 * leaf alone whose issuer is not known is not: a server with it fails for most clients.
 */
#include "certificate/material.h"

#include "base/text.h"

#include <openssl/err.h>
#include <string.h>

struct builder {
	struct cd_search search;
	struct cd_given *given;
	struct cd_chain *chain;
};

static bool is_valid_at(const X509 *x509, int64_t now)
{
	return cd_seconds(X509_get0_notBefore(x509)) <= now && now <= cd_seconds(X509_get0_notAfter(x509));
}

/* Whether somebody among the given may have issued this one: by name, which is enough to prefer it. */
static bool leads_on(const struct cd_given *given, const struct cd_given_certificate *candidate)
{
	for (size_t i = 0; i < given->certificates.count; i++) {
		const struct cd_given_certificate *other = given->certificates.items[i];

		if (other != candidate && X509_check_issued(other->x509, candidate->x509) == X509_V_OK)
			return true;
	}
	return false;
}

/*
 * How well a candidate serves: a valid one before all, for an expired cross-signed root beside the root
 * itself ends every connection; no root before a root; one whose own issuer is there; then in the given
 * order.
 */
static int rank(const struct cd_given *given, const struct cd_given_certificate *candidate)
{
	return (is_valid_at(candidate->x509, given->load->now) ? 4 : 0) + (candidate->self_signed ? 0 : 2) +
	       (leads_on(given, candidate) ? 1 : 0);
}

static struct cd_given_certificate *find_issuer(struct builder *builder, X509 *subject)
{
	struct cd_given *given = builder->given;
	struct cd_given_certificate *best = NULL;

	for (size_t i = 0; i < given->certificates.count; i++) {
		struct cd_given_certificate *candidate = given->certificates.items[i];
		bool taken = candidate->leaf || candidate->x509 == subject;

		for (size_t k = 0; !taken && k < builder->chain->members.count; k++)
			taken = builder->chain->members.items[k] == candidate;
		if (taken || (best != NULL && rank(given, candidate) <= rank(given, best)))
			continue;
		if (cd_is_issued_by(&builder->search, subject, candidate->x509))
			best = candidate;
	}
	return best;
}

/* ---- what was not given ---- */

/* Append a certificate that was not given. Takes the reference. */
static int append_found(struct builder *builder, X509 *x509, const char *origin)
{
	struct cd_given *given = builder->given;
	struct cd_given_certificate *added = cd_arena_alloc(given->arena, sizeof(*added));

	if (added == NULL || cd_vector_add(&given->certificates, added) != 0) {
		X509_free(x509);
		return cd_fail_memory(given->problems);
	}
	*added = (struct cd_given_certificate){.x509 = x509, .used = true, .added = true};
	added->place = (struct cd_place_given){.origin = origin, .kind = CERTDEPLOY_MATERIAL_CHAIN};
	added->subject = cd_name_text(given->arena, X509_get_subject_name(x509));
	if (added->subject == NULL || cd_vector_add(&builder->chain->members, added) != 0)
		return cd_fail_memory(given->problems);
	cd_problem(given->problems, CERTDEPLOY_NOTICE, "chain-completed", origin, 0,
		   _("the missing issuer %s was found here and added to the chain"), added->subject);
	return 0;
}

/* ---- one chain ---- */

/* End the chain below a given issuer that is not valid where this host trusts a valid one of that name. */
static bool end_before(struct builder *builder, X509 *last, const struct cd_given_certificate *issuer)
{
	int64_t now = builder->given->load->now;
	X509 *trusted = is_valid_at(issuer->x509, now) ? NULL : cd_trusted_issuer(&builder->search, last);

	if (trusted != NULL && is_valid_at(trusted, now)) {
		builder->chain->anchor = trusted;
		builder->chain->end = CD_END_TRUSTED;
		return true;
	}
	X509_free(trusted);
	return false;
}

static int follow_given(struct builder *builder, X509 **last)
{
	struct cd_chain *chain = builder->chain;
	struct cd_given_certificate *issuer;

	while ((issuer = find_issuer(builder, *last)) != NULL && !end_before(builder, *last, issuer)) {
		issuer->used = true;
		*last = issuer->x509;
		if (issuer->self_signed) {
			chain->end = CD_END_GIVEN;
			(void)X509_up_ref(issuer->x509);
			chain->anchor = issuer->x509;
			cd_problem(builder->given->problems, CERTDEPLOY_NOTICE, "chain-root",
				   issuer->place.origin, issuer->place.line,
				   _("the self-signed root %s is left out: clients have it, or do not "
				     "trust it"),
				   issuer->subject);
			return 0;
		}
		if (chain->members.count >= CD_CHAIN_LIMIT)
			return cd_given_fail(builder->given, "too-large",
					     _("the chain has more than %d certificates"), CD_CHAIN_LIMIT);
		if (cd_vector_add(&chain->members, issuer) != 0)
			return cd_fail_memory(builder->given->problems);
	}
	return 0;
}

/*
 * Go on where the given ones end: the trusted roots, the directory of intermediates, the store, and, when
 * that was asked for, the address in the certificate.
 */
static int follow_found(struct builder *builder, X509 *last)
{
	struct cd_chain *chain = builder->chain;
	int result = 0;

	while (result == 0 && chain->end == CD_END_UNKNOWN && chain->members.count < CD_CHAIN_LIMIT) {
		X509 *issuer = cd_trusted_issuer(&builder->search, last);
		const char *origin = NULL;

		if (issuer != NULL) {
			chain->anchor = issuer;
			chain->end = CD_END_TRUSTED;
			break;
		}
		result = cd_find_issuer(&issuer, &origin, &builder->search, last);
		if (issuer == NULL)
			break;
		if (cd_is_self_signed(builder->search.loads, issuer)) {
			chain->anchor = issuer;
			chain->end = CD_END_GIVEN;
			break;
		}
		last = issuer;
		result = append_found(builder, issuer, origin);
	}
	return result;
}

/* Members that were given in one file must stand there in the order of the chain. */
static void report_order(const struct builder *builder)
{
	const struct cd_given_certificate *before = builder->chain->leaf;

	for (size_t i = 0; i < builder->chain->members.count; i++) {
		const struct cd_given_certificate *member = builder->chain->members.items[i];

		if (!member->added && cd_same_origin(&before->place, &member->place) &&
		    member->place.position < before->place.position) {
			cd_problem(
				builder->given->problems, CERTDEPLOY_NOTICE, "chain-order",
				member->place.origin, member->place.line,
				_("the certificates were not in order, leaf first; they have been sorted"));
			return;
		}
		before = member;
	}
}

static int build_chain(struct builder *builder)
{
	struct cd_chain *chain = builder->chain;
	X509 *last = chain->leaf->x509;
	int result;

	builder->search.verified = 0;
	if (chain->leaf->self_signed) {
		chain->end = CD_END_SELF_SIGNED;
		return 0;
	}
	result = follow_given(builder, &last);
	if (result == 0)
		result = follow_found(builder, last);
	report_order(builder);
	return result;
}

/* ---- leaves and keys ---- */

/* NULL: none of those given. */
static int find_key(struct cd_given_key **out, const struct cd_given *given, X509 *x509)
{
	int result = 0;

	*out = NULL;
	for (size_t i = 0; result == 0 && *out == NULL && i < given->keys.count; i++) {
		struct cd_given_key *key = given->keys.items[i];
		bool fits;

		result = cd_key_fits(&fits, key->key, x509);
		*out = fits ? key : NULL;
	}
	return result == 0 ? 0 : cd_fail_memory(given->problems);
}

/* Whether another given certificate was issued by this one. */
static bool issues_another(const struct cd_given *given, const struct cd_given_certificate *issuer)
{
	for (size_t i = 0; i < given->certificates.count; i++) {
		const struct cd_given_certificate *other = given->certificates.items[i];

		if (other != issuer && X509_check_issued(issuer->x509, other->x509) == X509_V_OK)
			return true;
	}
	return false;
}

static size_t given_keys(const struct cd_given *given)
{
	size_t count = 0;

	for (size_t i = 0; i < given->keys.count; i++)
		count += !((const struct cd_given_key *)given->keys.items[i])->spare;
	return count;
}

static int add_leaf(struct cd_vector *chains, struct cd_given *given, struct cd_given_certificate *leaf,
		    struct cd_given_key *key)
{
	struct cd_chain *chain = cd_arena_alloc(given->arena, sizeof(*chain));

	if (chain == NULL || cd_vector_add(chains, chain) != 0)
		return cd_fail_memory(given->problems);
	leaf->leaf = leaf->used = true;
	if (key != NULL)
		key->used = true;
	*chain = (struct cd_chain){.leaf = leaf, .key = key, .keys = given_keys(given)};
	return 0;
}

/* Can a certificate of this piece be meant as the leaf? */
static bool may_be_leaf(const struct cd_given *given, const struct cd_given_certificate *certificate,
			bool only_cert)
{
	if (certificate->place.kind == CERTDEPLOY_MATERIAL_CHAIN ||
	    (only_cert && certificate->place.kind != CERTDEPLOY_MATERIAL_CERT))
		return false;
	return X509_check_ca(certificate->x509) == 0 && !issues_another(given, certificate);
}

/* Without a key that tells: what issues nothing; among CA certificates the first one given. */
static int leaves_by_shape(struct cd_vector *chains, struct cd_given *given)
{
	struct cd_given_certificate *first = NULL;
	bool only_cert = false;
	int result = 0;

	for (size_t i = 0; i < given->certificates.count; i++) {
		struct cd_given_certificate *certificate = given->certificates.items[i];
		bool cert = certificate->place.kind == CERTDEPLOY_MATERIAL_CERT;

		if (first == NULL || (cert && !only_cert))
			first = certificate;
		only_cert = only_cert || cert;
	}
	for (size_t i = 0; result == 0 && i < given->certificates.count; i++) {
		struct cd_given_certificate *certificate = given->certificates.items[i];

		if (may_be_leaf(given, certificate, only_cert))
			result = add_leaf(chains, given, certificate, NULL);
	}
	if (result == 0 && chains->count == 0 && first != NULL)
		result = add_leaf(chains, given, first, NULL);
	return result;
}

/* A leaf that was named as the certificate but has no key among those given. */
static int leaves_without_key(struct cd_vector *chains, struct cd_given *given)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < given->certificates.count; i++) {
		struct cd_given_certificate *certificate = given->certificates.items[i];
		bool has = false;

		if (certificate->leaf || !may_be_leaf(given, certificate, true))
			continue;
		/* Beside a leaf of the same file it is only unrelated. */
		for (size_t k = 0; k < chains->count; k++) {
			const struct cd_given_certificate *leaf =
				((struct cd_chain *)chains->items[k])->leaf;

			has = has || cd_same_origin(&leaf->place, &certificate->place);
		}
		if (!has)
			result = add_leaf(chains, given, certificate, NULL);
	}
	return result;
}

static int find_leaves(struct cd_vector *chains, struct cd_given *given)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < given->certificates.count; i++) {
		struct cd_given_certificate *certificate = given->certificates.items[i];
		struct cd_given_key *key;

		result = find_key(&key, given, certificate->x509);
		/* A CA's own key beside its chain makes no leaf of the CA. */
		if (key != NULL && certificate->place.kind != CERTDEPLOY_MATERIAL_CHAIN &&
		    !issues_another(given, certificate))
			result = add_leaf(chains, given, certificate, key);
	}
	if (result != 0)
		return result;
	return chains->count == 0 ? leaves_by_shape(chains, given) : leaves_without_key(chains, given);
}

static int refuse_twins(const struct cd_vector *chains, const struct cd_given *given)
{
	for (size_t i = 0; i < chains->count; i++)
		for (size_t k = 0; k < i; k++) {
			const struct cd_given_certificate *one =
				((struct cd_chain *)chains->items[i])->leaf;
			const struct cd_given_certificate *other =
				((struct cd_chain *)chains->items[k])->leaf;

			if (strcmp(cd_key_type(one->x509), cd_key_type(other->x509)) == 0)
				return cd_fail(
					given->problems, CERTDEPLOY_EREFUSED, "two-certificates",
					one->place.origin, one->place.line,
					_("there are two certificates with keys of one type: %s and %s"),
					other->subject, one->subject);
		}
	return 0;
}

/* ---- what belongs to no chain ---- */

/* Another form of a member: the same name and key, signed by somebody else. */
static bool is_alternative(const struct cd_vector *chains, const struct cd_given_certificate *certificate)
{
	for (size_t i = 0; i < chains->count; i++) {
		const struct cd_chain *chain = chains->items[i];
		X509 *subject = chain->leaf->x509;

		for (size_t k = 0; k <= chain->members.count; k++) {
			if (X509_check_issued(certificate->x509, subject) == X509_V_OK &&
			    X509_verify(subject, X509_get0_pubkey(certificate->x509)) == 1)
				return true;
			if (k < chain->members.count)
				subject = ((struct cd_given_certificate *)chain->members.items[k])->x509;
		}
	}
	return false;
}

/* Mark what issued an alternative: the rest of the other way to a root. True: there was one. */
static bool mark_related(struct cd_given *given)
{
	bool any = false;

	for (size_t i = 0; i < given->certificates.count; i++) {
		struct cd_given_certificate *issuer = given->certificates.items[i];

		for (size_t k = 0; !issuer->used && !issuer->alternative && k < given->certificates.count;
		     k++) {
			const struct cd_given_certificate *other = given->certificates.items[k];

			issuer->alternative = other != issuer && other->alternative &&
					      X509_check_issued(issuer->x509, other->x509) == X509_V_OK;
			any = any || issuer->alternative;
		}
	}
	return any;
}

static void mark_alternatives(const struct cd_vector *chains, struct cd_given *given)
{
	for (size_t i = 0; i < given->certificates.count; i++) {
		struct cd_given_certificate *certificate = given->certificates.items[i];

		certificate->alternative = !certificate->used && is_alternative(chains, certificate);
	}
	while (mark_related(given))
		;
}

static int report_unused(const struct cd_vector *chains, struct cd_given *given)
{
	int result = 0, one;

	mark_alternatives(chains, given);
	for (size_t i = 0; i < given->certificates.count; i++) {
		const struct cd_given_certificate *certificate = given->certificates.items[i];

		if (certificate->used)
			continue;
		if (certificate->alternative) {
			cd_problem(given->problems, CERTDEPLOY_NOTICE,
				   certificate->self_signed ? "chain-root" : "chain-alternative",
				   certificate->place.origin, certificate->place.line,
				   _("%s belongs to another way to a root and is left out"),
				   certificate->subject);
			continue;
		}
		one = cd_judge(given->problems, given->load, "chain-unrelated", &certificate->place,
			       _("%s issued nothing in the chain"), certificate->subject);
		result = result == 0 ? one : result;
	}
	return result;
}

/* The subject of the certificate that a key belongs to; NULL: none of those given. */
static int find_owner(const char **out, const struct cd_given *given, const struct cd_given_key *key)
{
	int result = 0;

	*out = NULL;
	for (size_t i = 0; result == 0 && *out == NULL && i < given->certificates.count; i++) {
		const struct cd_given_certificate *certificate = given->certificates.items[i];
		bool fits;

		result = cd_key_fits(&fits, key->key, certificate->x509);
		*out = fits ? certificate->subject : NULL;
	}
	return result == 0 ? 0 : cd_fail_memory(given->problems);
}

/* Say of each key that is left over what it belongs to. */
static int report_keys(struct cd_given *given)
{
	for (size_t i = 0; i < given->keys.count; i++) {
		const struct cd_given_key *key = given->keys.items[i];
		const char *owner;
		int result;

		if (key->used || key->spare)
			continue;
		result = find_owner(&owner, given, key);
		if (result != 0)
			return result;
		if (owner != NULL)
			cd_problem(given->problems, CERTDEPLOY_WARNING, "key-unused", key->place.origin,
				   key->place.line, _("the key is the one of %s and is left out"), owner);
		else
			cd_problem(given->problems, CERTDEPLOY_WARNING, "key-unused", key->place.origin,
				   key->place.line, _("the key belongs to no certificate that was given"));
	}
	return 0;
}

int cd_chains_build(struct cd_vector *chains, struct cd_given *given)
{
	struct cd_loads own = {0}; /* when none are shared */
	struct builder builder = {.given = given};
	int result = find_leaves(chains, given);

	if (result == 0)
		result = refuse_twins(chains, given);
	builder.search.given = given;
	builder.search.loads = given->load->loads == NULL ? &own : given->load->loads;
	for (size_t i = 0; result == 0 && i < chains->count; i++) {
		builder.chain = chains->items[i];
		result = build_chain(&builder);
	}
	if (result == 0)
		result = report_unused(chains, given);
	if (result != CERTDEPLOY_ENOMEM && report_keys(given) != 0)
		result = CERTDEPLOY_ENOMEM;
	cd_loads_free(&own);
	cd_errors_clear(given->problems);
	return result;
}

void cd_chains_free(struct cd_vector *chains)
{
	for (size_t i = 0; i < chains->count; i++) {
		struct cd_chain *chain = chains->items[i];

		cd_vector_free(&chain->members);
		X509_free(chain->anchor);
	}
	cd_vector_free(chains);
}
