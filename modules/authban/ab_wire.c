/*
 * authban: records on their way through Redis
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_wire.h"

#include "ab_bytes.h"
#include "ab_siphash.h"

#include <stdio.h>
#include <string.h>

#define FLAG_SIGNED 0x01u
#define FLAG_SHARED 0x02u /* of a share only */
#define SHARE_BODY 12
#define SHARE_MAC 8
#define STATE_MAC 16
#define STATE_FIXED 61 /* bytes of a state before its two texts */
#define STATE_BODY_MAX (STATE_FIXED + 2 * (1 + AB_NAME_LEN))

_Static_assert(SHARE_BODY + SHARE_MAC == AB_WIRE_SHARE_MAX, "share");
_Static_assert(STATE_BODY_MAX + STATE_MAC <= AB_WIRE_STATE_MAX, "state");

/* what a MAC is for comes first, so that one is never good for the other */
static const uint8_t share_label[] = {'s', 'h', 'a', 'r', 'e'};
static const uint8_t state_label[] = {'s', 't', 'a', 't', 'e'};

const char *ab_wire_result_name(enum ab_wire_result r)
{
	static const char *const names[AB_WIRE_RESULTS] = {"ok", "length",
			"version", "unsigned", "mac", "range", "forgotten", "too_many"};

	return (size_t)r < AB_WIRE_RESULTS ? names[r] : "unknown";
}

/* --- names --- */

size_t ab_wire_place(
		const struct ab_key *key, uint8_t out[static AB_WIRE_PLACE_MAX])
{
	bool v4 = key->plen >= AB_V4_BITS && ab_addr_is_v4(&key->addr);
	size_t from = v4 ? 12 : 0;
	size_t n = v4 ? 4 : (key->plen + 7u) / 8;

	out[0] = key->kind;
	out[1] = key->plen;
	memcpy(out + 2, key->addr.b + from, n);
	if(key->kind == AB_KIND_PAIR) {
		ab_put(out + 2 + n, key->user, 8);
		n += 8;
	}
	return 2 + n;
}

/* The same number on every proxy, so it has no secret; a crowd in one bucket
 * costs Redis a larger hash and no more. */
static uint32_t place_hash(const struct ab_key *key)
{
	static const uint8_t no_key[16];
	uint8_t place[AB_WIRE_PLACE_MAX];
	size_t len = ab_wire_place(key, place);

	return (uint32_t)(ab_siphash13(no_key, place, len) >> 32);
}

unsigned ab_wire_count_bucket(const struct ab_key *key)
{
	return place_hash(key) % AB_WIRE_COUNT_BUCKETS;
}

unsigned ab_wire_shard(const struct ab_wire *w, const struct ab_key *key)
{
	return w->shards > 1 ? ab_wire_count_bucket(key) % w->shards : 0;
}

void ab_wire_tag(const struct ab_wire *w, unsigned shard,
		char out[static AB_WIRE_KEY_MAX])
{
	snprintf(out, AB_WIRE_KEY_MAX, "{%s:%u}", w->prefix, shard);
}

void ab_wire_count_key(const struct ab_wire *w, const struct ab_key *key,
		uint32_t window, uint32_t start, char out[static AB_WIRE_KEY_MAX])
{
	snprintf(out, AB_WIRE_KEY_MAX, "{%s:%u}:c:%u.%u:%u", w->prefix,
			ab_wire_shard(w, key), (unsigned)window, (unsigned)start,
			ab_wire_count_bucket(key));
}

void ab_wire_map_bucket_key(const struct ab_wire *w, unsigned bucket,
		char out[static AB_WIRE_KEY_MAX])
{
	snprintf(out, AB_WIRE_KEY_MAX, "{%s:0}:b:%u", w->prefix, bucket);
}

void ab_wire_map_key(const struct ab_wire *w, const struct ab_key *key,
		char out[static AB_WIRE_KEY_MAX])
{
	ab_wire_map_bucket_key(w, place_hash(key) % AB_WIRE_MAP_BUCKETS, out);
}

