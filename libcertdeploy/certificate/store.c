/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* store.c - what must be written so that the store, and the chosen paths, hold the certificates */
#include "certificate/store.h"

#include "base/text.h"
#include "certificate/leaf.h"
#include "certificate/permissions.h"
#include "certificate/stored.h"
#include "change/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALL_PARTS ((1U << CD_STORED_PARTS) - 1)
#define LEAST_KEPT 2U /* the current generation and the one before */

/* One key type as the new generation will have it. */
struct pair {
	const struct cd_certificate *certificate; /* NULL: carried over */
	const struct cd_stored_pair *old;         /* of the same type, or NULL */
	const char *suffix;
	const char *key_type;
	const char *sha256;
	const char *const *names;
	const char *bytes[CD_STORED_PARTS];
	size_t lengths[CD_STORED_PARTS];
};

struct plan {
	struct cd_changes *changes;
	struct cd_overlay *overlay;
	struct cd_host *host;
	const struct cd_store_request *request;
	struct cd_stored stored;
	struct cd_permissions permissions;
	struct pair pairs[CD_STORED_LIMIT * 2];
	size_t count;
	const char *base;       /* STORE/NAME */
	const char *generation; /* the one that will be current */
};

static int short_of_memory(const struct plan *plan)
{
	return cd_fail_memory(plan->host->problems);
}

/* ---- which pairs, under which file names ---- */

static const struct cd_stored_pair *old_pair(const struct plan *plan, const char *key_type)
{
	for (size_t i = 0; i < plan->stored.count; i++)
		if (plan->stored.pairs[i].key_type != NULL &&
		    strcmp(plan->stored.pairs[i].key_type, key_type) == 0)
			return &plan->stored.pairs[i];
	return NULL;
}

static bool suffix_is_taken(const struct plan *plan, const char *suffix)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->pairs[i].suffix != NULL && strcmp(plan->pairs[i].suffix, suffix) == 0)
			return true;
	return false;
}

/* Key, leaf and chain in one; and the others that are made of parts. */
static int join_parts(struct plan *plan, struct pair *pair)
{
	static const struct {
		enum cd_stored_part part;
		enum cd_stored_part from[3];
		size_t count;
	} joined[] = {
		{CD_STORED_FULLCHAIN, {CD_STORED_CERT, CD_STORED_CHAIN}, 2},
		{CD_STORED_COMBINED, {CD_STORED_KEY, CD_STORED_CERT, CD_STORED_CHAIN}, 3},
	};

	for (size_t i = 0; i < sizeof(joined) / sizeof(*joined); i++) {
		size_t length = 0;
		char *text;

		for (size_t k = 0; k < joined[i].count; k++)
			length += pair->lengths[joined[i].from[k]];
		text = cd_arena_alloc(&plan->changes->arena, length + 1);
		if (text == NULL)
			return short_of_memory(plan);
		pair->bytes[joined[i].part] = text;
		pair->lengths[joined[i].part] = length;
		for (size_t k = 0; k < joined[i].count; k++) {
			size_t size = pair->lengths[joined[i].from[k]];

			if (size != 0)
				memcpy(text, pair->bytes[joined[i].from[k]], size);
			text += size;
		}
	}
	return 0;
}

static int add_new_pair(struct plan *plan, const struct cd_certificate *certificate)
{
	struct pair *pair = &plan->pairs[plan->count];

	*pair = (struct pair){
		.certificate = certificate,
		.old = old_pair(plan, certificate->key_type),
		.key_type = certificate->key_type,
		.sha256 = certificate->sha256,
		.names = certificate->names,
	};
	pair->suffix = pair->old == NULL ? NULL : pair->old->suffix;
	pair->bytes[CD_STORED_CERT] = certificate->leaf_pem;
	pair->lengths[CD_STORED_CERT] = strlen(certificate->leaf_pem);
	pair->bytes[CD_STORED_CHAIN] = certificate->chain_pem;
	pair->lengths[CD_STORED_CHAIN] = strlen(certificate->chain_pem);
	pair->bytes[CD_STORED_KEY] = certificate->key_pem;
	pair->lengths[CD_STORED_KEY] = certificate->key_pem_length;
	plan->count++;
	return join_parts(plan, pair);
}

static bool is_given(const struct plan *plan, const char *key_type)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->pairs[i].certificate != NULL && strcmp(plan->pairs[i].key_type, key_type) == 0)
			return true;
	return false;
}

