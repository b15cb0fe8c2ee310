/*
 * authban: what a proxy knows, as bytes that outlive it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_snapshot.h"

#include "ab_bytes.h"
#include <string.h>

#define PROLOGUE 16
#define FLAG_KEYED 0x01u
#define FLAG_CLUSTER_CLOCK 0x01u
#define HEAD_BYTES 77
#define END_BYTES 8
#define FRAME_BEGIN AB_MAC_LEN /* of the frame's head in the buffer */
#define PAYLOAD_BEGIN (AB_MAC_LEN + AB_SNAPSHOT_FRAME_HEAD)

enum frame_type
{
	FRAME_HEAD = 1,
	FRAME_FACTS,
	FRAME_STATES,
	FRAME_END
};

/* The line end shows a file that went through a conversion of texts. */
static const uint8_t magic[8] = {'a', 'u', 't', 'h', 'b', 'a', 'n', '\n'};

_Static_assert(AB_WIRE_STATE_MAX <= 255, "a state's length is one byte");

const char *ab_snapshot_result_name(enum ab_snapshot_result r)
{
	static const char *const names[AB_SNAPSHOT_RESULTS] = {"is whole",
			"is no snapshot of authban", "was made by a newer authban",
			"was made with a cluster key, or without one, unlike now",
			"ends too early", "was changed, or belongs to another cluster",
			"has content that cannot be", "takes too long to read"};

	return (size_t)r < AB_SNAPSHOT_RESULTS ? names[r] : "cannot be read";
}

uint64_t ab_snapshot_elapsed(const struct ab_snapshot_head *head,
		const struct ab_snapshot_moment *now)
{
	static const uint8_t unknown[sizeof(now->boot)];
	const struct ab_snapshot_moment *then = &head->at;

	if(memcmp(then->boot, now->boot, sizeof(now->boot)) == 0
			&& memcmp(now->boot, unknown, sizeof(now->boot)) != 0
			&& now->mono_ms >= then->mono_ms)
		return now->mono_ms - then->mono_ms;
	return now->wall_ms > then->wall_ms ? now->wall_ms - then->wall_ms : 0;
}

/* The first MAC covers the prologue in the place of a MAC before. */
static void make_prologue(uint8_t out[static AB_MAC_LEN], bool keyed)
{
	memset(out, 0, AB_MAC_LEN);
	memcpy(out, magic, sizeof(magic));
	out[sizeof(magic)] = AB_SNAPSHOT_VERSION;
	out[sizeof(magic) + 1] = keyed ? FLAG_KEYED : 0;
}

/* --- writing --- */

/* Ends the frame in the buffer and gives it away. */
static void flush(struct ab_snapshot_writer *w)
{
	size_t len = PAYLOAD_BEGIN + w->used;

	if(!w->failed && w->type != 0) {
		ab_put(w->frame + FRAME_BEGIN, w->type, 1);
		ab_put(w->frame + FRAME_BEGIN + 1, w->used, 4);
		w->mac.mac.sign(w->mac.mac.key, w->frame, len, w->frame + len);
		w->failed = !w->put(
				w->arg, w->frame + FRAME_BEGIN, len - FRAME_BEGIN + AB_MAC_LEN);
		memmove(w->frame, w->frame + len, AB_MAC_LEN);
	}
	/* also when nothing can be kept any more: the buffer begins anew */
	w->used = 0;
	w->type = 0;
}

/* Room for n bytes in a frame of a type. */
static uint8_t *room(
		struct ab_snapshot_writer *w, enum frame_type type, size_t n)
{
	uint8_t *p;

	if(w->type != type || w->used + n > AB_SNAPSHOT_PAYLOAD)
		flush(w);
	w->type = (uint8_t)type;
	p = w->frame + PAYLOAD_BEGIN + w->used;
	w->used += n;
	return p;
}

void ab_snapshot_begin(
		struct ab_snapshot_writer *w, const struct ab_snapshot_head *head)
{
	uint8_t *p;

	w->type = 0;
	w->used = 0;
	w->facts = w->states = 0;
	make_prologue(w->frame, w->mac.keyed);
	w->failed = !w->put(w->arg, w->frame, PROLOGUE);
	p = room(w, FRAME_HEAD, HEAD_BYTES);
	p = ab_put(p, head->at.cluster_ms, 8);
	p = ab_put(p, head->at.wall_ms, 8);
	p = ab_put(p, head->at.mono_ms, 8);
	memcpy(p, head->at.boot, 16);
	p = ab_put(p + 16, head->cluster_clock ? FLAG_CLUSTER_CLOCK : 0, 1);
	memcpy(p, head->good_key, 16);
	memcpy(p + 16, head->user_key, 16);
	ab_put(p + 32, head->lines, 4);
}

void ab_snapshot_put_fact(
		struct ab_snapshot_writer *w, const struct ab_fact *fact)
{
	uint8_t *p = room(w, FRAME_FACTS, AB_SNAPSHOT_FACT);

	p = ab_put(p, fact->line, 4);
	p = ab_put(p, fact->age, 3);
	ab_put(p, fact->name, 5);
	w->facts++;
}

void ab_snapshot_put_state(
		struct ab_snapshot_writer *w, const uint8_t *record, size_t len)
{
	uint8_t *p = room(w, FRAME_STATES, 1 + len);

	ab_put(p, len, 1);
	memcpy(p + 1, record, len);
	w->states++;
}

bool ab_snapshot_end(struct ab_snapshot_writer *w)
{
	uint8_t *p = room(w, FRAME_END, END_BYTES);

	ab_put(ab_put(p, w->facts, 4), w->states, 4);
	flush(w);
	return !w->failed;
}