void ab_wire_log_key(const struct ab_wire *w, char out[static AB_WIRE_KEY_MAX])
{
	snprintf(out, AB_WIRE_KEY_MAX, "{%s:0}:log", w->prefix);
}

void ab_wire_mark_key(const struct ab_wire *w, char out[static AB_WIRE_KEY_MAX])
{
	snprintf(out, AB_WIRE_KEY_MAX, "{%s:0}:mark", w->prefix);
}

size_t ab_wire_share_field(const struct ab_wire *w, const struct ab_key *key,
		uint8_t incarnation, uint8_t out[static AB_WIRE_FIELD_MAX])
{
	size_t n = ab_wire_place(key, out);

	memcpy(out + n, w->node, 4);
	memcpy(out + n + 4, w->boot, 4);
	out[n + 8] = incarnation;
	return n + 9;
}

bool ab_wire_share_is_own(const struct ab_wire *w, const uint8_t *field,
		size_t len, uint8_t incarnation)
{
	return len >= 9 && memcmp(field + len - 9, w->node, 4) == 0
		   && memcmp(field + len - 5, w->boot, 4) == 0
		   && field[len - 1] == incarnation;
}

/* A length byte and that many bytes. */
static uint8_t *put_text(uint8_t *p, const char *text)
{
	size_t n = strlen(text), i;

	*p++ = (uint8_t)n;
	for(i = 0; i < n; i++)
		*p++ = (uint8_t)text[i];
	return p;
}

/* --- MACs --- */

/* Whether the first n bytes of a MAC over `data` are these, with either key. */
static bool fits(const struct ab_wire *w, const uint8_t *data, size_t len,
		const uint8_t *mac, size_t n)
{
	uint8_t full[AB_MAC_LEN];

	w->mac.sign(w->mac.key, data, len, full);
	if(ab_mac_equal(full, mac, n))
		return true;
	if(!w->mac_old.sign)
		return false;
	w->mac_old.sign(w->mac_old.key, data, len, full);
	return ab_mac_equal(full, mac, n);
}

#define LABEL_MAX 15
#define OTHER_MAX (LABEL_MAX + 1 + AB_WIRE_PREFIX_MAX + AB_WIRE_SIGNED_MAX)

static size_t other_data(const struct ab_wire *w, const char *label,
		const uint8_t *bytes, size_t len, uint8_t data[static OTHER_MAX])
{
	size_t n = strlen(label);
	uint8_t *p;

	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): the prefix follows */
	memcpy(data, label, n);
	p = put_text(data + n, w->prefix);
	memcpy(p, bytes, len);
	return (size_t)(p - data) + len;
}

size_t ab_wire_sign(const struct ab_wire *w, const char *label,
		const uint8_t *bytes, size_t len, uint8_t *out)
{
	uint8_t data[OTHER_MAX], full[AB_MAC_LEN];

	if(!w->mac.sign)
		return 0;
	w->mac.sign(w->mac.key, data, other_data(w, label, bytes, len, data), full);
	memcpy(out, full, AB_WIRE_MAC_LEN);
	return AB_WIRE_MAC_LEN;
}

bool ab_wire_fits(const struct ab_wire *w, const char *label,
		const uint8_t *bytes, size_t len,
		const uint8_t mac[static AB_WIRE_MAC_LEN])
{
	uint8_t data[OTHER_MAX];

	return len <= AB_WIRE_SIGNED_MAX
		   && fits(w, data, other_data(w, label, bytes, len, data), mac,
				   AB_WIRE_MAC_LEN);
}

/* --- shares --- */

#define SHARE_DATA (6 + AB_WIRE_PREFIX_MAX + 8 + AB_WIRE_FIELD_MAX + SHARE_BODY)

/* MAC over: "share", the cluster, the window, the field, the body. */
static size_t share_data(const struct ab_wire *w, uint32_t window,
		uint32_t start, const uint8_t *field, size_t field_len,
		const uint8_t *body, uint8_t data[static SHARE_DATA])
{
	uint8_t *p;

	memcpy(data, share_label, sizeof(share_label));
	p = put_text(data + sizeof(share_label), w->prefix);
	p = ab_put(ab_put(p, window, 4), start, 4);
	memcpy(p, field, field_len);
	memcpy(p + field_len, body, SHARE_BODY);
	return (size_t)(p - data) + field_len + SHARE_BODY;
}

