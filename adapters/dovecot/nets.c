/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nets.c - networks: as they are written, and which are within which */
#include "nets.h"

#include <arpa/inet.h>
#include <string.h>

const struct dovecot_net dovecot_loopback[2] = {
	{.address = {127, 0, 0, 1}, .bits = 32},
	{.address = {[15] = 1}, .v6 = true, .bits = 128},
};

bool dovecot_parse_net(struct dovecot_net *net, const char *text)
{
	char address[64];
	size_t length = strcspn(text, "/");
	unsigned bits = 0;
	struct in_addr v4;
	uint8_t limit;

	*net = (struct dovecot_net){0};
	if (length > 1 && text[0] == '[' && text[length - 1] == ']') {
		memcpy(address, text + 1, length - 2 < sizeof(address) ? length - 2 : 0);
		address[length - 2 < sizeof(address) ? length - 2 : 0] = '\0';
		net->v6 = true;
	} else if (length < sizeof(address)) {
		memcpy(address, text, length);
		address[length] = '\0';
		net->v6 = strchr(address, ':') != NULL;
	} else {
		return false;
	}
	/* Dovecot takes "127.1" for an address, too. */
	if (net->v6 ? inet_pton(AF_INET6, address, net->address) != 1 : inet_aton(address, &v4) == 0)
		return false;
	if (!net->v6)
		memcpy(net->address, &v4, sizeof(v4));
	limit = net->v6 ? 128 : 32;
	net->bits = limit;
	if (text[length] == '\0')
		return true;
	if (text[length + 1] == '\0')
		return false;
	for (const char *digit = text + length + 1; *digit != '\0'; digit++) {
		if (*digit < '0' || *digit > '9' || bits > limit)
			return false;
		bits = bits * 10 + (unsigned)(*digit - '0');
	}
	if (bits > limit)
		return false;
	net->bits = (uint8_t)bits;
	return true;
}

bool dovecot_net_contains(const struct dovecot_net *net, const struct dovecot_net *inner)
{
	unsigned whole = net->bits / 8U, rest = net->bits % 8U;

	if (net->v6 != inner->v6 || memcmp(net->address, inner->address, whole) != 0)
		return false;
	return rest == 0 || ((net->address[whole] ^ inner->address[whole]) >> (8 - rest)) == 0;
}

bool dovecot_same_net(const struct dovecot_net *one, const struct dovecot_net *other)
{
	if (one == NULL || other == NULL)
		return one == other;
	return one->bits == other->bits && one->v6 == other->v6 && dovecot_net_contains(one, other);
}

const char *dovecot_spell_net(struct certdeploy_reading *reading, const struct dovecot_net *net)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(net->v6 ? AF_INET6 : AF_INET, net->address, text, sizeof(text)) == NULL)
		return NULL;
	if (net->bits < (net->v6 ? 128U : 32U))
		return certdeploy_format(reading, "%s/%u", text, net->bits);
	return certdeploy_copy(reading, text, strlen(text));
}

/* ---- by network ---- */

static unsigned bits_of(const struct dovecot_net *net)
{
	return net == NULL ? 0 : net->bits;
}

/* The network of so many bits around another: nothing in it but what is compared. */
static struct dovecot_net widen(const struct dovecot_net *net, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	struct dovecot_net wide = {0};

	if (bits == 0)
		return wide;
	memcpy(wide.address, net->address, whole);
	if (rest != 0)
		wide.address[whole] = (unsigned char)(net->address[whole] & (0xffU << (8 - rest)));
	wide.v6 = net->v6;
	wide.bits = (uint8_t)bits;
	return wide;
}

int dovecot_nets_put(struct dovecot_nets *nets, struct certdeploy_reading *reading,
		     const struct dovecot_net *net, void *value)
{
	struct dovecot_net *key = certdeploy_alloc(reading, sizeof(*key));

	if (key == NULL)
		return CERTDEPLOY_ENOMEM;
	*key = widen(net, bits_of(net));
	nets->widths[key->v6][key->bits] = true;
	return dovecot_table_put(&nets->by_net, reading, (const void *)key, sizeof(*key), value);
}

void *dovecot_nets_around(const struct dovecot_nets *nets, const struct dovecot_net *net, unsigned bits)
{
	struct dovecot_net key;

	/* Most widths are none that there is. */
	if (!nets->widths[bits != 0 && net->v6][bits])
		return NULL;
	key = widen(net, bits);
	return dovecot_table_get(&nets->by_net, (const void *)&key, sizeof(key));
}

void *dovecot_nets_get(const struct dovecot_nets *nets, const struct dovecot_net *net)
{
	return dovecot_nets_around(nets, net, bits_of(net));
}

bool dovecot_nets_cover(const struct dovecot_nets *nets, const struct dovecot_net *address)
{
	unsigned limit = address->v6 ? 128 : 32, bits = 0;

	if (nets->by_net.count == 0)
		return false;
	while (bits <= limit && dovecot_nets_around(nets, address, bits) == NULL)
		bits++;
	return bits <= limit;
}
