/*
 * authban: lists, erasing and retention of what is kept of offenders
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_evidence_layout.h"

#include <string.h>

#define relaxed memory_order_relaxed

const char *ab_transport_name(unsigned transport)
{
	static const char *const names[AB_TRANSPORT_COUNT] = {
			"other", "udp", "tcp", "tls", "ws", "wss", "sctp"};

	return names[transport < AB_TRANSPORT_COUNT ? transport : 0];
}

const char *ab_method_name(unsigned method)
{
	static const char *const names[AB_METHOD_COUNT] = {"OTHER", "REGISTER",
			"INVITE", "OPTIONS", "SUBSCRIBE", "PUBLISH", "MESSAGE", "REFER",
			"NOTIFY", "INFO", "UPDATE", "BYE"};

	return names[method < AB_METHOD_COUNT ? method : 0];
}

const char *ab_guess_name(unsigned guess)
{
	static const char *const names[AB_GUESS_COUNT] = {
			"wrong_password", "no_user", "malformed", "script"};

	return guess < AB_GUESS_COUNT ? names[guess] : "other";
}

/* Works on each used record of some sets, under their locks. */
typedef void (*visit_f)(const struct ab_evidence *e, uint32_t set, unsigned way,
		struct ab_evidence_record *r, void *arg);

static void visit(const struct ab_evidence *e, uint32_t from, uint32_t to,
		visit_f fn, void *arg)
{
	uint32_t set;
	unsigned way;

	for(set = from; set < to; set++) {
		struct ab_evidence_set *s = &e->head->set[set];

		if(!ab_evidence_lock(e, set))
			continue;
		for(way = 0; way < AB_EVIDENCE_WAYS; way++) {
			if(s->tag[way] == 0)
				continue;
			s->writing = (uint8_t)(way + 1);
			fn(e, set, way, ab_evidence_record_at(e, set, way), arg);
		}
		ab_evidence_unlock(e, set);
	}
}

/* --- samples --- */

static void remove_sample(struct ab_evidence_record *r, unsigned i)
{
	r->samples--;
	memmove(&r->sample[i], &r->sample[i + 1],
			(r->samples - i) * sizeof(r->sample[0]));
	memset(&r->sample[r->samples], 0, sizeof(r->sample[0]));
}

void ab_evidence_drop_samples(
		struct ab_evidence_record *r, uint64_t wall_ms, uint64_t ms)
{
	unsigned i;

	for(i = r->samples; i-- > 0;)
		if(wall_ms >= r->sample[i].time && wall_ms - r->sample[i].time >= ms)
			remove_sample(r, i);
}

void ab_evidence_copy(const struct ab_evidence *e,
		const struct ab_evidence_record *r, uint32_t mono,
		struct ab_evidence_record *out)
{
	uint64_t idle = (int32_t)(mono - r->seen) > 0 ? mono - r->seen : 0;

	*out = *r;
	ab_evidence_drop_samples(
			out, r->last + idle * 1000, (uint64_t)e->ttl * 1000);
}

/* --- lists --- */

struct list_job
{
	struct ab_evidence_place *out;
	size_t n, max;
	uint32_t mono;
};

static void note_place(const struct ab_evidence *e, uint32_t set, unsigned way,
		struct ab_evidence_record *r, void *arg)
{
	struct list_job *j = arg;

	if(j->n == j->max || ab_evidence_is_over(e, r, j->mono))
		return;
	j->out[j->n++] =
			(struct ab_evidence_place){r->last, set * AB_EVIDENCE_WAYS + way};
}

uint32_t ab_evidence_places(const struct ab_evidence *e)
{
	return e->head ? e->head->sets * AB_EVIDENCE_WAYS : 0;
}

size_t ab_evidence_list(const struct ab_evidence *e, uint32_t mono,
		struct ab_evidence_place *out, size_t max)
{
	struct list_job j = {out, 0, max, mono};

	if(e->head)
		visit(e, 0, e->head->sets, note_place, &j);
	return j.n;
}

bool ab_evidence_at(const struct ab_evidence *e, uint32_t place, uint32_t mono,
		struct ab_evidence_record *out)
{
	uint32_t set = place / AB_EVIDENCE_WAYS;
	unsigned way = place % AB_EVIDENCE_WAYS;
	const struct ab_evidence_record *r;
	bool live;

	if(place >= ab_evidence_places(e) || !ab_evidence_lock(e, set))
		return false;
	r = ab_evidence_record_at(e, set, way);
	live = e->head->set[set].tag[way] != 0 && !ab_evidence_is_over(e, r, mono);
	if(live)
		ab_evidence_copy(e, r, mono, out);
	ab_evidence_unlock(e, set);
	return live;
}

/* --- what others are told --- */

struct due_job
{
	struct ab_evidence_record *out;
	size_t n, max;
	uint32_t mono, pause;
};

static void take_due(const struct ab_evidence *e, uint32_t set, unsigned way,
		struct ab_evidence_record *r, void *arg)
{
	struct due_job *j = arg;

