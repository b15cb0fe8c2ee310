/*
 * authban: a whole guard for unit tests: table, facts, breaker, policies
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void site_open(struct site *s)
{
	memset(s, 0, sizeof(*s));
	box_open(&s->box, 4096);
	s->good.facts = malloc(ab_recent_bytes(SITE_FACTS));
	assert_non_null(s->good.facts);
	ab_recent_init(s->good.facts, SITE_FACTS);
	s->good.key[0] = 5;
}

void site_close(struct site *s)
{
	free(s->good.facts);
	box_close(&s->box);
}

struct ab_guard site_guard(struct site *s)
{
	struct ab_guard g = {.judge = box_judge(&s->box),
			.policies = &s->policies,
			.good = s->good,
			.breaker = &s->breaker,
			.hash_key = {3, 1, 4, 1, 5}};

	return g;
}

struct ab_party site_party(const char *source, uint64_t user)
{
	struct ab_party p = {prefix_of(source), user, user + 1000};

	return p;
}

struct ab_findings site_fail(
		struct site *s, const char *source, uint64_t user, uint32_t times)
{
	struct ab_guard g = site_guard(s);
	struct ab_failure f = {.who = site_party(source, user),
			.weight = 1,
			.proof = AB_PROOF_TOKEN};
	struct ab_findings out;

	memset(&out, 0, sizeof(out));
	while(times-- > 0)
		ab_guard_failure(&g, &f, &out);
	return out;
}

bool site_success(struct site *s, const char *source, uint64_t user)
{
	struct ab_guard g = site_guard(s);
	struct ab_party who = site_party(source, user);

	return ab_guard_success(&g, &who);
}

unsigned site_crowd_until(
		struct site *s, const char *net, const char *prefix, uint32_t more_than)
{
	unsigned n = 0;

	while(site_network(s, net).users <= more_than && n < 100) {
		char source[64];

		snprintf(source, sizeof(source), "%s%u", prefix, ++n);
		site_fail(s, source, 1000 + n, 1);
	}
	return n;
}

struct ab_guard_answer site_check(struct site *s, const char *source)
{
	struct ab_guard g = site_guard(s);
	struct ab_prefix p = prefix_of(source);

	return ab_guard_check(&g, &p.addr, &p);
}

struct ab_guard_answer site_look(
		struct site *s, const char *source, uint64_t user)
{
	struct ab_guard g = site_guard(s);
	struct ab_party who = site_party(source, user);

	return ab_guard_look(&g, &who);
}

enum ab_guard_verdict site_meets(
		struct site *s, const char *source, uint64_t user)
{
	enum ab_guard_verdict first = site_check(s, source).verdict;

	return first == AB_GUARD_LOOK ? site_look(s, source, user).verdict : first;
}

struct ab_judgement site_unban(struct site *s, const char *what)
{
	struct ab_guard g = site_guard(s);
	struct ab_key key = key_of(what);
	struct ab_judgement out;

	ab_guard_unban(&g, &key, AB_REASON_OPERATOR, &out);
	return out;
}

struct ab_view site_network(struct site *s, const char *net)
{
	struct ab_prefix p = prefix_of(net);
	struct ab_key key = ab_key_network(&p);

	return box_view(&s->box, &key);
}

struct ab_view site_user(struct site *s, uint64_t user)
{
	struct ab_key key = ab_key_user(user);

	return box_view(&s->box, &key);
}

struct ab_view site_pair(struct site *s, const char *source, uint64_t user)
{
	struct ab_prefix p = prefix_of(source);
	struct ab_key key = ab_key_pair(&p, user);

	return box_view(&s->box, &key);
}

struct ab_view site_source(struct site *s, const char *source)
{
	struct ab_key key = key_of(source);

	return box_view(&s->box, &key);
}