size_t ab_wire_share_write(const struct ab_wire *w, uint32_t window,
		uint32_t start, const uint8_t *field, size_t field_len,
		const struct ab_share *share, uint8_t out[static AB_WIRE_SHARE_MAX])
{
	uint8_t data[SHARE_DATA], full[AB_MAC_LEN];
	uint8_t *p = out;

	*p++ = AB_WIRE_VERSION;
	*p++ = (uint8_t)((w->mac.sign ? FLAG_SIGNED : 0)
					 | (share->shared ? FLAG_SHARED : 0));
	p = ab_put(p, share->count, 2);
	p = ab_put(p, share->distinct, 4);
	p = ab_put(p, share->epoch, 4);
	if(!w->mac.sign)
		return SHARE_BODY;
	w->mac.sign(w->mac.key, data,
			share_data(w, window, start, field, field_len, out, data), full);
	memcpy(p, full, SHARE_MAC);
	return AB_WIRE_SHARE_MAX;
}

/* What both kinds of record begin with. */
static enum ab_wire_result check_head(const struct ab_wire *w,
		const uint8_t *bytes, size_t len, size_t min, uint8_t flags)
{
	if(len < 2)
		return AB_WIRE_LENGTH;
	if(bytes[0] != AB_WIRE_VERSION)
		return bytes[0] > AB_WIRE_VERSION ? AB_WIRE_VERSION_UNKNOWN
										  : AB_WIRE_RANGE;
	if(bytes[1] & ~flags)
		return AB_WIRE_RANGE;
	if((w->mac.sign != NULL) != ((bytes[1] & FLAG_SIGNED) != 0))
		return AB_WIRE_UNSIGNED;
	return len < min ? AB_WIRE_LENGTH : AB_WIRE_OK;
}

enum ab_wire_result ab_wire_share_read(const struct ab_wire *w, uint32_t window,
		uint32_t start, const uint8_t *field, size_t field_len,
		const uint8_t *value, size_t len, struct ab_share *out)
{
	size_t want = SHARE_BODY + (w->mac.sign ? SHARE_MAC : 0);
	enum ab_wire_result r =
			check_head(w, value, len, want, FLAG_SIGNED | FLAG_SHARED);
	const uint8_t *p = value + 2;
	uint8_t data[SHARE_DATA];

	if(r != AB_WIRE_OK)
		return r;
	if(len != want || field_len < 11 || field_len > AB_WIRE_FIELD_MAX)
		return AB_WIRE_LENGTH;
	if(w->mac.sign
			&& !fits(w, data,
					share_data(w, window, start, field, field_len, value, data),
					value + SHARE_BODY, SHARE_MAC))
		return AB_WIRE_MAC;
	out->count = (uint16_t)ab_get(&p, 2);
	out->distinct = (uint32_t)ab_get(&p, 4);
	out->epoch = (uint32_t)ab_get(&p, 4);
	out->shared = (value[1] & FLAG_SHARED) != 0;
	return AB_WIRE_OK;
}

/* --- states --- */

#define STATE_DATA (6 + AB_WIRE_PREFIX_MAX + STATE_BODY_MAX)

static size_t state_data(const struct ab_wire *w, const uint8_t *body,
		size_t len, uint8_t data[static STATE_DATA])
{
	uint8_t *p;

	memcpy(data, state_label, sizeof(state_label));
	p = put_text(data + sizeof(state_label), w->prefix);
	memcpy(p, body, len);
	return (size_t)(p - data) + len;
}

