/*
 * authban: random histories of the table against a simple model
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The model is an array with one row a source; it knows two windows, one ban
 * and the number of repeats. It never evicts.
 */
#include "unit.h"

#include <string.h>

#define KEYS 200

struct row
{
	bool known, changed; /* changed: a ban has ended, or an unban was made */
	uint32_t window;	 /* number of the window that n[0] counts */
	uint32_t n[2];
	uint8_t state;
	uint32_t until, ended, repeats;
};

struct history
{
	struct box b;
	struct rng r;
	struct row rows[KEYS];
};

static uint32_t second(const struct history *h)
{
	return (uint32_t)(h->b.now.cluster_ms / 1000);
}

/* What time alone does to a row. */
static void age(const struct history *h, struct row *w)
{
	uint32_t now = second(h) / (uint32_t)h->b.set.window;

	if(w->state != AB_STATE_NONE && w->until <= h->b.now.mono) {
		if(w->state == AB_STATE_BANNED) {
			w->n[0] = w->n[1] = 0;
			w->ended = w->until;
			w->changed = true;
		}
		w->state = AB_STATE_NONE;
	}
	if(w->state == AB_STATE_BANNED || now <= w->window)
		return;
	w->n[1] = now == w->window + 1 ? w->n[0] : 0;
	w->n[0] = 0;
	w->window = now;
}

static void know(const struct history *h, struct row *w)
{
	if(!w->known) {
		memset(w, 0, sizeof(*w));
		w->known = true;
		w->ended = h->b.now.mono;
	}
	age(h, w);
}

static uint32_t failures(const struct history *h, const struct row *w)
{
	uint32_t length = (uint32_t)h->b.set.window, start = w->window * length;
	uint32_t passed = second(h) > start ? second(h) - start : 0;
	uint32_t left = passed < length ? length - passed : 0;

	/* the nearest integer of n[1] * left / length */
	return w->n[0] + (2 * w->n[1] * left + length) / (2 * length);
}

static uint32_t repeats(const struct history *h, const struct row *w)
{
	if(w->state == AB_STATE_BANNED)
		return w->repeats;
	return h->b.now.mono - w->ended <= (uint32_t)h->b.set.memory ? w->repeats
																 : 0;
}

static struct ab_key random_key(struct history *h, struct row **w, uint32_t n)
{
	uint32_t i = rng_below(&h->r, n);

	*w = &h->rows[i];
	return key_v4(i);
}

/* The end of a ban by the policy is the table's to choose, within bounds. */
static void take_ban(struct history *h, struct row *w,
		const struct ab_judgement *out, uint32_t before)
{
	uint64_t full = (uint64_t)h->b.set.ban_time << (before < 24 ? before : 24);

	if(full > (uint64_t)h->b.set.ban_time_max)
		full = (uint64_t)h->b.set.ban_time_max;
	expect(out->view.ttl <= full && out->view.ttl >= full - full / 16,
			"ban of %u s, not %llu", out->view.ttl, (unsigned long long)full);
	w->state = AB_STATE_BANNED;
	w->until = h->b.now.mono + out->view.ttl;
	w->repeats = before + 1 < 15 ? before + 1 : 15;
}

static void fail_once(struct history *h)
{
	struct row *w;
	struct ab_key key = random_key(h, &w, KEYS);
	uint32_t weight = 1 + rng_below(&h->r, 3), before;
	struct ab_judgement out = box_fail_as(&h->b, &key, 0, weight);
	bool ban;

	know(h, w);
	before = repeats(h, w);
	w->n[0] += weight;
	ban = w->state != AB_STATE_BANNED
		  && failures(h, w) >= (uint32_t)h->b.set.threshold;
	expect(out.ok && out.news == ban,
			"ok %d news %d, state %u, %u failures, epoch %u; the model has %u "
			"%u"
			" failures, state %u",
			out.ok, out.news, out.state, out.view.failures, out.view.epoch,
			w->n[0], w->n[1], w->state);
	if(ban)
		take_ban(h, w, &out, before);
}

static void operate(struct history *h, struct ab_key key, struct row *w)
{
	bool ban = rng_below(&h->r, 3) > 0;
	uint32_t seconds = 1 + rng_below(&h->r, 400);
	struct ab_judgement out =
			ban ? box_ban(&h->b, &key, seconds) : box_unban(&h->b, &key);

	expect(out.ok == (ban || w->known), " ");
	if(!out.ok)
		return;
	know(h, w);
	if(ban) {
		w->state = AB_STATE_BANNED;
		w->until = h->b.now.mono + seconds;
		w->repeats = 1;
		return;
	}
	w->state = AB_STATE_UNBANNED;
	w->until = h->b.now.mono + ab_unban_seconds(&h->b.set);
	w->n[0] = w->n[1] = w->repeats = 0;
	w->ended = h->b.now.mono;
	w->changed = true;
}

static void sweep(struct history *h)
{
	uint32_t i;

	ab_table_sweep(&h->b.table, 0, 1, &h->b.set, &h->b.now);
	for(i = 0; i < KEYS; i++) {
		struct row w = h->rows[i];

		age(h, &w);
		if(w.state == AB_STATE_NONE && w.n[0] == 0 && w.n[1] == 0
				&& repeats(h, &w) == 0
				/* a ban or unban is remembered while its window's shares live */
				&& !(w.changed
						&& h->b.now.mono - w.ended
								   <= 2 * (uint32_t)h->b.set.window))
			h->rows[i].known = false;
	}
}

