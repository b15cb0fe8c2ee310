/*
 * authban: an address or a user is forgotten
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where a ban is known to others it is lifted for all of them, and the trace of that
 * lasts as long as any unban's. See docs/privacy.md for what cannot be found.
 */
#include "authban_erase.h"

#include "authban_log.h"
#include "authban_params.h"
#include "authban_privacy.h"
#include "authban_record.h"
#include "authban_shared.h"

#include "core/dprint.h"
#include "core/mem/shm_mem.h"

#include <stdatomic.h>
#include <string.h>

#define NOTES 64
#define ROWS 64 /* of the table, in one go */

enum
{
	NOTE_FREE = 0,
	NOTE_WRITING,
	NOTE_READY
};

static struct note
{
	_Atomic uint32_t state;
	struct ab_erasure what;
} * notes; /* shared; NULL: there is nobody to tell */

struct job
{
	const struct ab_erasure *er;
	uint32_t age;
	struct authban_erased *out;
};

/* An entry of the table: others may hold its state, and then have to hear. */
static void erase_entry(
		const struct ab_judge *j, const struct ab_view *v, struct job *job)
{
	bool ban = v->state == AB_STATE_BANNED || v->state == AB_STATE_DRY_RUN;
	struct ab_judgement lifted;

	if((ban ? v->age : v->idle) < job->age)
		return;
	job->out->entries++;
	if(ban) {
		ab_judge_unban(j, &v->key, AB_REASON_OPERATOR, &lifted);
		authban_news(&lifted);
	}
	if(!ban || !ab_table_clustered(j->table))
		ab_table_remove(j->table, &v->key, j->set, &j->now);
}

static bool is_meant(const struct ab_view *v, const struct ab_erasure *er)
{
	struct ab_key whom = ab_key_user(er->user);

	if(er->user == 0)
		return (v->key.kind == AB_KIND_SOURCE || v->key.kind == AB_KIND_PAIR)
			   && v->key.plen == er->source.len
			   && ab_addr_equal(&v->key.addr, &er->source.addr);
	if(v->key.kind == AB_KIND_PAIR)
		return v->key.user == er->user;
	return v->key.kind == AB_KIND_USER
		   && ab_addr_equal(&v->key.addr, &whom.addr);
}

/* A row of the table: may it go, and who has logged in there? */
static void look_at(
		const struct ab_guard *g, const struct ab_view *v, struct job *job)
{
	struct ab_prefix source = {v->key.addr, v->key.plen};
	const struct ab_judge *j = &g->judge;
	uint32_t time = (uint32_t)j->set->good_time;
	bool meant = is_meant(v, job->er);
	uint64_t whom = v->key.kind == AB_KIND_PAIR ? v->key.user : job->er->user;

	/* a user may have logged in wherever anything is known of */
	if((meant && v->key.kind == AB_KIND_PAIR)
			|| (job->er->user && v->key.kind == AB_KIND_SOURCE))
		job->out->facts +=
				ab_good_forget(&g->good, &source, whom, j->now.mono, time);
	if(meant)
		erase_entry(j, v, job);
}

static bool is_sample_of(void *arg, const struct ab_evidence_sample *s)
{
	uint64_t hash = *(const uint64_t *)arg;

	return s->user == hash || s->user == authban_pseudonym(hash, s->time);
}

/* last: an unban would still have found it */
static void erase_evidence(const struct ab_guard *g, struct job *job)
{
	struct ab_evidence e = authban_records();
	struct ab_evidence_record r;
	uint64_t hash = job->er->user;
	uint32_t now = g->judge.now.mono;

	if(hash)
		job->out->samples =
				(int)ab_evidence_erase_user(&e, is_sample_of, &hash);
	else if(job->age == 0
			|| (ab_evidence_get(&e, &job->er->source, now, &r)
					&& now - r.seen >= job->age))
		job->out->evidence = ab_evidence_erase(&e, &job->er->source);
}

void authban_erase(
		const struct ab_erasure *er, uint32_t age, struct authban_erased *out)
{
	struct ab_guard g = *authban_guard();
	const struct ab_judge *j = &g.judge;
	struct job job = {er, age, out};
	struct ab_view row[ROWS];
	struct ab_cursor at = {0};
	size_t n, i;

	memset(out, 0, sizeof(*out));
	while((n = ab_table_walk(j->table, &at, j->set, &j->now, row, ROWS)) > 0)
		for(i = 0; i < n; i++)
			look_at(&g, &row[i], &job);
	if(er->user == 0)
		out->facts += ab_good_forget(&g.good, &er->source, 0, j->now.mono,
				(uint32_t)j->set->good_time);
	erase_evidence(&g, &job);
}

/* --- for the others --- */

int authban_erase_init(void)
{
	notes = shm_malloc(NOTES * sizeof(*notes));
	if(!notes) {
		LM_ERR("there is no shared memory left: start Kamailio with a larger"
			   " -m\n");
		return -1;
	}
	memset(notes, 0, NOTES * sizeof(*notes));
	return 0;
}

bool authban_erase_note(const struct ab_erasure *er)
{
	unsigned i;

	if(!notes)
		return true;
	for(i = 0; i < NOTES; i++) {
		uint32_t nobody = NOTE_FREE;

		if(!atomic_compare_exchange_strong(
				   &notes[i].state, &nobody, NOTE_WRITING))
			continue;
		notes[i].what = *er;
		atomic_store(&notes[i].state, NOTE_READY);
		return true;
	}
	return false;
}

size_t authban_erase_noted(struct ab_erasure *out, size_t max)
{
	size_t n = 0;
	unsigned i;

	for(i = 0; notes && i < NOTES && n < max; i++)
		if(atomic_load(&notes[i].state) == NOTE_READY)
			out[n++] = notes[i].what;
	return n;
}

static bool same(const struct ab_erasure *a, const struct ab_erasure *b)
{
	return a->time == b->time && a->user == b->user
		   && a->source.len == b->source.len
		   && ab_addr_equal(&a->source.addr, &b->source.addr);
}

void authban_erase_told(const struct ab_erasure *er, size_t n)
{
	unsigned i;
	size_t k;

	for(i = 0; notes && i < NOTES; i++)
		for(k = 0; k < n; k++)
			if(atomic_load(&notes[i].state) == NOTE_READY
					&& same(&notes[i].what, &er[k]))
				atomic_store(&notes[i].state, NOTE_FREE);
}

bool authban_erase_waits(void)
{
	unsigned i;

	for(i = 0; notes && i < NOTES; i++)
		if(atomic_load_explicit(&notes[i].state, memory_order_relaxed)
				== NOTE_READY)
			return true;
	return false;
}
