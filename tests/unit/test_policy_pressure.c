/*
 * authban: the core in a table that is far too small, under a flood of strangers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * There it may forget what is no ban. So nobody may be banned whom the model, which
 * forgets nothing, has not banned by then; no live ban may be lost; and whoever is
 * known-good is never dropped for anything but a ban of his own or an operator's.
 * usage: test_policy_pressure [SEED]
 */
#include "policy_story.h"

#include <stdlib.h>

#define STORIES 10000
#define STRANGERS 6 /* after each step */
#define LIVE_MAX 128

struct live
{
	struct ab_key key;
	uint32_t until;
	bool by_hand;
};

static struct
{
	struct stage stage;
	struct model m;
	struct story s;
	struct rng r;
	struct live live[LIVE_MAX];
	unsigned n_live;
	uint64_t bans, evictions, goods;
} p;

static bool same_key(const struct ab_key *a, const struct ab_key *b)
{
	return a->kind == b->kind && a->plen == b->plen && a->user == b->user
		   && ab_addr_equal(&a->addr, &b->addr);
}

static void remember(struct ab_key key, uint32_t ttl, bool by_hand)
{
	unsigned i;

	for(i = 0; i < p.n_live; i++)
		if(same_key(&p.live[i].key, &key))
			break;
	assert_true(i < LIVE_MAX);
	p.n_live += i == p.n_live;
	p.live[i].key = key;
	p.live[i].until = p.stage.now.mono + ttl;
	p.live[i].by_hand = by_hand;
}

static const struct live *live_ban(struct ab_key key)
{
	unsigned i;

	for(i = 0; i < p.n_live; i++)
		if(same_key(&p.live[i].key, &key) && p.live[i].until > p.stage.now.mono)
			return &p.live[i];
	return NULL;
}

static bool ever_banned(struct model_name name)
{
	const struct model_row *w = model_row(&p.m, &name);

	return w && w->bans > 0;
}

/* The network and the user whose troubles make strangers' limits lower. */
static bool troubles(const struct ab_party *who)
{
	struct model_name net;

	return (model_network(&who->source, &net) && ever_banned(net))
		   || ever_banned(model_user(who->user));
}

static struct ab_party party_of(const struct step *t)
{
	struct ab_party who = {p.s.source[t->source], p.s.user[t->user],
			t->flow ? t->flow * 16 + t->source : 0};

	return who;
}

/* A pair that was forgotten begins with what failed at its source, when the small
 * table knows of nobody else there: never more than did fail, and less than what has
 * banned that source in the reference, which forgets it then. */
static bool is_carried(
		const struct ab_party *who, const struct ab_judgement *pair)
{
	struct model_name name = model_source(&who->source);
	const struct model_row *w = model_row(&p.m, &name);
	uint32_t sum = 0, i;

	for(i = 0; w && i < w->events; i++)
		sum += w->event[i].weight;
	return pair->view.key.kind == AB_KIND_PAIR
		   && (sum >= pair->view.failures || ever_banned(name));
}

static void fail_once(const struct step *t)
{
	struct ab_guard g = stage_guard(&p.stage);
	struct ab_failure f = {party_of(t), t->weight, AB_PROOF_TOKEN, t->policy};
	struct model_findings want;
	struct ab_findings out;
	unsigned i;

	model_failure(&p.m, &f, &want);
	ab_guard_failure(&g, &f, &out);
	for(i = 0; i < AB_FOUND_COUNT; i++) {
		const struct ab_judgement *j = &out.entry[i];

		if(!j->ok || !j->news)
			continue;
		expect(want.entry[i].touched
						&& (want.entry[i].row->bans > 0 || troubles(&f.who)
								|| is_carried(&f.who, j)),
				"entry %u is banned for %s", i,
				ab_reason_name((enum ab_reason)j->view.reason));
		p.bans++;
		remember(j->view.key, j->view.ttl, false);
	}
}

static void ask(const struct step *t)
{
	struct ab_guard g = stage_guard(&p.stage);
	struct ab_party who = party_of(t);
	struct ab_guard_answer a =
			ab_guard_check(&g, &who.source.addr, &who.source);
	struct model_name pair = model_pair(&who.source, who.user);
	const struct live *by_hand = live_ban(ab_key_source(&who.source));

	if(!model_good(&p.m, &pair))
		return;
	if(a.verdict == AB_GUARD_LOOK)
		a = ab_guard_look(&g, &who);
	p.goods++;
	if(by_hand && by_hand->by_hand) {
		assert_int_equal(a.verdict, AB_GUARD_SOURCE);
		return;
	}
	expect(a.verdict == AB_GUARD_PASS
					|| (a.verdict == AB_GUARD_PAIR
							&& live_ban(story_key(&pair)) != NULL),
			"user %u at source %u: verdict %d", t->user, t->source, a.verdict);
}