/* Both clocks go on; the cluster's may jump either way. */
static void pass(struct history *h)
{
	uint32_t kind = rng_below(&h->r, 100);

	box_pass(&h->b, rng_below(&h->r, 5));
	if(kind == 0)
		h->b.now.cluster_ms += rng_below(&h->r, 90) * 1000u;
	else if(kind == 1)
		h->b.now.cluster_ms -= rng_below(&h->r, 90) * 1000u;
}

static void compare(struct history *h)
{
	struct row *at, w;
	struct ab_key key = random_key(h, &at, KEYS);
	struct ab_view v;
	int got = ab_table_get(&h->b.table, &key, &h->b.set, &h->b.now, &v);

	w = *at;
	age(h, &w);
	expect(got == (w.known ? 1 : 0), " ");
	expect((box_check(&h->b, &key) == AB_STATE_BANNED)
					== (w.known && w.state == AB_STATE_BANNED),
			" ");
	if(!w.known)
		return;
	expect(v.state == w.state, "state %u, not %u", v.state, w.state);
	expect(v.own[0] == w.n[0] && v.own[1] == w.n[1], "counts %u %u, not %u %u",
			v.own[0], v.own[1], w.n[0], w.n[1]);
	expect(v.failures
					== (w.state == AB_STATE_BANNED ? w.n[0] + w.n[1]
												   : failures(h, &w)),
			" ");
	expect(v.repeats == repeats(h, &w), " ");
	expect(w.state == AB_STATE_NONE || v.ttl == w.until - h->b.now.mono, " ");
}

static void open_history(struct history *h, uint32_t entries, uint64_t seed)
{
	memset(h, 0, sizeof(*h));
	box_open(&h->b, entries);
	h->r = rng_of(seed);
	h->b.set.threshold = 8;
	h->b.set.window = 60;
	h->b.set.ban_time = 30;
	h->b.set.ban_time_max = 300;
	h->b.set.memory = 400;
	h->b.set.grace = 20;
}

static void count_live(struct history *h)
{
	struct ab_table_stats st;
	uint32_t i, known = 0;

	for(i = 0; i < KEYS; i++)
		known += h->rows[i].known;
	ab_table_get_stats(&h->b.table, &st);
	expect(st.entries == known, "%u entries, not %u", st.entries, known);
	expect(box_walk(&h->b) == known, " ");
}

static void a_roomy_table_is_an_array_of_counters(void **state)
{
	static struct history history;
	struct history *h = &history;
	uint64_t seed;

	(void)state;
	for(seed = 1; seed <= 5; seed++) {
		open_history(h, 8192, seed);
		for(unit_at.step = 0; unit_at.step < 100000; unit_at.step++) {
			struct ab_key key;
			struct row *w;

			switch(rng_below(&h->r, 16)) {
				case 0:
					key = random_key(h, &w, KEYS);
					operate(h, key, w);
					break;
				case 1:
					pass(h);
					break;
				case 2:
				case 3:
				case 4:
				case 5:
					compare(h);
					break;
				default:
					fail_once(h);
			}
			if(unit_at.step % 997 == 0)
				sweep(h);
			if(unit_at.step % 1009 == 0)
				count_live(h);
		}
		box_close(&h->b);
	}
}

/* Ten sources are banned and unbanned while thousands crowd the table. */
static void a_crowded_table_forgets_no_ban(void **state)
{
	static struct history history;
	struct history *h = &history;
	struct ab_table_stats st;
	uint64_t seed;
	uint32_t i;

	(void)state;
	for(seed = 1; seed <= 5; seed++) {
		open_history(h, AB_TABLE_MIN, seed);
		for(unit_at.step = 0; unit_at.step < 100000; unit_at.step++) {
			struct ab_key key = key_v4(1000 + rng_below(&h->r, 100000));

			box_fail(&h->b, &key);
			if(rng_below(&h->r, 50) == 0) {
				struct row *w;

				key = random_key(h, &w, 10);
				/* an unban of a source that was evicted finds nothing */
				w->known = box_view(&h->b, &key).key.kind != AB_KIND_FREE;
				operate(h, key, w);
			}
			if(rng_below(&h->r, 10) == 0)
				box_pass(&h->b, rng_below(&h->r, 3));
			for(i = 0; i < 10; i++) {
				key = key_v4(i);
				expect((box_check(&h->b, &key) == AB_STATE_BANNED)
								== (h->rows[i].state == AB_STATE_BANNED
										&& h->rows[i].until > h->b.now.mono),
						"source %u", i);
			}
		}
		ab_table_get_stats(&h->b.table, &st);
		assert_int_equal(st.evicted_bans, 0);
		assert_true(st.evictions > 10000);
		assert_int_equal(st.entries, box_walk(&h->b));
		box_close(&h->b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_roomy_table_is_an_array_of_counters),
			cmocka_unit_test(a_crowded_table_forgets_no_ban),
	};

	return cmocka_run_group_tests_name("table_model", tests, NULL, NULL);
}
