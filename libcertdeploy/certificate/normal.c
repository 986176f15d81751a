/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * normal.c - whether a key's bytes are the only ones that say what they say
 *
 * OpenSSL 3 looks for an encoder anew for each key, which takes as long as a signature. Where PKCS#8 has
 * nothing in it but the key's numbers, each in the shortest form and in its place, encoding the key anew
 * would make the same bytes; anything else is encoded anew, and so loses what does not belong there.
 */
#include "certificate/material.h"

#include <string.h>

struct form {
	const char *algorithm; /* the content of its AlgorithmIdentifier */
	size_t length;
	long size; /* of the private number; 0: RSA */
	bool has_point;
};

static const struct form forms[] = {
	{"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", 13, 0, false}, /* RSA */
	{"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 19, 32,
	 true},                                                                             /* P-256 */
	{"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22", 16, 48, true}, /* P-384 */
	{"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23", 16, 66, true}, /* P-521 */
	{"\x06\x03\x2b\x65\x70", 5, 32, false},                                             /* Ed25519 */
};

/* The next element is one of this kind, in one piece, its length written as short as can be. */
static bool take(struct cd_der *der, int tag, struct cd_der *inside)
{
	const unsigned char *start = der->at;
	bool holds_others = tag == V_ASN1_SEQUENCE || tag >> 8 == V_ASN1_CONTEXT_SPECIFIC;

	if (cd_der_next(der, inside) != tag || ((*start & V_ASN1_CONSTRUCTED) != 0) != holds_others)
		return false;
	return inside->at - start == (inside->left < 0x80 ? 2 : inside->left < 0x100 ? 3 : 4);
}

static bool take_sized(struct cd_der *der, int tag, struct cd_der *inside, long size)
{
	return take(der, tag, inside) && inside->left == size;
}

static bool take_version(struct cd_der *der, unsigned char version)
{
	struct cd_der number;

	return take_sized(der, V_ASN1_INTEGER, &number, 1) && *number.at == version;
}

static bool take_number(struct cd_der *der)
{
	struct cd_der number;

	return take(der, V_ASN1_INTEGER, &number) && number.left > 0 && (number.at[0] & 0x80) == 0 &&
	       (number.left == 1 || number.at[0] != 0 || (number.at[1] & 0x80) != 0);
}

static bool is_rsa(struct cd_der *octets)
{
	struct cd_der key;
	bool is = take(octets, V_ASN1_SEQUENCE, &key) && take_version(&key, 0);

	for (int i = 0; is && i < 8; i++)
		is = take_number(&key);
	return is && key.left == 0;
}

static bool is_on_curve(struct cd_der *octets, long size)
{
	struct cd_der key, number, outer, point;

	return take(octets, V_ASN1_SEQUENCE, &key) && take_version(&key, 1) &&
	       take_sized(&key, V_ASN1_OCTET_STRING, &number, size) &&
	       take(&key, V_ASN1_CONTEXT_SPECIFIC << 8 | 1, &outer) && key.left == 0 &&
	       take_sized(&outer, V_ASN1_BIT_STRING, &point, 2 + 2 * size) && outer.left == 0 &&
	       point.at[0] == 0 && point.at[1] == POINT_CONVERSION_UNCOMPRESSED;
}

static bool is_key(const struct form *form, struct cd_der *octets)
{
	struct cd_der number;

	if (form->size == 0)
		return is_rsa(octets);
	return form->has_point ? is_on_curve(octets, form->size)
			       : take_sized(octets, V_ASN1_OCTET_STRING, &number, form->size);
}

bool cd_key_is_normal(const unsigned char *der, size_t length)
{
	struct cd_der outer = {der, (long)length}, info, algorithm, octets;
	const struct form *form = forms;

	if (!take(&outer, V_ASN1_SEQUENCE, &info) || outer.left != 0 || !take_version(&info, 0) ||
	    !take(&info, V_ASN1_SEQUENCE, &algorithm) || !take(&info, V_ASN1_OCTET_STRING, &octets) ||
	    info.left != 0)
		return false;
	while (form < forms + sizeof(forms) / sizeof(*forms) &&
	       ((size_t)algorithm.left != form->length ||
		memcmp(algorithm.at, form->algorithm, form->length) != 0))
		form++;
	return form < forms + sizeof(forms) / sizeof(*forms) && is_key(form, &octets) && octets.left == 0;
}