/* Good for the same names: valid now, and covering all that the new ones cover. */
static bool is_still_good(const struct plan *plan, const struct cd_stored_pair *old,
			  const char *const *names)
{
	const int64_t now = plan->request->now;

	if (now < old->summary.not_before || now > old->summary.not_after)
		return false;
	for (size_t i = 0; i < plan->count; i++) {
		const char *const *name = plan->pairs[i].names;

		for (; plan->pairs[i].certificate != NULL && *name != NULL; name++)
			if (!cd_names_cover(names, *name))
				return false;
	}
	return true;
}

/* Keep the pair of a type that was not given. */
static int carry_over(struct plan *plan, const struct cd_stored_pair *old)
{
	struct pair *pair = &plan->pairs[plan->count];
	struct cd_problems *problems = plan->host->problems;
	const char *const *names;

	if (old->summary.der == NULL || is_given(plan, old->key_type) || plan->request->drop_other_types)
		return 0;
	if (cd_summary_names(&names, &plan->changes->arena, &old->summary) != 0)
		return short_of_memory(plan);
	if (!is_still_good(plan, old, names))
		return cd_fail(
			problems, CERTDEPLOY_EREFUSED, "other-key-type", plan->base, 0,
			_("%s also has an %s certificate, which is not good for the same names any more"),
			plan->request->name, old->key_type);
	*pair = (struct pair){.old = old, .suffix = old->suffix, .key_type = old->key_type, .names = names};
	pair->sha256 = cd_arena_string(&plan->changes->arena, old->sha256);
	if (pair->sha256 == NULL)
		return short_of_memory(plan);
	for (size_t i = 0; i < CD_STORED_PARTS; i++) {
		const struct cd_stored_file *file = &old->files[i];

		pair->lengths[i] = file->length;
		if (file->bytes != NULL)
			pair->bytes[i] = cd_arena_copy(&plan->changes->arena, file->bytes, file->length);
		if (file->bytes != NULL && pair->bytes[i] == NULL)
			return short_of_memory(plan);
	}
	cd_problem(problems, CERTDEPLOY_NOTICE, "other-key-type", plan->base, 0,
		   _("the %s certificate of %s stays beside the new one"), old->key_type,
		   plan->request->name);
	plan->count++;
	return 0;
}

/* The plain file names belong to whoever has them, else to RSA, else to the first. */
static int name_pairs(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct pair *pair = &plan->pairs[i];

		if (pair->suffix != NULL)
			continue;
		pair->suffix = suffix_is_taken(plan, "")
				       ? cd_arena_format(&plan->changes->arena, "-%s", pair->key_type)
				       : "";
		if (pair->suffix == NULL)
			return short_of_memory(plan);
	}
	return 0;
}

static int gather_pairs(struct plan *plan)
{
	const struct cd_vector *list = &plan->request->certificates->list;
	int result = 0;

	if (list->count > CD_STORED_LIMIT)
		return cd_fail(plan->host->problems, CERTDEPLOY_EREFUSED, "too-large", NULL, 0,
			       _("there are more than %d certificates"), CD_STORED_LIMIT);
	for (size_t i = 0; result == 0 && i < list->count; i++)
		result = add_new_pair(plan, list->items[i]);
	for (size_t i = 0; result == 0 && i < plan->stored.count; i++)
		result = carry_over(plan, &plan->stored.pairs[i]);
	return result == 0 ? name_pairs(plan) : result;
}

/* ---- has the current generation all of it? ---- */

static bool is_secret(enum cd_stored_part part)
{
	return part == CD_STORED_KEY || part == CD_STORED_COMBINED;
}

static bool pair_is_stored(const struct plan *plan, const struct pair *pair)
{
	if (pair->old == NULL)
		return false;
	for (unsigned i = 0; i < CD_STORED_PARTS; i++) {
		const struct cd_stored_file *file = &pair->old->files[i];

		if (file->bytes != NULL && !cd_permissions_hold(&plan->permissions, i, file))
			return false;
		if (pair->certificate == NULL)
			continue;

		/* Who may not read the key trusts the certificate beside it. */
		if (file->bytes == NULL && is_secret(i) && cd_is_denied(file->error))
			continue;
		if (file->bytes == NULL || file->length != pair->lengths[i] ||
		    (file->length != 0 && memcmp(file->bytes, pair->bytes[i], file->length) != 0))
			return false;
		if (is_secret(i) && (file->mode & 0137) != 0)
			return false;
	}
	return true;
}