static void ban_by_hand(const struct step *t)
{
	struct ab_guard g = stage_guard(&p.stage);
	struct ab_key key = ab_key_source(&p.s.source[t->source]);
	struct ab_judgement out;

	ab_judge_ban(
			&g.judge, &key, 1 + t->number[0] % 400, AB_REASON_OPERATOR, &out);
	assert_true(out.ok);
	remember(key, out.view.ttl, true);
}

/* Each from a network of his own, for a user of his own. */
static void strangers(void)
{
	struct ab_guard g = stage_guard(&p.stage);
	struct ab_failure f = {.weight = 1, .proof = AB_PROOF_TOKEN};
	struct ab_findings out;
	unsigned i;

	for(i = 0; i < STRANGERS; i++) {
		uint32_t n = 0x10000 + rng_below(&p.r, 0x7fff0000);
		struct ab_key key = key_v4(n * 256);

		f.who.source.addr = key.addr;
		f.who.source.len = key.plen;
		f.who.user = rng_next(&p.r) | 2;
		ab_guard_failure(&g, &f, &out);
	}
}

static void pass(const struct step *t)
{
	uint32_t seconds = t->kind < 8 ? t->number[0] % 5
								   : t->number[0] % (uint32_t)p.s.set.window;

	do {
		stage_pass(&p.stage, seconds);
		model_time(&p.m, p.stage.now.mono,
				(uint32_t)(p.stage.now.cluster_ms / 1000));
		seconds = model_doubt(&p.m);
	} while(seconds > 0);
}

static void no_ban_is_lost(void)
{
	unsigned i;

	for(i = 0; i < p.n_live; i++)
		expect(p.live[i].until <= p.stage.now.mono
						|| ab_table_state(&p.stage.table, &p.live[i].key,
								   p.stage.now.mono)
								   == AB_STATE_BANNED,
				"ban %u of kind %u", i, p.live[i].key.kind);
}

static void do_step(const struct step *t)
{
	struct ab_guard g = stage_guard(&p.stage);
	struct ab_party who = party_of(t);
	unsigned i;

	switch(t->deed) {
		case DEED_FAIL:
			for(i = 0; i < t->times; i++)
				fail_once(t);
			break;
		case DEED_SUCCEED:
			if(who.user == 0)
				break;
			ab_guard_success(&g, &who);
			model_success(&p.m, &who);
			break;
		case DEED_BAN:
			ban_by_hand(t);
			break;
		case DEED_PASS:
			pass(t);
			break;
		default:
			break;
	}
	ask(t);
	strangers();
	no_ban_is_lost();
}

static void play(uint64_t seed)
{
	struct ab_table_stats st = {0};
	const struct step still = {.deed = DEED_PASS};

	story_make(&p.s, seed);
	/* strangers, with one failure each, are not to be banned themselves */
	p.s.set.mode = AB_MODE_BAN;
	if(p.s.set.threshold < 2)
		p.s.set.threshold = 2;
	p.r = rng_of(~seed);
	unit_at.seed = seed;
	stage_begin(&p.stage, &p.s);
	model_begin(&p.m, &p.s.set, &p.s.policies, stage_guard(&p.stage).hash_key);
	pass(&still);
	p.n_live = 0;
	for(unit_at.step = 0; unit_at.step < p.s.steps; unit_at.step++) {
		do_step(&p.s.step[unit_at.step]);
		ab_table_get_stats(&p.stage.table, &st);
		if(st.evicted_bans > 0 || p.n_live > 48)
			break; /* more bans than places are another matter */
	}
	p.evictions += st.evictions;
}

static void a_small_table_forgets_no_ban_and_makes_none(void **state)
{
	uint64_t seed, end = unit_many(STORIES);

	(void)state;
	stage_open(&p.stage, AB_TABLE_MIN);
	for(seed = 1; seed <= end; seed++)
		play(seed);
	stage_close(&p.stage);
	print_message("%llu histories: %llu bans, %llu evictions, %llu messages of"
				  " known-good users\n",
			(unsigned long long)end, (unsigned long long)p.bans,
			(unsigned long long)p.evictions, (unsigned long long)p.goods);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_small_table_forgets_no_ban_and_makes_none),
	};

	if(argc > 1) {
		stage_open(&p.stage, AB_TABLE_MIN);
		play(strtoull(argv[1], NULL, 10));
		stage_close(&p.stage);
		return 0;
	}
	return cmocka_run_group_tests_name("policy_pressure", tests, NULL, NULL);
}
