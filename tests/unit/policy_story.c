/*
 * authban: random histories: how they are made
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "policy_story.h"

#include <stdlib.h>
#include <string.h>

static const char *const deed_names[DEED_COUNT] = {"fail", "succeed", "ask",
		"ban", "unban", "allow", "pass", "others", "tick"};

/* --- the stage --- */

void stage_open(struct stage *s, uint32_t entries)
{
	memset(s, 0, sizeof(*s));
	s->entries = entries;
	s->mem[0] = aligned_alloc(64, (ab_table_bytes(entries) + 63) / 64 * 64);
	s->mem[1] = aligned_alloc(64, (ab_recent_bytes(2048) + 63) / 64 * 64);
	assert_non_null(s->mem[0]);
	assert_non_null(s->mem[1]);
	s->facts = s->mem[1];
}

void stage_close(struct stage *s)
{
	free(s->mem[0]);
	free(s->mem[1]);
}

void stage_begin(struct stage *s, const struct story *story)
{
	static const uint8_t key[16] = {5, 1, 2, 8, 8, 4, 4, 9};

	ab_table_init(&s->table, s->mem[0], s->entries, key, 1);
	ab_recent_init(s->facts, 2048);
	memset(&s->breaker, 0, sizeof(s->breaker));
	s->set = story->set;
	s->policies = story->policies;
	/* no fact is a year old: mono has time behind it */
	s->now.mono = 100000 + (uint32_t)(story->seed % 1000);
	s->now.cluster_ms =
			((uint64_t)BOX_CLUSTER_S + story->seed % 977) * 1000 + 250;
}

struct ab_guard stage_guard(struct stage *s)
{
	struct ab_guard g = {.judge = {&s->table, &s->set, s->now, 1, 0},
			.policies = &s->policies,
			.good = {.facts = s->facts, .key = {9, 9, 1}},
			.breaker = &s->breaker,
			.hash_key = {3, 1, 4, 1, 5, 9, 2, 6}};

	return g;
}

void stage_pass(struct stage *s, uint32_t seconds)
{
	s->now.mono += seconds;
	s->now.cluster_ms += (uint64_t)seconds * 1000;
}

struct ab_key story_key(const struct model_name *name)
{
	switch(name->kind) {
		case AB_FOUND_NETWORK:
			return ab_key_network(&name->at);
		case AB_FOUND_USER:
			return ab_key_user(name->user);
		case AB_FOUND_PAIR:
			return ab_key_pair(&name->at, name->user);
		default:
			return ab_key_source(&name->at);
	}
}

/* --- making one --- */

static int between(struct rng *r, int lo, int hi)
{
	return lo + (int)rng_below(r, (uint32_t)(hi - lo + 1));
}

/* Small limits, so that a short story reaches them; one in six has the defaults. */
static void make_settings(struct story *s, struct rng *r)
{
	struct ab_settings *set = &s->set;

	ab_settings_preset(set);
	if(s->seed % 6 == 0)
		return;
	set->mode = rng_below(r, 8) ? AB_MODE_BAN : AB_MODE_DRY_RUN;
	set->threshold = between(r, 1, 8);
	set->window = between(r, 0, 3) ? between(r, 5, 90) : 600;
	set->ban_time = between(r, 1, 200);
	set->ban_time_max = set->ban_time * between(r, 1, 9);
	set->memory = between(r, 0, 4) ? between(r, 50, 1500) : 0;
	set->grace = between(r, 1, 300);
	set->max_users = between(r, 1, 4);
	set->net_sources = between(r, 1, 5);
	set->net_threshold = between(r, 1, 4);
	set->user_sources = between(r, 1, 5);
	set->long_window = between(r, 60, 4000);
	set->long_threshold = between(r, 3, 20);
	set->good_time = between(r, 60, 6000);
	set->pace = between(r, 1, 90);
	set->breaker = between(r, 0, 2) ? between(r, 0, 4) : 10;
}

static void make_policies(struct story *s, struct rng *r)
{
	/* what a source keeps of its pairs lasts as long as the settings say */
	int longest = s->set.ban_time_max < 400 ? s->set.ban_time_max : 400;
	unsigned i, k;

	memset(&s->policies, 0, sizeof(s->policies));
	s->policies.count = rng_below(r, 3);
	for(i = 0; i < s->policies.count; i++) {
		struct ab_policy_row *row = &s->policies.row[i];

		row->name[0] = (char)('a' + i);
		for(k = 0; k < AB_POLICY_FIELDS; k++)
			if(rng_below(r, 2))
				row->value[k] = k < AB_POLICY_BAN_TIME ? between(r, 1, 9)
													   : between(r, 1, longest);
	}
}