static bool is_stored(const struct plan *plan)
{
	if (plan->stored.generation == NULL || plan->count != plan->stored.count)
		return false;
	for (size_t i = 0; i < plan->count; i++)
		if (!pair_is_stored(plan, &plan->pairs[i]))
			return false;
	return true;
}

static void report_reuse(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct pair *pair = &plan->pairs[i];

		if (pair->certificate != NULL && pair->old != NULL &&
		    strcmp(pair->certificate->sha256, pair->old->sha256) != 0 &&
		    strcmp(pair->certificate->report->public_key_sha256, pair->old->public_key_sha256) == 0)
			cd_problem(plan->host->problems, CERTDEPLOY_NOTICE, "key-reused", plan->base, 0,
				   _("the new certificate of %s has the same key as the installed one"),
				   plan->request->name);
	}
}

/* ---- the changes ---- */

static int add_change(struct plan *plan, const struct cd_change *change)
{
	return cd_changes_add(plan->changes, plan->host->problems, change);
}

/* What stands at path itself, not where it leads. */
static struct cd_identity identity_of(const struct plan *plan, const char *path)
{
	struct cd_identity identity = {0};
	struct stat status;
	int fd = cd_open(&plan->host->root, path, O_PATH | O_NOFOLLOW);

	if (fd != -1 && fstat(fd, &status) == 0)
		cd_identity_of(&identity, &status);
	if (fd != -1)
		(void)close(fd);
	return identity;
}

int cd_store_directories(struct cd_changes *changes, struct cd_host *host, const char *path)
{
	const struct cd_change change = {.kind = CD_CHANGE_DIRECTORY,
					 .path = path,
					 .mode = 0755,
					 .owner = (uid_t)-1,
					 .group = (gid_t)-1};
	const char *slash = strrchr(path, '/'), *above;
	int result = 0;

	if (cd_host_file_type(host, path) != CERTDEPLOY_FILE_ABSENT)
		return 0;
	/* Where one is there, those above it are. */
	if (slash != path) {
		above = cd_arena_copy(&changes->arena, path, (size_t)(slash - path));
		result = above == NULL ? cd_fail_memory(host->problems)
				       : cd_store_directories(changes, host, above);
	}
	return result == 0 ? cd_changes_add(changes, host->problems, &change) : result;
}

/*
 * Lay a new file over the host, for those who read the plan again. They need certificates; a key's
 * bytes they never need, so a key's file is shown without them.
 */
static int lay_over(struct plan *plan, const struct pair *pair, enum cd_stored_part part, const char *path)
{
	const char *bytes = pair->bytes[part];
	size_t length = pair->lengths[part];

	if (is_secret(part)) {
		bytes = part == CD_STORED_COMBINED ? pair->bytes[CD_STORED_FULLCHAIN] : "";
		length = part == CD_STORED_COMBINED ? pair->lengths[CD_STORED_FULLCHAIN] : 0;
	}
	return cd_overlay_file(plan->overlay, plan->host->problems, path, bytes, length);
}

static char *path_of(const struct plan *plan, const char *generation, const struct pair *pair,
		     enum cd_stored_part part)
{
	return cd_arena_format(&plan->changes->arena, "%s/%s/%s%s.pem", plan->base, generation,
			       cd_stored_name(part), pair->suffix);
}

/*
 * Whom the administrator has let read a file besides its owner and group may read the next one: without its
 * access control list its mode, which then is that of the list, would let in the whole group instead.
 */
