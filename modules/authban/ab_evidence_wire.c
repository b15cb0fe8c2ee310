/*
 * authban: evidence on its way to other proxies
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_evidence_wire.h"

#include "ab_bytes.h"

#include <stdio.h>
#include <string.h>

#define FLAG_SIGNED 0x01u
#define FLAG_ERASURE 0x02u
#define MAC 16 /* bytes of it that are sent */
#define FIXED                                                \
	(3 + 3 * 16 + 2 * 2 + 3 + 3 * 8 + 4 + AB_GUESS_COUNT * 4 \
			+ AB_METHOD_COUNT * 4 + 4 + 2 + 4)
#define BODY_MAX (FIXED + 2 * (1 + AB_NAME_LEN))

_Static_assert(BODY_MAX + MAC <= AB_EVIDENCE_WIRE_MAX, "it fits");

#define ERASURE (3 + 16 + 8 + 8)

static const uint8_t label[8] = {'e', 'v', 'i', 'd', 'e', 'n', 'c', 'e'};

void ab_evidence_wire_key(
		const struct ab_wire *w, char out[static AB_WIRE_KEY_MAX])
{
	snprintf(out, AB_WIRE_KEY_MAX, "{%s:0}:evidence", w->prefix);
}

static void sign(const struct ab_wire *w, const uint8_t *body, size_t len,
		uint8_t out[static AB_MAC_LEN])
{
	uint8_t data[sizeof(label) + 1 + AB_WIRE_PREFIX_MAX + BODY_MAX];
	size_t n = strlen(w->prefix);
	uint8_t *p = data;

	memcpy(p, label, sizeof(label));
	p += sizeof(label);
	*p++ = (uint8_t)n;
	memcpy(p, w->prefix, n);
	memcpy(p + n, body, len);
	w->mac.sign(w->mac.key, data, (size_t)(p - data) + n + len, out);
}

/* The length with the MAC behind the body, where there is one. */
static size_t signed_len(const struct ab_wire *w, uint8_t *body, size_t len)
{
	uint8_t full[AB_MAC_LEN];

	if(!w->mac.sign)
		return len;
	sign(w, body, len, full);
	memcpy(body + len, full, MAC);
	return len + MAC;
}

static uint8_t *put_text(uint8_t *p, const char *text)
{
	size_t n = strlen(text), i;

	*p++ = (uint8_t)n;
	for(i = 0; i < n; i++)
		*p++ = (uint8_t)text[i];
	return p;
}

static uint8_t *put_addr(uint8_t *p, const struct ab_addr *a)
{
	memcpy(p, a->b, sizeof(a->b));
	return p + sizeof(a->b);
}

size_t ab_evidence_write(const struct ab_wire *w,
		const struct ab_evidence_news *news,
		uint8_t out[static AB_EVIDENCE_WIRE_MAX])
{
	const struct ab_evidence_record *r = &news->r;
	uint8_t *p = out;
	unsigned i;

	*p++ = AB_WIRE_VERSION;
	*p++ = w->mac.sign ? FLAG_SIGNED : 0;
	*p++ = r->source_len;
	p = put_addr(put_addr(put_addr(p, &r->source), &r->address), &r->local);
	p = ab_put(ab_put(p, r->port, 2), r->local_port, 2);
	*p++ = r->transport;
	*p++ = r->proof;
	*p++ = r->flags & AB_EVIDENCE_CAMPAIGN;
	p = ab_put(ab_put(ab_put(p, r->first, 8), r->last, 8), r->incident, 8);
	p = ab_put(p, r->failures, 4);
	for(i = 0; i < AB_GUESS_COUNT; i++)
		p = ab_put(p, r->guesses[i], 4);
	for(i = 0; i < AB_METHOD_COUNT; i++)
		p = ab_put(p, r->methods[i], 4);
	p = ab_put(ab_put(ab_put(p, r->users, 4), r->bans, 2), r->ban_seconds, 4);
	p = put_text(put_text(p, news->reason), news->origin);
	return signed_len(w, out, (size_t)(p - out));
}

static const uint8_t *get_addr(const uint8_t *p, struct ab_addr *a)
{
	memcpy(a->b, p, sizeof(a->b));
	return p + sizeof(a->b);
}

/* A length byte and that many printable bytes, before `end`. */
static bool get_text(
		const uint8_t **p, const uint8_t *end, char out[static AB_NAME_LEN + 1])
{
	size_t n, i;

	if(*p >= end)
		return false;
	n = *(*p)++;
	if(n > AB_NAME_LEN || n > (size_t)(end - *p))
		return false;
	for(i = 0; i < n; i++)
		if((*p)[i] <= ' ' || (*p)[i] >= 0x7f)
			return false;
	memcpy(out, *p, n);
	out[n] = '\0';
	*p += n;
	return true;
}

static void get_body(const uint8_t **at, struct ab_evidence_record *r)
{
	const uint8_t *p = *at;
	unsigned i;

	r->source_len = (uint8_t)ab_get(&p, 1);
	p = get_addr(get_addr(get_addr(p, &r->source), &r->address), &r->local);
	r->port = (uint16_t)ab_get(&p, 2);
	r->local_port = (uint16_t)ab_get(&p, 2);
	r->transport = (uint8_t)ab_get(&p, 1);
	r->proof = (uint8_t)ab_get(&p, 1);
	r->flags = (uint8_t)ab_get(&p, 1);
	r->first = ab_get(&p, 8);
	r->last = ab_get(&p, 8);
	r->incident = ab_get(&p, 8);
	r->failures = (uint32_t)ab_get(&p, 4);
	for(i = 0; i < AB_GUESS_COUNT; i++)
		r->guesses[i] = (uint32_t)ab_get(&p, 4);
	for(i = 0; i < AB_METHOD_COUNT; i++)
		r->methods[i] = (uint32_t)ab_get(&p, 4);
	r->users = (uint32_t)ab_get(&p, 4);
	r->bans = (uint16_t)ab_get(&p, 2);
	r->ban_seconds = (uint32_t)ab_get(&p, 4);
	*at = p;
}