	(void)set;
	(void)way;
	if(j->n == j->max || (r->flags & AB_EVIDENCE_IMPORTED)
			|| !(r->flags & AB_EVIDENCE_CHANGED)
			|| (!r->bans && !r->told)
			/* a pardon is told at once: nobody reports what was lifted */
			|| (r->told && r->bans && j->mono - r->told < j->pause)
			|| ab_evidence_is_over(e, r, j->mono))
		return;
	r->flags &= (uint8_t)~AB_EVIDENCE_CHANGED;
	r->told = j->mono ? j->mono : 1;
	j->out[j->n++] = *r;
}

size_t ab_evidence_take_due(const struct ab_evidence *e, uint32_t mono,
		uint32_t pause, struct ab_evidence_record *out, size_t max)
{
	struct due_job j = {out, 0, max, mono, pause};

	if(e->head)
		visit(e, 0, e->head->sets, take_due, &j);
	return j.n;
}

static void forget_told(const struct ab_evidence *e, uint32_t set, unsigned way,
		struct ab_evidence_record *r, void *arg)
{
	(void)e;
	(void)set;
	(void)way;
	(void)arg;
	if(r->told)
		r->flags |= AB_EVIDENCE_CHANGED;
	r->told = 0;
}

void ab_evidence_tell_again(const struct ab_evidence *e)
{
	if(e->head)
		visit(e, 0, e->head->sets, forget_told, NULL);
}

/* --- users --- */

struct user_job
{
	bool (*is)(void *arg, const struct ab_evidence_sample *s);
	void *arg;
	unsigned n;
};

static void erase_samples(const struct ab_evidence *e, uint32_t set,
		unsigned way, struct ab_evidence_record *r, void *arg)
{
	struct user_job *j = arg;
	unsigned i;

	(void)e;
	(void)set;
	(void)way;
	for(i = r->samples; i-- > 0;) {
		if(!j->is(j->arg, &r->sample[i]))
			continue;
		remove_sample(r, i);
		j->n++;
	}
}

unsigned ab_evidence_erase_user(const struct ab_evidence *e,
		bool (*is)(void *arg, const struct ab_evidence_sample *s), void *arg)
{
	struct user_job j = {is, arg, 0};

	if(e->head)
		visit(e, 0, e->head->sets, erase_samples, &j);
	return j.n;
}

struct name_job
{
	uint64_t user;
	uint32_t mono;
	char *out;
	bool found;
};

static void look_for_name(const struct ab_evidence *e, uint32_t set,
		unsigned way, struct ab_evidence_record *r, void *arg)
{
	struct name_job *j = arg;
	unsigned i;

	(void)set;
	(void)way;
	for(i = 0; i < r->samples && !j->found; i++) {
		const struct ab_evidence_sample *s = &r->sample[i];

		if(s->user != j->user || !s->name[0]
				|| ab_evidence_is_over(e, r, j->mono))
			continue;
		memcpy(j->out, s->name, AB_EVIDENCE_NAME);
		j->out[AB_EVIDENCE_NAME] = '\0';
		j->found = true;
	}
}

bool ab_evidence_name(const struct ab_evidence *e, uint64_t user, uint32_t mono,
		char out[static AB_EVIDENCE_NAME + 1])
{
	struct name_job j = {user, mono, out, false};

	if(e->head && user)
		visit(e, 0, e->head->sets, look_for_name, &j);
	return j.found;
}

/* --- retention --- */

struct sweep_job
{
	uint64_t wall_ms;
	uint32_t mono;
};

static void sweep(const struct ab_evidence *e, uint32_t set, unsigned way,
		struct ab_evidence_record *r, void *arg)
{
	const struct sweep_job *j = arg;

	if(ab_evidence_is_over(e, r, j->mono))
		ab_evidence_free(e, set, way);
	else
		ab_evidence_drop_samples(r, j->wall_ms, (uint64_t)e->ttl * 1000);
}

void ab_evidence_sweep(const struct ab_evidence *e, uint32_t part,
		uint32_t parts, uint64_t wall_ms, uint32_t mono)
{
	struct sweep_job j = {wall_ms, mono};
	uint64_t sets = e->head ? e->head->sets : 0;

	part %= parts;
	visit(e, (uint32_t)(sets * part / parts),
			(uint32_t)(sets * (part + 1) / parts), sweep, &j);
}

static void count_used(const struct ab_evidence *e, uint32_t set, unsigned way,
		struct ab_evidence_record *r, void *arg)
{
	(void)e;
	(void)set;
	(void)way;
	(void)r;
	++*(uint32_t *)arg;
}

void ab_evidence_get_stats(
		const struct ab_evidence *e, struct ab_evidence_stats *out)
{
	memset(out, 0, sizeof(*out));
	if(!e->head)
		return;
	out->capacity = ab_evidence_places(e);
	visit(e, 0, e->head->sets, count_used, &out->used);
	out->evicted = atomic_load_explicit(&e->head->evicted, relaxed);
	out->refused = atomic_load_explicit(&e->head->refused, relaxed);
}
