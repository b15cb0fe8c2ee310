/*
 * authban: what really happened, and what the proxies should make of it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Knows each failure that was counted, each state that was made, and who knew of it
 * when. From that it says of each ban whether there was reason for it, and at the end
 * whether all proxies know what they must and no more.
 */
#ifndef TRUTH_H
#define TRUTH_H

#include "ab_policy.h"
#include "world.h"

#define SOURCES 30 /* at most */
#define USERS 4
#define GOOD_USERS 2 /* the first ones know their password */
/* The hash of a user at a source: each has a bit of its own in maps of distinct users. */
#define USER_HASH(source, user) (((uint64_t)(source) + 1) << 32 | (user))
#define FAILURES_MAX 4096
#define STATES_MAX 1024
/* us: the clocks of proxies, of Redis and of the truth agree so well, and versions
 * and epochs are cut to seconds */
#define TOLERANCE (3 * SECONDS)

struct true_failure
{
	int64_t at;
	uint8_t core, source;
	uint64_t who;
	uint16_t boot;
	uint32_t epoch; /* of the entry that counted it */
	bool kept;		/* in Redis, though its proxy has died */
	bool alone;		/* counted before the proxy had met Redis */
};

/* A ban or unban, by its first news. */
struct true_state
{
	int64_t at, end;
	uint64_t version;
	struct ab_key key;
	uint8_t core, state, proof;
	uint16_t boot;
};

struct truth
{
	const struct ab_settings *set;
	unsigned cores;
	int64_t begin_s; /* of the world */
	int64_t blur;	 /* TOLERANCE, and more where Redis's clock made steps */
	uint16_t boot[CORES_MAX]; /* the living one */
	struct true_failure failure[FAILURES_MAX];
	unsigned failures;
	struct true_state state[STATES_MAX];
	unsigned states;
	/* the version that a proxy's present start has told of, by source and party; at:
	 * when it was made */
	struct
	{
		uint64_t version;
		int64_t at;
	} known[CORES_MAX][SOURCES][1 + USERS];
	char wrong[256]; /* what does not hold; "": all does */
};

/* What one proxy knows of one entry at the end. */
struct known_entry
{
	bool there;
	struct ab_view view;
};

void truth_begin(
		struct truth *t, const struct ab_settings *set, unsigned cores);

/* The proxy starts anew and knows nothing. */
void truth_boot(struct truth *t, unsigned core);

void truth_failure(struct truth *t, const struct true_failure *f);

/* A proxy dies that has told Redis all; Redis loses what the dead told. */
void truth_keep(struct truth *t, unsigned core);
void truth_lose(struct truth *t);

/* News of a proxy. False: t->wrong says why it must not be. */
bool truth_news(
		struct truth *t, unsigned core, int64_t now, const struct ab_view *v);

/* At the end: k[i] is what proxy i knows of this entry. Of a pair `void_before` is the
 * last unban of its source, a cluster second: what is older means nothing. */
bool truth_agrees(struct truth *t, const struct ab_key *key,
		uint32_t void_before, int64_t now, const struct known_entry *k);

/* The last unban of a source, as a cluster second; 0: there was none. */
uint32_t truth_unbanned(const struct truth *t, unsigned source);

/* At the end, of a source where nobody ever logged in: what a proxy counts. */
bool truth_counts(struct truth *t, unsigned core, const struct ab_view *v);

/* 0..SOURCES - 1 of an address that core.c made. */
unsigned truth_source(const struct ab_key *key);

#endif