size_t ab_wire_state_write(const struct ab_wire *w,
		const struct ab_wire_state *s, uint8_t out[static AB_WIRE_STATE_MAX])
{
	uint8_t data[STATE_DATA], full[AB_MAC_LEN];
	uint8_t *p = out;

	*p++ = AB_WIRE_VERSION;
	*p++ = w->mac.sign ? FLAG_SIGNED : 0;
	*p++ = s->key.kind;
	*p++ = s->key.plen;
	memcpy(p, s->key.addr.b, 16);
	p = ab_put(p + 16, s->state, 1);
	p = ab_put(p, s->proof, 1);
	p = ab_put(p, s->repeats, 1);
	p = ab_put(p, s->key.user, 8);
	p = ab_put(p, s->version, 8);
	p = ab_put(p, s->begin, 8);
	p = ab_put(p, s->end, 8);
	p = ab_put(p, s->failures, 2);
	p = ab_put(p, s->distinct, 4);
	p = put_text(p, s->reason);
	p = put_text(p, s->origin);
	if(w->mac.sign) {
		w->mac.sign(w->mac.key, data,
				state_data(w, out, (size_t)(p - out), data), full);
		memcpy(p, full, STATE_MAC);
		p += STATE_MAC;
	}
	return (size_t)(p - out);
}

bool ab_wire_text(
		const uint8_t **p, const uint8_t *end, char out[static AB_NAME_LEN + 1])
{
	size_t n;

	if(*p >= end)
		return false;
	n = *(*p)++;
	if(n > AB_NAME_LEN || n > (size_t)(end - *p) || memchr(*p, '\0', n))
		return false;
	memcpy(out, *p, n);
	out[n] = '\0';
	*p += n;
	return true;
}

static bool state_in_range(const struct ab_wire_state *s)
{
	static const struct ab_addr nobody;
	struct ab_prefix p;

	if(s->key.kind == AB_KIND_FREE || s->key.kind >= AB_KIND_MAX
			|| (s->key.user != 0) != (s->key.kind == AB_KIND_PAIR)
			|| (s->key.kind == AB_KIND_USER
					&& ab_addr_equal(&s->key.addr, &nobody))
			|| s->key.plen > 128
			/* no record bans half of the internet, whoever wrote it */
			|| !ab_key_width_ok(&s->key))
		return false;
	p = ab_prefix_make(&s->key.addr, s->key.plen);
	return ab_addr_equal(&p.addr, &s->key.addr)
		   && (s->state == AB_STATE_BANNED || s->state == AB_STATE_UNBANNED)
		   && s->proof < AB_PROOF_MAX && s->version != 0 && s->begin <= s->end;
}

enum ab_wire_result ab_wire_state_read(const struct ab_wire *w,
		const uint8_t *bytes, size_t len, struct ab_wire_state *out)
{
	size_t mac = w->mac.sign ? STATE_MAC : 0;
	enum ab_wire_result r =
			check_head(w, bytes, len, STATE_FIXED + 2 + mac, FLAG_SIGNED);
	const uint8_t *p = bytes + 2, *end;
	uint8_t data[STATE_DATA];

	if(r != AB_WIRE_OK)
		return r;
	if(len > AB_WIRE_STATE_MAX || len - mac > STATE_BODY_MAX)
		return AB_WIRE_LENGTH;
	end = bytes + len - mac;
	if(mac && !fits(w, data, state_data(w, bytes, len - mac, data), end, mac))
		return AB_WIRE_MAC;
	memset(out, 0, sizeof(*out));
	out->key.kind = (uint8_t)ab_get(&p, 1);
	out->key.plen = (uint8_t)ab_get(&p, 1);
	memcpy(out->key.addr.b, p, 16);
	p += 16;
	out->state = (uint8_t)ab_get(&p, 1);
	out->proof = (uint8_t)ab_get(&p, 1);
	out->repeats = (uint8_t)ab_get(&p, 1);
	out->key.user = ab_get(&p, 8);
	out->version = ab_get(&p, 8);
	out->begin = ab_get(&p, 8);
	out->end = ab_get(&p, 8);
	out->failures = (uint16_t)ab_get(&p, 2);
	out->distinct = (uint32_t)ab_get(&p, 4);
	if(!ab_wire_text(&p, end, out->reason)
			|| !ab_wire_text(&p, end, out->origin) || p != end)
		return AB_WIRE_LENGTH;
	return state_in_range(out) ? AB_WIRE_OK : AB_WIRE_RANGE;
}