/* --- reading --- */

static enum ab_snapshot_result read_prologue(struct ab_snapshot_reader *r)
{
	uint8_t want[AB_MAC_LEN];

	memset(r->frame, 0, AB_MAC_LEN);
	if(!r->get(r->arg, r->frame, PROLOGUE))
		return AB_SNAPSHOT_SHORT;
	if(memcmp(r->frame, magic, sizeof(magic)) != 0)
		return AB_SNAPSHOT_FOREIGN;
	if(r->frame[sizeof(magic)] > AB_SNAPSHOT_VERSION)
		return AB_SNAPSHOT_NEWER;
	make_prologue(want, r->mac.keyed);
	if((r->frame[sizeof(magic) + 1] & FLAG_KEYED)
			!= (want[sizeof(magic) + 1] & FLAG_KEYED))
		return AB_SNAPSHOT_KEY;
	return memcmp(r->frame, want, sizeof(want)) == 0 ? AB_SNAPSHOT_OK
													 : AB_SNAPSHOT_FOREIGN;
}

/* The next frame, with its MAC checked and moved to where the next one wants it. */
static enum ab_snapshot_result read_frame(
		struct ab_snapshot_reader *r, size_t *len)
{
	const uint8_t *p = r->frame + FRAME_BEGIN + 1;
	uint8_t want[AB_MAC_LEN];

	if(!r->get(r->arg, r->frame + FRAME_BEGIN, AB_SNAPSHOT_FRAME_HEAD))
		return AB_SNAPSHOT_SHORT;
	*len = (size_t)ab_get(&p, 4);
	if(*len > AB_SNAPSHOT_PAYLOAD)
		return AB_SNAPSHOT_MAC;
	if(!r->get(r->arg, r->frame + PAYLOAD_BEGIN, *len + AB_MAC_LEN))
		return AB_SNAPSHOT_SHORT;
	r->mac.mac.sign(r->mac.mac.key, r->frame, PAYLOAD_BEGIN + *len, want);
	if(!ab_mac_equal(want, r->frame + PAYLOAD_BEGIN + *len, AB_MAC_LEN))
		return AB_SNAPSHOT_MAC;
	memcpy(r->frame, want, AB_MAC_LEN);
	return AB_SNAPSHOT_OK;
}

static bool take_head(
		struct ab_snapshot_reader *r, const uint8_t *p, size_t len)
{
	struct ab_snapshot_head h;
	uint8_t flags;

	if(len != HEAD_BYTES)
		return false;
	h.at.cluster_ms = ab_get(&p, 8);
	h.at.wall_ms = ab_get(&p, 8);
	h.at.mono_ms = ab_get(&p, 8);
	memcpy(h.at.boot, p, 16);
	p += 16;
	flags = (uint8_t)ab_get(&p, 1);
	h.cluster_clock = flags & FLAG_CLUSTER_CLOCK;
	memcpy(h.good_key, p, 16);
	memcpy(h.user_key, p + 16, 16);
	p += 32;
	h.lines = (uint32_t)ab_get(&p, 4);
	if((flags & ~FLAG_CLUSTER_CLOCK) || (h.lines & (h.lines - 1)))
		return false;
	if(r->head)
		r->head(r->arg, &h);
	return true;
}

static bool take_facts(
		struct ab_snapshot_reader *r, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;
	struct ab_fact fact;

	if(len % AB_SNAPSHOT_FACT != 0)
		return false;
	while(p < end) {
		fact.line = (uint32_t)ab_get(&p, 4);
		fact.age = (uint32_t)ab_get(&p, 3);
		fact.name = ab_get(&p, 5);
		r->facts++;
		if(r->fact)
			r->fact(r->arg, &fact);
	}
	return true;
}

static bool take_states(
		struct ab_snapshot_reader *r, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;

	while(p < end) {
		size_t n = *p++;

		if(n > AB_WIRE_STATE_MAX || n > (size_t)(end - p))
			return false;
		r->states++;
		if(r->state)
			r->state(r->arg, p, n);
		p += n;
	}
	return true;
}

/* The end tells how much there was; behind it there is nothing. */
static bool is_the_end(
		struct ab_snapshot_reader *r, const uint8_t *p, size_t len)
{
	uint8_t more;

	return len == END_BYTES && ab_get(&p, 4) == r->facts
		   && ab_get(&p, 4) == r->states && !r->get(r->arg, &more, 1);
}

enum ab_snapshot_result ab_snapshot_read(struct ab_snapshot_reader *r)
{
	enum ab_snapshot_result result = read_prologue(r);
	const uint8_t *payload = r->frame + PAYLOAD_BEGIN;
	bool first = true, good = true;
	size_t len;

	r->facts = r->states = 0;
	while(result == AB_SNAPSHOT_OK && good) {
		uint8_t type;

		if(r->go_on && !r->go_on(r->arg))
			return AB_SNAPSHOT_STOPPED;
		result = read_frame(r, &len);
		if(result != AB_SNAPSHOT_OK)
			break;
		type = r->frame[FRAME_BEGIN];
		if(first != (type == FRAME_HEAD))
			return AB_SNAPSHOT_CONTENT;
		first = false;
		if(type == FRAME_END)
			return is_the_end(r, payload, len) ? AB_SNAPSHOT_OK
											   : AB_SNAPSHOT_CONTENT;
		good = (type == FRAME_HEAD && take_head(r, payload, len))
			   || (type == FRAME_FACTS && take_facts(r, payload, len))
			   || (type == FRAME_STATES && take_states(r, payload, len));
	}
	return good ? result : AB_SNAPSHOT_CONTENT;
}
