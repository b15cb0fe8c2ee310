/*
 * authban: a whole guard for unit tests: table, facts, breaker, policies
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SITE_H
#define SITE_H

#include "ab_guard.h"
#include "unit.h"

#define SITE_FACTS 4096

struct site
{
	struct box box;
	struct ab_good good;
	struct ab_breaker breaker;
	struct ab_policies policies;
};

void site_open(struct site *s);
void site_close(struct site *s);
/* A guard of this moment. */
struct ab_guard site_guard(struct site *s);

/* By a flow of its own for each user; user 0: none. */
struct ab_party site_party(const char *source, uint64_t user);
struct ab_findings site_fail(
		struct site *s, const char *source, uint64_t user, uint32_t times);
bool site_success(struct site *s, const char *source, uint64_t user);
/* Sources PREFIX1, PREFIX2, ... of a network fail once each, until it has more distinct
 * ones than that: how many it took. */
unsigned site_crowd_until(struct site *s, const char *net, const char *prefix,
		uint32_t more_than);

/* The two looks; `user` 0: credentials without one that is known. */
struct ab_guard_answer site_check(struct site *s, const char *source);
struct ab_guard_answer site_look(
		struct site *s, const char *source, uint64_t user);
/* Both together, as a message with credentials meets them. */
enum ab_guard_verdict site_meets(
		struct site *s, const char *source, uint64_t user);

struct ab_judgement site_unban(struct site *s, const char *what);
struct ab_view site_network(struct site *s, const char *net);
struct ab_view site_user(struct site *s, uint64_t user);
struct ab_view site_pair(struct site *s, const char *source, uint64_t user);
struct ab_view site_source(struct site *s, const char *source);

#endif
