/*
 * authban: random histories of three proxies and a faulty store, checked
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A history mixes failures, pushes that lose the request or the answer, state
 * records heard in any order and more than once, wiped stores and restarts.
 * What is known of the truth: every failure since the last unban (`all`), and
 * those that a living proxy still has in its own memory (`living`).
 */
#include "fleet.h"

#include <string.h>

#define SOURCES 5
#define STEPS 200
#define SEEDS 300

struct truth
{
	uint32_t all, living[FLEET];
	bool by_operator; /* somebody banned it without failures */
};

struct history
{
	struct fleet f;
	struct rng r;
	struct truth t[SOURCES];
	bool exact; /* no wipe, no restart so far */
};

static struct history history;

static uint32_t threshold(const struct history *h)
{
	return (uint32_t)h->f.p[0].b.set.threshold;
}

static bool banned(const struct history *h, unsigned i, unsigned source)
{
	struct ab_key key = key_v4(source);

	return box_check(&h->f.p[i].b, &key) == AB_STATE_BANNED;
}

/* In any order, some of them twice, some from long ago. */
static void hear_shuffled(struct history *h, struct proxy *p)
{
	size_t left = h->f.store.n_log - p->heard, n = h->f.store.n_log, i;

	if(p->life != h->f.store.life)
		return;
	for(i = 0; i < 2 * left; i++) {
		const struct record *rec =
				&h->f.store.log[n - 1 - rng_below(&h->r, (uint32_t)left)];

		ab_sync_apply(&p->s, &p->b.now, rec->bytes, rec->len);
	}
	if(n > 0) {
		const struct record *rec =
				&h->f.store.log[rng_below(&h->r, (uint32_t)n)];

		ab_sync_apply(&p->s, &p->b.now, rec->bytes, rec->len);
	}
	proxy_hear(p);
}

static void fail_one(struct history *h)
{
	unsigned i = rng_below(&h->r, FLEET), s = rng_below(&h->r, SOURCES);
	struct ab_key key = key_v4(s);
	bool was = banned(h, i, s);

	assert_true(box_fail(&h->f.p[i].b, &key).ok);
	if(was)
		return; /* nobody counts what is blocked */
	h->t[s].all++;
	h->t[s].living[i]++;
}

/* The unban reaches everybody at once; the shares in the store stay. */
static void unban(struct history *h)
{
	unsigned i = rng_below(&h->r, FLEET), s = rng_below(&h->r, SOURCES);
	struct ab_key key = key_v4(s);
	unsigned k;

	fleet_pass(&h->f, 1);
	if(!box_unban(&h->f.p[i].b, &key).ok)
		return;
	h->f.store.fault = FAULT_NONE;
	for(k = 0; k < FLEET; k++) /* a wiped store is found out first */
		if(h->f.p[k].life != h->f.store.life)
			assert_true(proxy_push(&h->f.p[k]));
	assert_true(proxy_push(&h->f.p[i]));
	for(k = 0; k < FLEET; k++)
		proxy_hear(&h->f.p[k]);
	memset(&h->t[s], 0, sizeof(h->t[s]));
	for(k = 0; k < FLEET; k++)
		expect(!banned(h, k, s), "source %u on proxy %u after its unban", s, k);
	fleet_pass(&h->f, 1);
}

static void restart(struct history *h)
{
	unsigned i = rng_below(&h->r, FLEET), s;

	proxy_restart(&h->f, i);
	h->exact = false;
	for(s = 0; s < SOURCES; s++)
		h->t[s].living[i] = 0;
}

static void step(struct history *h)
{
	struct proxy *p = &h->f.p[rng_below(&h->r, FLEET)];
	uint32_t what = rng_below(&h->r, 100);

	if(what < 40)
		fail_one(h);
	else if(what < 70) {
		h->f.store.fault = (enum fault)rng_below(&h->r, 3);
		proxy_push(p);
		h->f.store.fault = FAULT_NONE;
	} else if(what < 90)
		hear_shuffled(h, p);
	else if(what < 95)
		fleet_pass(&h->f, rng_below(&h->r, 3));
	else if(what < 97)
		unban(h);
	else if(what < 98 && h->r.seed % 3 == 1) {
		store_wipe(&h->f.store);
		h->exact = false;
	} else if(what < 99 && h->r.seed % 3 == 2)
		restart(h);
}

static void nobody_is_banned_below_the_threshold(const struct history *h)
{
	unsigned i, s;

	for(s = 0; s < SOURCES; s++)
		for(i = 0; i < FLEET; i++)
			expect(!banned(h, i, s) || h->t[s].all >= threshold(h),
					"source %u, proxy %u: banned after %u failures", s, i,
					h->t[s].all);
}

static void check_source(struct history *h, unsigned s, bool was_banned)
{
	struct ab_key key = key_v4(s);
	uint32_t living = 0;
	unsigned i;

	for(i = 0; i < FLEET; i++)
		living += h->t[s].living[i];
	for(i = 1; i < FLEET; i++)
		expect(banned(h, i, s) == banned(h, 0, s),
				"proxies 0 and %u do not agree on source %u", i, s);
	expect(!was_banned || banned(h, 0, s), "the ban of source %u was lost", s);
	expect(living < threshold(h) || banned(h, 0, s),
			"source %u: %u failures are known and no ban", s, living);
	if(banned(h, 0, s))
		return;
	for(i = 0; i < FLEET; i++) {
		struct ab_view v = box_view(&h->f.p[i].b, &key);

		if(v.own[0] == 0)
			continue; /* it asks only for what it has seen itself */
		expect(v.failures >= living && v.failures <= h->t[s].all,
				"source %u, proxy %u: %u, not %u..%u", s, i, v.failures, living,
				h->t[s].all);
		expect(!h->exact || v.failures == h->t[s].all,
				"source %u, proxy %u: %u, not %u", s, i, v.failures,
				h->t[s].all);
	}
}

static void run(struct history *h, uint64_t seed)
{
	bool was[SOURCES] = {false};
	unsigned i, s;

	fleet_open(&h->f, 256);
	memset(h->t, 0, sizeof(h->t));
	h->exact = true;
	h->r = rng_of(seed);
	for(i = 0; i < FLEET; i++) {
		h->f.p[i].b.set.ban_time = 86400;
		h->f.p[i].b.set.threshold = 8 + (int)(seed % 4) * 4;
	}
	for(unit_at.step = 1; unit_at.step <= STEPS; unit_at.step++) {
		step(h);
		nobody_is_banned_below_the_threshold(h);
	}
	for(s = 0; s < SOURCES; s++)
		for(i = 0; i < FLEET; i++)
			was[s] |= banned(h, i, s);
	fleet_settle(&h->f);
	nobody_is_banned_below_the_threshold(h);
	for(s = 0; s < SOURCES; s++)
		check_source(h, s, was[s]);
	fleet_close(&h->f);
}

static void proxies_agree_after_any_history(void **state)
{
	uint64_t seed;

	(void)state;
	for(seed = 1; seed <= SEEDS; seed++)
		run(&history, seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(proxies_agree_after_any_history),
	};

	return cmocka_run_group_tests_name("sync_history", tests, NULL, NULL);
}