/* Eight hosts of one /24, two of another, two /64 of one /48. In one story of nine a
 * source is a whole /24. */
static void make_sources(struct story *s)
{
	unsigned v4_len = s->seed % 9 == 1 ? 24 : 32, i;

	for(i = 0; i < STORY_SOURCES; i++) {
		uint8_t v4[4] = {10, 0, i < 8 ? 7 : 8, (uint8_t)(i + 1)};
		uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, 0, 1, 0, (uint8_t)i};
		struct ab_addr a;

		if(v4_len == 24)
			v4[2] = (uint8_t)i;
		if(i < 10)
			ab_addr_from_v4(&a, v4);
		else
			ab_addr_from_v6(&a, v6);
		s->source[i] = ab_prefix_of_source(&a, v4_len, 64);
	}
}

static void make_step(struct story *s, struct step *t, struct rng *r)
{
	static const uint8_t often[DEED_COUNT] = {40, 16, 12, 2, 2, 1, 16, 8, 3};
	/* a few of them, so that limits are reached */
	unsigned few = s->seed % 4 ? 4 : STORY_SOURCES, i;
	uint32_t at = rng_below(r, 100);

	memset(t, 0, sizeof(*t));
	for(i = 0; i < DEED_COUNT - 1 && at >= often[i]; i++)
		at -= often[i];
	t->deed = (enum deed)i;
	t->source =
			rng_below(r, 5) ? rng_below(r, few) : rng_below(r, STORY_SOURCES);
	t->user = rng_below(r, rng_below(r, 3) ? 3 : STORY_USERS);
	t->flow = rng_below(r, 3);
	t->policy = rng_below(r, 3) ? 0 : rng_below(r, 4);
	t->weight = rng_below(r, 4) ? 1 : 1 + rng_below(r, 4);
	t->times = rng_below(r, 4) ? 1 : 1 + rng_below(r, 8);
	t->kind = rng_below(r, 16);
	for(i = 0; i < COUNT_OF(t->number); i++)
		t->number[i] = (uint32_t)(rng_next(r) >> 32);
}

void story_make(struct story *s, uint64_t seed)
{
	struct rng r = rng_of(seed);
	unsigned i;

	memset(s, 0, sizeof(*s));
	s->seed = seed;
	make_settings(s, &r);
	make_policies(s, &r);
	make_sources(s);
	for(i = 1; i < STORY_USERS; i++)
		s->user[i] = rng_next(&r) | 2;
	s->steps = 20 + rng_below(&r, STORY_STEPS - 20 + 1);
	for(i = 0; i < s->steps; i++)
		make_step(s, &s->step[i], &r);
}

/* --- showing one --- */

static void print_settings(const struct ab_settings *set)
{
	size_t i;

	print_message("  settings:");
	for(i = 0; i < ab_settings_count; i++) {
		int v;

		memcpy(&v, (const char *)set + ab_settings_table[i].offset, sizeof(v));
		print_message(" %s=%d", ab_settings_table[i].name, v);
	}
	print_message("\n");
}

void story_print(const struct story *s, unsigned end)
{
	char text[AB_PREFIX_TEXT];
	unsigned i;

	print_settings(&s->set);
	for(i = 0; i < s->policies.count; i++) {
		const _Atomic int *v = s->policies.row[i].value;

		print_message("  policy %u: threshold=%d max_users=%d net_threshold=%d"
					  " long_threshold=%d ban_time=%d ban_time_max=%d\n",
				i + 1, v[0], v[1], v[2], v[3], v[4], v[5]);
	}
	for(i = 0; i < s->steps && i <= end; i++) {
		const struct step *t = &s->step[i];

		if(s->left_out[i])
			continue;
		print_message("  %2u %-7s %s user %u flow %u policy %u weight %u x%u"
					  " kind %u numbers %u %u %u %u\n",
				i, deed_names[t->deed],
				ab_prefix_print(&s->source[t->source], text), t->user, t->flow,
				t->policy, t->weight, t->times, t->kind, t->number[0] % 1000,
				t->number[1] % 1000, t->number[2] % 1000, t->number[3] % 1000);
	}
}