static int carry_acl(const struct plan *plan, struct cd_change *change, const char *before)
{
	struct cd_problems *problems = plan->host->problems;
	int fd = cd_open(&plan->host->root, before, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	int error = fd == -1 ? errno : cd_attributes_acl(&change->acl, &plan->changes->arena, fd);

	if (fd != -1)
		(void)close(fd);
	return error == 0 ? 0
			  : cd_fail_errno(problems, error, before, _("cannot read who may read the file"));
}

static int add_pair_files(struct plan *plan, const struct pair *pair)
{
	int result = 0;

	for (unsigned i = 0; result == 0 && i < CD_STORED_PARTS; i++) {
		struct cd_change change = {
			.kind = CD_CHANGE_FILE,
			.path = path_of(plan, plan->generation, pair, i),
			.bytes = pair->bytes[i],
			.length = pair->lengths[i],
			.compare = true,
		};
		const char *current = path_of(plan, "current", pair, i);
		const struct cd_stored_file *old = pair->old == NULL ? NULL : &pair->old->files[i];

		if (change.path == NULL || current == NULL)
			return short_of_memory(plan);
		if (old != NULL && change.bytes == NULL)
			return cd_fail_errno(plan->host->problems, old->error, current,
					     _("cannot read what is to be carried over"));
		cd_permissions_apply(&change, &plan->permissions, i, old);
		if (old != NULL && old->bytes != NULL && !cd_permissions_say_mode(&plan->permissions, i))
			result = carry_acl(plan, &change, current);
		if (result == 0)
			result = add_change(plan, &change);
		if (result == 0)
			result = lay_over(plan, pair, i, change.path);
		if (result == 0)
			result = lay_over(plan, pair, i, current);
	}
	return result;
}

/* UTC time and the first digits of the leaf, and a number where that is taken. */
static int name_generation(struct plan *plan)
{
	char time[17];

	cd_utc_compact(time, plan->request->now);
	for (unsigned i = 0; i < 1000; i++) {
		char *name = cd_arena_format(&plan->changes->arena, i == 0 ? "%s-%.8s" : "%s-%.8s.%u", time,
					     plan->pairs[0].sha256, i);
		char *path = name == NULL
				     ? NULL
				     : cd_arena_format(&plan->changes->arena, "%s/%s", plan->base, name);

		if (path == NULL)
			return short_of_memory(plan);
		plan->generation = name;
		if (cd_host_file_type(plan->host, path) == CERTDEPLOY_FILE_ABSENT)
			return 0;
	}
	return cd_fail(plan->host->problems, CERTDEPLOY_EFAILED, "io-error", plan->base, 0,
		       _("there is no free name for a new generation"));
}

bool cd_store_is_generation(const char *name)
{
	static const char form[] = "00000000T000000Z-";

	for (size_t i = 0; form[i] != '\0'; i++)
		if (form[i] == '0' ? name[i] < '0' || name[i] > '9' : name[i] != form[i])
			return false;
	return true;
}

/* Names sort by time: all but the newest go, and the current one stays in any case. */
static int add_removals(struct plan *plan)
{
	unsigned keep = plan->request->keep < LEAST_KEPT ? LEAST_KEPT : plan->request->keep;
	const char *const *names = NULL;
	size_t count = 0, kept = 1;
	int result = cd_host_directory(&names, plan->host, plan->base);

	if (result == CERTDEPLOY_ENOTFOUND)
		return 0;
	while (result == 0 && names[count] != NULL)
		count++;
	while (result == 0 && count-- > 0) {
		struct cd_change change = {.kind = CD_CHANGE_REMOVE};

		if (!cd_store_is_generation(names[count]) || kept++ < keep ||
		    (plan->stored.generation != NULL && strcmp(names[count], plan->stored.generation) == 0))
			continue;
		change.path = cd_arena_format(&plan->changes->arena, "%s/%s", plan->base, names[count]);
		result = change.path == NULL ? short_of_memory(plan) : add_change(plan, &change);
	}
	return result;
}

static int add_generation(struct plan *plan)
{
	struct cd_change link = {
		.kind = CD_CHANGE_LINK, .compare = true, .owner = (uid_t)-1, .group = (gid_t)-1};
	char *directory;
	int result = name_generation(plan);

	if (result != 0)
		return result;
	directory = cd_arena_format(&plan->changes->arena, "%s/%s", plan->base, plan->generation);
	link.path = cd_arena_format(&plan->changes->arena, "%s/current", plan->base);
	link.target = plan->generation;
	if (directory == NULL || link.path == NULL)
		return short_of_memory(plan);
	link.before = identity_of(plan, link.path);
	result = cd_store_directories(plan->changes, plan->host, directory);
	for (size_t i = 0; result == 0 && i < plan->count; i++)
		result = add_pair_files(plan, &plan->pairs[i]);
	if (result == 0)
		result = add_change(plan, &link);
	return result == 0 ? add_removals(plan) : result;
}

/* ---- paths that the caller chose ---- */

/* A mistyped path must not cost a configuration: what is replaced is material, or empty. */
static bool is_material(const char *bytes, size_t length)
{
	return length == 0 || bytes[0] == 0x30 || memmem(bytes, length, "-----BEGIN ", 11) != NULL;
}

static int add_chosen(struct plan *plan, const struct pair *pair, enum cd_stored_part part,
		      const char *path)
{
	struct cd_change change = {
		.kind = CD_CHANGE_FILE,
		.path = path,
		.bytes = pair->bytes[part],
		.length = pair->lengths[part],
		.compare = true,
	};
	struct cd_stored_file stands = {0};
	char *bytes = NULL;
	size_t length = 0;
	int result, error;
	bool same, material;

	if (path == NULL)
		return 0;
	result = cd_check_path(plan->host->problems, path);
	if (result != 0)
		return result;
	error = cd_read_file(&bytes, &length, &change.before, &plan->host->root, path, CD_DOCUMENT_LIMIT);
	stands.mode = change.before.mode;
	stands.owner = change.before.owner;
	stands.group = change.before.group;
	cd_permissions_apply(&change, &plan->permissions, part, NULL);
	same = error == 0 && cd_permissions_hold(&plan->permissions, part, &stands) &&
	       length == change.length && memcmp(bytes, change.bytes, length) == 0;
	material = error != 0 || is_material(bytes, length);
	if (bytes != NULL)
		OPENSSL_cleanse(bytes, length);
	free(bytes);
	if (same)
		return 0;
	if (!material)
		return cd_fail(plan->host->problems, CERTDEPLOY_EREFUSED, "not-material", path, 0,
			       _("the file holds neither a certificate nor a key; it is not overwritten"));
	if (error != 0 && error != ENOENT && !(is_secret(part) && error == EACCES))
		return cd_fail_errno(plan->host->problems, error, path, _("cannot read the file"));
	if (error == EACCES)
		change.compare = false;
	result = add_change(plan, &change);
	return result == 0 ? lay_over(plan, pair, part, path) : result;
}

/*
 * Where no path for the chain is chosen, it goes behind the leaf; one path for certificate and key
 * gets both.
 */
static int plan_chosen(struct plan *plan, struct certdeploy_paths *paths)
{
	const struct certdeploy_paths *chosen = plan->request->chosen;
	const struct pair *pair = &plan->pairs[0];
	const char *main = chosen->certificate == NULL ? chosen->fullchain : chosen->certificate;
	bool whole = chosen->chain == NULL && chosen->fullchain == NULL;
	int result;

	if (main == NULL || chosen->key == NULL)
		return cd_fail(plan->host->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("chosen paths need at least one for the certificate and one for the key"));
	if (plan->request->certificates->list.count != 1)
		return cd_fail(plan->host->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("with chosen paths there must be exactly one certificate"));
	*paths = *chosen;
	paths->certificate = main;
	paths->fullchain = whole ? main : chosen->fullchain;
	paths->combined = NULL;
	if (pair->lengths[CD_STORED_CHAIN] == 0)
		paths->chain = NULL;
	if (strcmp(main, chosen->key) == 0)
		return add_chosen(plan, pair, CD_STORED_COMBINED, main);
	result = add_chosen(plan, pair, whole ? CD_STORED_FULLCHAIN : CD_STORED_CERT, chosen->certificate);
	if (result == 0)
		result = add_chosen(plan, pair, CD_STORED_KEY, chosen->key);
	if (result == 0)
		result = add_chosen(plan, pair, CD_STORED_CHAIN, chosen->chain);
	return result == 0 ? add_chosen(plan, pair, CD_STORED_FULLCHAIN, chosen->fullchain) : result;
}

/* ---- what adapters get ---- */

static int fill_paths(const struct plan *plan, struct certdeploy_paths *paths, const struct pair *pair,
		      const char *generation)
{
	paths->certificate = path_of(plan, generation, pair, CD_STORED_CERT);
	paths->key = path_of(plan, generation, pair, CD_STORED_KEY);
	paths->fullchain = path_of(plan, generation, pair, CD_STORED_FULLCHAIN);
	paths->combined = path_of(plan, generation, pair, CD_STORED_COMBINED);
	if (pair->lengths[CD_STORED_CHAIN] != 0)
		paths->chain = path_of(plan, generation, pair, CD_STORED_CHAIN);
	return paths->certificate == NULL || paths->key == NULL || paths->fullchain == NULL ||
			       paths->combined == NULL ||
			       (pair->lengths[CD_STORED_CHAIN] != 0 && paths->chain == NULL)
		       ? short_of_memory(plan)
		       : 0;
}

static int make_materials(const struct certdeploy_material *const **out, const struct plan *plan,
			  const struct certdeploy_paths *chosen)
{
	struct cd_arena *arena = &plan->changes->arena;
	const struct certdeploy_material **list = cd_arena_array(arena, plan->count + 1, sizeof(*list));
	int result = list == NULL ? short_of_memory(plan) : 0;

	for (size_t i = 0; result == 0 && i < plan->count; i++) {
		const struct pair *pair = &plan->pairs[i];
		struct certdeploy_material *material = cd_arena_alloc(arena, sizeof(*material));
		const struct certdeploy_leaf *leaf = NULL;

		/* It was read once: what is missing now is memory. */
		if (material == NULL || cd_leaf_parse(&leaf, arena, pair->bytes[CD_STORED_CERT],
						      pair->lengths[CD_STORED_CERT]) != 0)
			return short_of_memory(plan);
		material->client_auth = leaf->client_auth;
		material->name = plan->request->name != NULL ? cd_arena_string(arena, plan->request->name)
							     : cd_arena_string(arena, pair->sha256);
		material->key_type = pair->key_type;
		material->sha256 = pair->sha256;
		material->names = pair->names;
		material->has_chain = pair->lengths[CD_STORED_CHAIN] != 0;
		if (material->has_chain)
			material->chain_sha256 = cd_sha256_text(arena, pair->bytes[CD_STORED_CHAIN],
								pair->lengths[CD_STORED_CHAIN]);
		if (material->has_chain && material->chain_sha256 == NULL)
			return short_of_memory(plan);
		if (plan->base != NULL)
			result = fill_paths(plan, &material->paths, pair, "current");
		if (result == 0 && plan->base != NULL)
			result = fill_paths(plan, &material->building, pair, plan->generation);
		if (chosen != NULL)
			material->paths = *chosen;
		if (chosen != NULL && plan->base == NULL)
			material->building = *chosen;
		list[i] = material;
	}
	*out = (const struct certdeploy_material *const *)list;
	return result;
}

/* ---- the whole ---- */

/* A name that has another certificate is left to it. */
static int refuse_taken(const struct plan *plan)
{
	for (size_t i = 0; plan->stored.generation != NULL && i < plan->count; i++) {
		const struct pair *pair = &plan->pairs[i];

		if (pair->old == NULL || strcmp(pair->old->sha256, pair->sha256) != 0)
			return cd_fail(plan->host->problems, CERTDEPLOY_EREFUSED, "name-taken", plan->base,
				       0, _("the store has another certificate under the name %s"),
				       plan->request->name);
	}
	return 0;
}

static int plan_generation(struct plan *plan)
{
	int result;

	plan->base = cd_arena_format(&plan->changes->arena, "%s/%s", plan->request->directory,
				     plan->request->name);
	if (plan->base == NULL)
		return short_of_memory(plan);
	if (!cd_store_name_is_valid(plan->request->name))
		return cd_fail(plan->host->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			       _("\"%s\" cannot be a name in the store"),
			       cd_safe(&plan->host->problems->arena, plan->request->name));
	result = cd_stored_read(&plan->stored, plan->host, plan->request->directory, plan->request->name,
				ALL_PARTS);
	if (result == 0)
		result = gather_pairs(plan);
	if (result == 0 && plan->request->fresh)
		result = refuse_taken(plan);
	if (result != 0)
		return result;
	if (is_stored(plan) || (plan->request->fresh && plan->stored.generation != NULL)) {
		plan->generation = cd_arena_string(&plan->changes->arena, plan->stored.generation);
		return plan->generation == NULL ? short_of_memory(plan) : 0;
	}
	report_reuse(plan);
	return add_generation(plan);
}

int cd_store_plan(const struct certdeploy_material *const **materials, struct cd_changes *changes,
		  struct cd_overlay *overlay, struct cd_host *host, const struct cd_store_request *request)
{
	struct plan plan = {.changes = changes, .overlay = overlay, .host = host, .request = request};
	struct certdeploy_paths chosen;
	int result;

	*materials = NULL;
	changes->arena.secret = true;
	for (size_t i = 0; i < request->certificates->list.count; i++)
		if (((const struct cd_certificate *)request->certificates->list.items[i])->key_pem == NULL)
			return cd_fail(host->problems, CERTDEPLOY_EREFUSED, "key-missing", NULL, 0,
				       _("a certificate without its key cannot be installed"));
	/* Chosen paths alone need no name; with a name the store holds the certificate as well. */
	result = cd_permissions_read(&plan.permissions, host, request->name, request->permissions,
				     request->asked);
	if (result == 0)
		result = request->name != NULL ? plan_generation(&plan) : gather_pairs(&plan);
	if (result == 0 && request->chosen != NULL)
		result = plan_chosen(&plan, &chosen);
	if (result == 0)
		result = make_materials(materials, &plan, request->chosen == NULL ? NULL : &chosen);
	cd_stored_free(&plan.stored);
	return result;
}
