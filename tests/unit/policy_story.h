/*
 * authban: random histories for the core and for docs/policy.md's second version
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A story is made from its seed before anything of it happens, so parts of it can
 * be left out to find what a difference needs.
 */
#ifndef POLICY_STORY_H
#define POLICY_STORY_H

#include "policy_model.h"
#include "unit.h"

#define STORY_STEPS 60
#define STORY_SOURCES 12
#define STORY_USERS 6

enum deed
{
	DEED_FAIL = 0,
	DEED_SUCCEED,
	DEED_ASK,
	DEED_BAN, /* by hand, or heard of */
	DEED_UNBAN,
	DEED_ALLOW,
	DEED_PASS, /* of time */
	DEED_OTHERS,
	DEED_TICK,
	DEED_COUNT
};

struct step
{
	enum deed deed;
	unsigned source, user, flow, policy, weight, times;
	unsigned kind;		/* which entry, which time */
	uint32_t number[4]; /* counts, seconds */
};

struct story
{
	uint64_t seed;
	struct ab_settings set;
	struct ab_policies policies;
	struct ab_prefix source[STORY_SOURCES];
	uint64_t user[STORY_USERS]; /* [0]: none */
	struct step step[STORY_STEPS];
	unsigned steps;
	bool left_out[STORY_STEPS];
};

/* What the core runs on, for one story after the other. */
struct stage
{
	struct ab_table table;
	struct ab_recent *facts;
	struct ab_breaker breaker;
	void *mem[2];
	uint32_t entries;
	struct ab_settings set;
	struct ab_policies policies;
	struct ab_now now;
};

void stage_open(struct stage *s, uint32_t entries);
void stage_close(struct stage *s);
void stage_begin(struct stage *s, const struct story *story);
struct ab_guard stage_guard(struct stage *s);
void stage_pass(struct stage *s, uint32_t seconds);

void story_make(struct story *s, uint64_t seed);
void story_print(const struct story *s, unsigned end);

/* Plays it to both. Returns the first step after which they differ and says in
 * `why` how; -1: they agree. */
int story_play(
		const struct story *s, struct stage *stage, char why[static 400]);

/* The key of a row in the core. */
struct ab_key story_key(const struct model_name *name);

#endif
