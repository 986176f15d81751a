/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request.c - what the caller wants: material, target, manner */
#include "handle.h"

#include "base/file.h"
#include "base/hostname.h"
#include "base/text.h"
#include "certificate/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_LIMIT ((size_t)1 << 20)
#define ARCHIVE_LIMIT ((size_t)256 << 20) /* 10,000 names take some 60 MiB */
#define PIECES 64
#define ORDERS 100000

static struct cd_order *current(const struct certdeploy_request *request)
{
	return request->orders.items[request->orders.count - 1];
}

void cd_order_drop_piece(struct cd_piece *piece)
{
	char *bytes = (char *)(uintptr_t)piece->bytes;

	if (bytes != NULL)
		OPENSSL_cleanse(bytes, piece->length);
	free(bytes);
	free(piece);
}

void cd_order_free(struct cd_order *order)
{
	for (size_t i = 0; i < order->pieces.count; i++)
		cd_order_drop_piece(order->pieces.items[i]);
	cd_vector_free(&order->pieces);
	for (size_t i = 0; i < CD_LISTS; i++)
		cd_vector_free(&order->lists[i]);
	free(order);
}

void certdeploy_request_free(struct certdeploy_request *request)
{
	if (request == NULL)
		return;
	for (size_t i = 0; i < request->orders.count; i++)
		cd_order_free(request->orders.items[i]);
	cd_vector_free(&request->orders);
	cd_arena_free(&request->arena);
	free(request);
}

