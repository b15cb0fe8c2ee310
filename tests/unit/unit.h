/*
 * authban: what the unit tests share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UNIT_H
#define UNIT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "ab_judge.h"
#include "ab_mac.h"

/* Where a random test stands; told by a failure. */
extern struct unit_at
{
	uint64_t seed;
	uint32_t step;
} unit_at;

/* How many histories a random test plays: `usual`; ten times as many with
 * AUTHBAN_LONG=1, a tenth with AUTHBAN_SHORT=1 (`make check-asan`, several times as
 * slow). */
uint64_t unit_many(uint64_t usual);

/* A failure tells what it was about. */
#define expect(cond, ...)                                              \
	do {                                                               \
		if(!(cond)) {                                                  \
			print_error("%s:%d: %s (seed %llu, step %u)\n", __FILE__,  \
					__LINE__, #cond, (unsigned long long)unit_at.seed, \
					unit_at.step);                                     \
			print_error(__VA_ARGS__);                                  \
			print_error("\n");                                         \
			fail();                                                    \
		}                                                              \
	} while(0)

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* Random numbers that a seed gives again (splitmix64). */
struct rng
{
	uint64_t seed, state;
};

struct rng rng_of(uint64_t seed);
uint64_t rng_next(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n);

/* A table between guards, with settings, two clocks and a judge. */
struct box
{
	struct ab_table table;
	struct ab_settings set;
	struct ab_now now;
	uint16_t node, origin;
	uint8_t *map; /* guard bytes, the block, a page that nobody may touch */
	size_t map_len, guard, bytes;
};

#define BOX_MONO 1000u
/* a moment at which a window of 600 seconds begins */
#define BOX_CLUSTER_S 1800000000u

/* Shared with children of fork(). */
void box_open(struct box *b, uint32_t entries);
/* Checks the guards. */
void box_close(struct box *b);
void box_check_guards(const struct box *b);
void box_pass(struct box *b, uint32_t seconds);
struct ab_judge box_judge(const struct box *b);

/* 10.0.0.0 + n, and any text */
struct ab_key key_v4(uint32_t n);
struct ab_key key_of(const char *text);
struct ab_prefix prefix_of(const char *text);

struct ab_judgement box_fail(struct box *b, const struct ab_key *key);
struct ab_judgement box_fail_as(struct box *b, const struct ab_key *key,
		uint64_t user, uint32_t weight);
struct ab_judgement box_ban(
		struct box *b, const struct ab_key *key, uint32_t seconds);
struct ab_judgement box_unban(struct box *b, const struct ab_key *key);
/* What a reader sees: enum ab_state. */
enum ab_state box_check(const struct box *b, const struct ab_key *key);
/* All zero when nothing is known. */
struct ab_view box_view(const struct box *b, const struct ab_key *key);
/* How many entries a walk meets. */
uint32_t box_walk(const struct box *b);

/* A MAC of 32 bytes for tests: four SipHashes. The key has 16 bytes. */
struct ab_mac test_mac(const uint8_t key[static 16]);

#endif
