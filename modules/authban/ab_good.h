/*
 * authban: who has logged in from where
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Facts with their times, in a set of recent hashes: this user from this source,
 * anybody from this source, this user from this very address, port and transport
 * (a flow). Only a success with a proven address makes one. Forgetting a fact makes
 * a stranger of a customer until his next login; taking one thing for another (once
 * in 2^36 looks) spares a stranger. Neither bans anybody.
 *
 * In a cluster proxies tell each other of users and sources (not of flows), as the
 * hashes themselves: the key is one for the cluster. A success tells what nobody has
 * told in the last half of the time, so at most about two facts a day and user. What
 * others say has a set of its own: whatever they say, it takes no room from what was
 * seen here, and it is not told on.
 */
#ifndef AB_GOOD_H
#define AB_GOOD_H

#include "ab_recent.h"
#include "ab_source.h"
#include "ab_tell.h"

struct ab_good
{
	struct ab_recent *facts; /* NULL: nobody is ever known */
	struct ab_recent *told;	 /* by this proxy or others; NULL: alone */
	struct ab_tell *tell;	 /* what is to be told; as told */
	uint8_t key[16];		 /* secret: nobody may choose where a fact lies */
};

/* One party: a user (keyed hash, not 0) at a source, and the flow it came by. */
struct ab_party
{
	struct ab_prefix source;
	uint64_t user;
	uint64_t
			flow; /* any number made of exact address, port and transport; 0: none */
};

/* A success. Returns whether this user was known-good at this source before.
 * `now` in monotonic seconds, `seconds`: how long facts last. */
bool ab_good_success(const struct ab_good *g, const struct ab_party *p,
		uint32_t now, uint32_t seconds);

/* A stranger's failure by this flow, whatever his name. Only to be told of strangers
 * who are let through one by one, or they would crowd out the other facts. */
void ab_good_failed(const struct ab_good *g, const struct ab_party *p,
		uint32_t now, uint32_t seconds);
bool ab_good_failed_lately(const struct ab_good *g, const struct ab_party *p,
		uint32_t now, uint32_t seconds);

/* A failure: the flow is not known-good any more. */
void ab_good_failure(const struct ab_good *g, const struct ab_party *p,
		uint32_t now, uint32_t seconds);

/* Begins to load what ab_good_pair() and ab_good_source() will look at. */
void ab_good_expect(const struct ab_good *g, const struct ab_party *p);

/* The same for ab_good_source() alone. */
void ab_good_expect_source(
		const struct ab_good *g, const struct ab_prefix *source);

bool ab_good_pair(const struct ab_good *g, const struct ab_prefix *source,
		uint64_t user, uint32_t now, uint32_t seconds);
/* Anybody, here or at another proxy. */
bool ab_good_source(const struct ab_good *g, const struct ab_prefix *source,
		uint32_t now, uint32_t seconds);
/* Whether somebody logged in from this source at this very proxy: what it tells the
 * others, or a fact would go round among them for ever. */
bool ab_good_source_here(const struct ab_good *g,
		const struct ab_prefix *source, uint32_t now, uint32_t seconds);
/* Another proxy said so. */
void ab_good_heard(const struct ab_good *g, const struct ab_prefix *source,
		uint32_t now, uint32_t seconds);
/* Another proxy had a success `age` seconds ago that made this fact. */
void ab_good_told(const struct ab_good *g, uint64_t fact, uint32_t age,
		uint32_t now, uint32_t seconds);
bool ab_good_flow(const struct ab_good *g, const struct ab_party *p,
		uint32_t now, uint32_t seconds);

/* Forgets what is known of a user at a source; user 0: of the source itself. Flows
 * cannot be named here and stay until they are over. Returns how many facts. */
int ab_good_forget(const struct ab_good *g, const struct ab_prefix *source,
		uint64_t user, uint32_t now, uint32_t seconds);

#endif
