/*
 * authban: known-good facts on their way through Redis
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_credit.h"

#include "ab_bytes.h"

#include <stdio.h>
#include <string.h>

#define HEAD 10 /* as in AB_CREDIT_MAX, all three */
#define FACT 8
#define MAC 16
#define FLAG_SIGNED 0x01u
#define AHEAD_MAX 86400u /* s; as of states (ab_sync.c) */

/* what a MAC is for comes first, so that one is never good for the other */
static const uint8_t label[] = {'f', 'a', 'c', 't', 's'};

unsigned ab_credit_shard(const struct ab_wire *w, uint32_t hour)
{
	return w->shards > 1 ? hour % w->shards : 0;
}

void ab_credit_key(const struct ab_wire *w, uint32_t hour,
		char out[static AB_WIRE_KEY_MAX])
{
	snprintf(out, AB_WIRE_KEY_MAX, "{%s:%u}:g:%u", w->prefix,
			ab_credit_shard(w, hour), (unsigned)hour);
}

/* MAC over: "facts", the cluster, the body. */
static void sign(const struct ab_wire *w, const struct ab_mac *mac,
		const uint8_t *body, size_t len, uint8_t out[static AB_MAC_LEN])
{
	uint8_t data[sizeof(label) + 1 + AB_WIRE_PREFIX_MAX + AB_CREDIT_MAX];
	size_t prefix = strlen(w->prefix);
	uint8_t *p = data + sizeof(label);

	memcpy(data, label, sizeof(label));
	*p++ = (uint8_t)prefix;
	memcpy(p, w->prefix, prefix);
	memcpy(p + prefix, body, len);
	p += prefix + len;
	mac->sign(mac->key, data, (size_t)(p - data), out);
}

size_t ab_credit_write(const struct ab_wire *w, const struct ab_credit *c,
		uint8_t out[static AB_CREDIT_MAX])
{
	uint8_t full[AB_MAC_LEN];
	uint8_t *p = out;
	size_t i;

	if(!w->mac.sign)
		return 0;
	*p++ = AB_CREDIT_VERSION;
	*p++ = FLAG_SIGNED;
	memcpy(p, c->node, 4);
	p = ab_put(p + 4, c->made, 4);
	for(i = 0; i < c->n; i++)
		p = ab_put(p, c->fact[i], FACT);
	sign(w, &w->mac, out, (size_t)(p - out), full);
	memcpy(p, full, MAC);
	return (size_t)(p - out) + MAC;
}

static bool fits(const struct ab_wire *w, const struct ab_mac *mac,
		const uint8_t *bytes, size_t len)
{
	uint8_t full[AB_MAC_LEN];

	sign(w, mac, bytes, len - MAC, full);
	return ab_mac_equal(full, bytes + len - MAC, MAC);
}

enum ab_wire_result ab_credit_read(const struct ab_wire *w,
		const uint8_t *bytes, size_t len, struct ab_credit *out)
{
	const uint8_t *p = bytes + 2;
	size_t i;

	if(len < HEAD + FACT + MAC)
		return AB_WIRE_LENGTH;
	if(bytes[0] != AB_CREDIT_VERSION)
		return bytes[0] > AB_CREDIT_VERSION ? AB_WIRE_VERSION_UNKNOWN
											: AB_WIRE_RANGE;
	if(bytes[1] != FLAG_SIGNED || !w->mac.sign)
		return AB_WIRE_UNSIGNED;
	if(len > AB_CREDIT_MAX || (len - HEAD - MAC) % FACT != 0)
		return AB_WIRE_LENGTH;
	out->n = (len - HEAD - MAC) / FACT;
	if(!fits(w, &w->mac, bytes, len)) {
		/* with the other key the hashes are others too: it is true, and names
		 * nobody here */
		if(!w->mac_old.sign || !fits(w, &w->mac_old, bytes, len))
			return AB_WIRE_MAC;
		out->n = 0;
	}
	memcpy(out->node, p, 4);
	p += 4;
	out->made = (uint32_t)ab_get(&p, 4);
	for(i = 0; i < out->n; i++)
		out->fact[i] = ab_get(&p, FACT);
	return AB_WIRE_OK;
}

bool ab_credit_apply(const struct ab_good *g, const struct ab_credit *c,
		uint64_t cluster_s, uint32_t mono, uint32_t good_time)
{
	uint64_t age = cluster_s > c->made ? cluster_s - c->made : 0;
	size_t i;

	if(age >= good_time || c->made > cluster_s + AHEAD_MAX)
		return false;
	for(i = 0; i < c->n; i++)
		ab_good_told(g, c->fact[i], (uint32_t)age, mono, good_time);
	return true;
}