static bool in_range(const struct ab_evidence_record *r)
{
	struct ab_prefix p;
	uint64_t sum = 0;
	unsigned i;

	if(r->source_len == 0 || r->source_len > 128
			|| r->transport >= AB_TRANSPORT_COUNT
			|| (r->proof != AB_PROOF_TOKEN && r->proof != AB_PROOF_STREAM
					&& r->proof != AB_PROOF_NONCE)
			|| (r->flags & ~AB_EVIDENCE_CAMPAIGN) || r->failures == 0
			|| r->failures > INT32_MAX || r->ban_seconds > AB_FOR_EVER
			|| r->first > r->last || r->last >> 48 != 0)
		return false;
	for(i = 0; i < AB_GUESS_COUNT; i++)
		sum += r->guesses[i];
	for(i = 0; i < AB_METHOD_COUNT; i++)
		if(r->methods[i] > r->failures)
			return false;
	/* where a count has met its end they may differ */
	if(sum != r->failures && r->failures != INT32_MAX)
		return false;
	p = ab_prefix_make(&r->source, r->source_len);
	return ab_addr_equal(&p.addr, &r->source)
		   && ab_prefix_contains(&p, &r->address);
}

/* Version, flags, length and MAC; then the body is what a proxy of ours wrote. */
static enum ab_wire_result check(const struct ab_wire *w, const uint8_t *bytes,
		size_t len, unsigned kind, size_t least, size_t most)
{
	size_t mac = w->mac.sign ? MAC : 0;
	uint8_t full[AB_MAC_LEN];

	if(len < 2)
		return AB_WIRE_LENGTH;
	if(bytes[0] != AB_WIRE_VERSION)
		return bytes[0] > AB_WIRE_VERSION ? AB_WIRE_VERSION_UNKNOWN
										  : AB_WIRE_RANGE;
	if((bytes[1] & ~FLAG_SIGNED) != kind)
		return AB_WIRE_RANGE;
	if((w->mac.sign != NULL) != ((bytes[1] & FLAG_SIGNED) != 0))
		return AB_WIRE_UNSIGNED;
	if(len < least + mac || len > most + mac)
		return AB_WIRE_LENGTH;
	if(mac) {
		sign(w, bytes, len - mac, full);
		if(!ab_mac_equal(full, bytes + len - mac, MAC))
			return AB_WIRE_MAC;
	}
	return AB_WIRE_OK;
}

enum ab_wire_result ab_evidence_read(const struct ab_wire *w,
		const uint8_t *bytes, size_t len, struct ab_evidence_news *out)
{
	enum ab_wire_result r = check(w, bytes, len, 0, FIXED + 2, BODY_MAX);
	const uint8_t *p = bytes + 2, *end;

	if(r != AB_WIRE_OK)
		return r;
	end = bytes + len - (w->mac.sign ? MAC : 0);
	memset(out, 0, sizeof(*out));
	get_body(&p, &out->r);
	if(!get_text(&p, end, out->reason) || !get_text(&p, end, out->origin)
			|| p != end)
		return AB_WIRE_LENGTH;
	return in_range(&out->r) ? AB_WIRE_OK : AB_WIRE_RANGE;
}

/* --- erasures --- */

bool ab_erasure_is(const uint8_t *bytes, size_t len)
{
	return len >= 2 && (bytes[1] & FLAG_ERASURE);
}

size_t ab_erasure_write(const struct ab_wire *w, const struct ab_erasure *er,
		uint8_t out[static AB_EVIDENCE_WIRE_MAX])
{
	uint8_t *p = out;

	*p++ = AB_WIRE_VERSION;
	*p++ = FLAG_ERASURE | (w->mac.sign ? FLAG_SIGNED : 0);
	*p++ = er->source.len;
	p = put_addr(p, &er->source.addr);
	p = ab_put(ab_put(p, er->user, 8), er->time, 8);
	return signed_len(w, out, (size_t)(p - out));
}

enum ab_wire_result ab_erasure_read(const struct ab_wire *w,
		const uint8_t *bytes, size_t len, struct ab_erasure *out)
{
	enum ab_wire_result r =
			check(w, bytes, len, FLAG_ERASURE, ERASURE, ERASURE);
	const uint8_t *p = bytes + 2;
	struct ab_prefix whole;

	if(r != AB_WIRE_OK)
		return r;
	memset(out, 0, sizeof(*out));
	out->source.len = (uint8_t)ab_get(&p, 1);
	p = get_addr(p, &out->source.addr);
	out->user = ab_get(&p, 8);
	out->time = ab_get(&p, 8);
	if(out->user)
		return out->source.len == 0 ? AB_WIRE_OK : AB_WIRE_RANGE;
	if(out->source.len == 0 || out->source.len > 128)
		return AB_WIRE_RANGE;
	whole = ab_prefix_make(&out->source.addr, out->source.len);
	return ab_addr_equal(&whole.addr, &out->source.addr) ? AB_WIRE_OK
														 : AB_WIRE_RANGE;
}