/* Takes bytes over, also when it fails. */
static int add_piece(struct certdeploy_request *request, enum certdeploy_material_kind kind, char *bytes,
		     size_t length, const char *origin, const char *file)
{
	struct cd_piece *piece = calloc(1, sizeof(*piece));
	char *real = file == NULL ? NULL : realpath(file, NULL);

	if (piece == NULL) {
		OPENSSL_cleanse(bytes, length);
		free(bytes);
		free(real);
		return CERTDEPLOY_ENOMEM;
	}
	*piece = (struct cd_piece){.kind = kind, .bytes = bytes, .length = length};
	piece->origin = cd_arena_string(&request->arena, origin);
	piece->file = cd_arena_string(&request->arena, real);
	free(real);
	if (piece->origin == NULL || cd_vector_add(&current(request)->pieces, piece) != 0) {
		cd_order_drop_piece(piece);
		return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

static const char *kind_name(enum certdeploy_material_kind kind)
{
	static const char *const names[] = {"(material)",  "(certificate)", "(key)", "(chain)",
					    "(fullchain)", "(PKCS#12)",     "(CSR)", "(archive)"};

	return names[kind];
}

static bool is_kind(enum certdeploy_material_kind kind)
{
	return (unsigned)kind <= CERTDEPLOY_MATERIAL_ARCHIVE;
}

/* error: an errno; EFBIG for what no certificate or key can be. */
static int refuse_piece(struct certdeploy *cd, const char *origin, int error)
{
	size_t from = cd->problems.list.count;
	struct cd_language language;
	int result;

	cd_language_enter(&language, cd->language);
	if (error == EFBIG)
		result = cd_fail(&cd->problems, CERTDEPLOY_EREFUSED, "too-large", origin, 0,
				 _("larger than any sensible certificate or key"));
	else if (error == EISDIR || error == EINVAL)
		result = cd_fail(&cd->problems, CERTDEPLOY_EREFUSED, "not-understood", origin, 0,
				 _("not a regular file"));
	else
		result = cd_fail_errno(&cd->problems, error, origin, _("cannot read the file"));
	cd->error = cd_problems_error(&cd->problems, from);
	cd_language_leave(&language);
	return result;
}

/* A mistake of the calling program. */
static int misused(struct certdeploy *cd, const char *what, long number)
{
	size_t from = cd->problems.list.count;
	struct cd_language language;
	int result;

	cd_language_enter(&language, cd->language);
	result = cd_fail(&cd->problems, CERTDEPLOY_EUSAGE, "usage", NULL, 0,
			 _("the program asks for what this library does not know: %s %ld"), what, number);
	cd->error = cd_problems_error(&cd->problems, from);
	cd_language_leave(&language);
	return result;
}

int certdeploy_request_next(struct certdeploy_request *request)
{
	struct cd_order *order;

	if (request == NULL)
		return CERTDEPLOY_ENOMEM;
	if (request->orders.count >= ORDERS)
		return misused(request->cd, "certdeploy_request_next", ORDERS);
	order = calloc(1, sizeof(*order));
	if (order == NULL || cd_vector_add(&request->orders, order) != 0) {
		free(order);
		return CERTDEPLOY_ENOMEM;
	}
	return 0;
}

int certdeploy_request_new(struct certdeploy_request **out, struct certdeploy *cd)
{
	struct certdeploy_request *request;

	if (out == NULL)
		return CERTDEPLOY_EUSAGE;
	*out = NULL;
	request = calloc(1, sizeof(*request));
	if (request == NULL || cd == NULL) {
		free(request);
		return CERTDEPLOY_ENOMEM;
	}
	request->cd = cd;
	if (certdeploy_request_next(request) != 0) {
		certdeploy_request_free(request);
		return CERTDEPLOY_ENOMEM;
	}
	*out = request;
	return 0;
}

static size_t most_bytes(enum certdeploy_material_kind kind)
{
	return kind == CERTDEPLOY_MATERIAL_ARCHIVE ? ARCHIVE_LIMIT : PIECE_LIMIT;
}

int certdeploy_request_add_memory(struct certdeploy_request *request, enum certdeploy_material_kind kind,
				  const void *bytes, size_t length, const char *origin)
{
	char *copy;

	if (request == NULL)
		return CERTDEPLOY_ENOMEM;
	if (!is_kind(kind) || (bytes == NULL && length != 0))
		return misused(request->cd, "certdeploy_request_add_memory", (long)kind);
	if (origin == NULL)
		origin = kind_name(kind);
	if (length > most_bytes(kind) || current(request)->pieces.count >= PIECES)
		return current(request)->result = refuse_piece(request->cd, origin, EFBIG);
	copy = malloc(length + 1);
	if (copy == NULL)
		return CERTDEPLOY_ENOMEM;
	if (length != 0)
		memcpy(copy, bytes, length);
	copy[length] = '\0';
	return add_piece(request, kind, copy, length, origin, NULL);
}

int certdeploy_request_add_file(struct certdeploy_request *request, enum certdeploy_material_kind kind,
				const char *path)
{
	struct cd_root here = {.fd = AT_FDCWD, .path = "", .live = true};
	size_t length;
	char *bytes;
	int error;

	if (request == NULL)
		return CERTDEPLOY_ENOMEM;
	if (!is_kind(kind) || path == NULL)
		return misused(request->cd, "certdeploy_request_add_file", (long)kind);
	error = cd_read_file(&bytes, &length, NULL, &here, path, most_bytes(kind));
	if (error != 0)
		return current(request)->result = refuse_piece(request->cd, path, error);
	return add_piece(request, kind, bytes, length, path, path);
}

int certdeploy_request_leave_out(struct certdeploy_request *request)
{
	struct cd_order *order;

	if (request == NULL)
		return CERTDEPLOY_ENOMEM;
	order = current(request);
	if (order->result == 0 || request->cd->error == NULL)
		return misused(request->cd, "certdeploy_request_leave_out", order->result);
	if (order->failure == NULL)
		order->failure = cd_problem_copy(&request->arena, request->cd->error);
	return order->failure == NULL ? CERTDEPLOY_ENOMEM : 0;
}

int certdeploy_request_add(struct certdeploy_request *request, enum certdeploy_list_option option,
			   const char *value)
{
	bool host = option == CERTDEPLOY_HOSTNAME || option == CERTDEPLOY_SAN ||
		    option == CERTDEPLOY_COMMON_NAME;
	char *copy;

	if (request == NULL)
		return CERTDEPLOY_ENOMEM;
	if ((unsigned)option == 0 || (unsigned)option >= CD_LISTS || value == NULL)
		return misused(request->cd, "certdeploy_request_add", (long)option);
	/* Names are compared as certificates hold them; a pattern is none. */
	copy = host && value[0] != '~' ? cd_hostname_ascii(&request->arena, value)
				       : cd_arena_string(&request->arena, value);
	return copy == NULL ? CERTDEPLOY_ENOMEM : cd_vector_add(&current(request)->lists[option], copy);
}

int certdeploy_request_set(struct certdeploy_request *request, enum certdeploy_flag flag, long value)
{
	if (request == NULL)
		return CERTDEPLOY_ENOMEM;
	if ((unsigned)flag == 0 || (unsigned)flag >= CD_FLAGS || value < 0 ||
	    (flag == CERTDEPLOY_VERIFY_SCOPE && value > CERTDEPLOY_VERIFY_SAMPLE))
		return misused(request->cd, "certdeploy_request_set", (long)flag);
	if (flag == CERTDEPLOY_DEFAULT)
		current(request)->defaults = value != 0;
	if (flag == CERTDEPLOY_ALL)
		current(request)->all = value != 0;
	request->flags[flag] = value;
	request->given[flag] = true;
	return 0;
}

const char *const *cd_order_list(const struct cd_order *order, enum certdeploy_list_option option)
{
	return (const char *const *)order->lists[option].items;
}

const char *cd_order_value(const struct cd_order *order, enum certdeploy_list_option option)
{
	const char *const *list = cd_order_list(order, option);

	return list == NULL ? NULL : list[0];
}

const char *const *cd_request_list(const struct certdeploy_request *request,
				   enum certdeploy_list_option option)
{
	return request == NULL ? NULL : cd_order_list(request->orders.items[0], option);
}

const char *cd_request_value(const struct certdeploy_request *request, enum certdeploy_list_option option)
{
	return request == NULL ? NULL : cd_order_value(request->orders.items[0], option);
}

const struct cd_vector *cd_request_pieces(const struct certdeploy_request *request)
{
	return request == NULL ? NULL : &((const struct cd_order *)request->orders.items[0])->pieces;
}

long cd_request_flag(const struct certdeploy_request *request, enum certdeploy_flag flag, long otherwise)
{
	return request == NULL || !request->given[flag] ? otherwise : request->flags[flag];
}

static bool is_problem(const char *code)
{
	for (const struct cd_problem_code *row = cd_problem_codes(); row->code != NULL; row++)
		if (strcmp(row->code, code) == 0)
			return true;
	return false;
}

void cd_request_look(const struct certdeploy_request *request, struct cd_problems *problems)
{
	const char *const *codes = cd_request_list(request, CERTDEPLOY_ACCEPT);

	for (; codes != NULL && *codes != NULL; codes++)
		if (!is_problem(*codes))
			cd_problem(problems, CERTDEPLOY_WARNING, "usage", NULL, 0,
				   _("no problem has the code \"%s\", which is to be accepted"), *codes);
}
