/*
 * authban: what happens to the proxies of one seed
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "chaos.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHAOS (60 * SECONDS)
#define NATS 2 /* the last sources: somebody logs in there too */
/* Connected proxies look each 5 s whether Redis was emptied. */
#define HEALTH (5 * SECONDS)
#define AGREE_AFTER \
	(2500 * MS) /* the end of the last fault, with all connected */
#define LOOK_EVERY (100 * MS)

/* One seed's chance of each kind of trouble. */
struct chaos
{
	struct stage *s;
	struct outcome *out;
	int64_t heal
			[CORES_MAX]; /* when the fault of its network ends; 0: there is none */
	int64_t promote;	 /* the address moves to the replica; 0: it does not */
	bool detached;
	bool network, kills, wipes, failover, clocks;
};

static int64_t between(struct stage *s, int64_t least, int64_t most)
{
	return least + stage_random(s, (uint32_t)((most - least) / MS + 1)) * MS;
}

/* --- what people do --- */

static void one_failure(struct stage *s, unsigned i, unsigned source)
{
	uint64_t who = USER_HASH(
			source, source >= s->sources - NATS ? stage_random(s, USERS) : 0);
	struct order o = {ORDER_FAIL, source, who, 0, AB_KIND_SOURCE};
	struct true_failure f = {.at = s->world->now,
			.core = (uint8_t)i,
			.source = (uint8_t)source,
			.who = who,
			.boot = s->truth.boot[i]};
	struct report r;
	unsigned known = s->truth.failures;

	/* its news is about this failure too */
	truth_failure(&s->truth, &f);
	r = stage_order(s, i, &o);
	if(!r.ok) {
		s->truth.failures = known;
		return;
	}
	s->truth.failure[known].epoch = r.view.epoch;
	s->truth.failure[known].alone = !r.met;
	stage_say(s,
			"proxy %u: failure of source %u user %u, own %u+%u others %u+%u", i,
			source, (unsigned)(who % USERS), r.view.own[0], r.view.own[1],
			r.view.others[0], r.view.others[1]);
}

static void somebody_acts(struct chaos *c)
{
	struct stage *s = c->s;
	unsigned i = stage_random(s, s->cores), n = 1 + stage_random(s, 3);
	unsigned source = stage_random(s, s->sources), what = stage_random(s, 100);
	struct order o = {0, source, 0, 0, AB_KIND_SOURCE};

	if(!s->proxy[i].ready)
		return;
	if(what < 82) {
		while(n-- > 0 && s->proxy[i].ready)
			one_failure(s, i, source);
	} else if(what < 90) {
		o.source = s->sources - 1 - stage_random(s, NATS);
		o.kind = ORDER_SUCCESS;
		o.who = USER_HASH(o.source, stage_random(s, GOOD_USERS));
		stage_order(s, i, &o);
	} else if(what >= s->operators) {
		return;
	} else if(what < 94) {
		o.kind = ORDER_BAN;
		o.seconds = 60 + stage_random(s, 600);
		stage_say(s, "proxy %u: operator bans source %u", i, source);
		stage_order(s, i, &o);
	} else {
		o.kind = ORDER_UNBAN;
		stage_say(s, "proxy %u: operator unbans source %u", i, source);
		stage_order(s, i, &o);
	}
}

/* --- what goes wrong --- */

static void network_fault(struct chaos *c, unsigned i)
{
	struct stage *s = c->s;
	struct link *l = &s->world->link[i];
	unsigned what = stage_random(s, 8);

	switch(what) {
		case 0:
			l->generation++;
			break;
		case 1:
			l->cut_request = (long)stage_random(s, 800);
			break;
		case 2:
			l->cut_reply = (long)stage_random(s, 400);
			break;
		case 3:
			l->delay = between(s, 1 * MS, 700 * MS);
			c->heal[i] = s->world->now + between(s, 500 * MS, 5 * SECONDS);
			break;
		default:
			l->mode = (enum link_mode)(what - 3);
			l->late = between(s, 0, 3 * SECONDS);
			c->heal[i] = s->world->now + between(s, 200 * MS, 6 * SECONDS);
			break;
	}
	stage_say(s, "proxy %u: network fault %u", i, what);
	stage_wake_all(s);
}

static void heal_network(struct chaos *c, unsigned i)
{
	struct link *l = &c->s->world->link[i];

	l->mode = LINK_UP;
	l->delay = 100;
	l->cut_request = l->cut_reply = -1;
	c->heal[i] = 0;
	stage_say(c->s, "proxy %u: network heals", i);
	stage_wake_all(c->s);
}

/* What a proxy leaves in Redis: all that it counted, when it had nothing to do. */
static void inherit(struct chaos *c, unsigned i)
{
	struct stage *s = c->s;
	struct order look = {ORDER_VIEW, 0, 0, 0, AB_KIND_SOURCE};

	if(s->proxy[i].ready && s->proxy[i].idle && !c->out->wipes && !c->detached
			&& !stage_order(s, i, &look).dirty)
		truth_keep(&s->truth, i);
}

static void kill_one(struct chaos *c, unsigned i)
{
	struct stage *s = c->s;
	struct order term = {.kind = ORDER_TERM};

	if(!s->proxy[i].pid)
		return;
	inherit(c, i);
	c->out->kills++;
	s->proxy[i].back = s->world->now + between(s, 0, 3 * SECONDS);
	if(s->proxy[i].ready && stage_chance(s, 30)) {
		stage_say(s, "proxy %u: asked to end", i);
		s->proxy[i].gone = true;
		stage_order(s, i, &term);
		stage_run(s, s->world->now + 700 * MS);
	} else {
		stage_say(s, "proxy %u: killed", i);
	}
	stage_kill(s, i);
	if(stage_chance(s, 40))
		unlink(s->proxy[i].snapshot);
}

/* A replica takes over that has missed the last moments of its master. */
static void lose_master(struct chaos *c)
{
	struct stage *s = c->s;

	stage_say(s, "the replica is cut off");
	server_do(&s->server[0], "SET checker 1");
	server_do(&s->server[0], "WAIT 1 0");
	server_do(&s->server[1], "REPLICAOF NO ONE");
	c->detached = true;
	truth_lose(&s->truth);
	c->promote = s->world->now + between(s, 0, 1500 * MS);
}

static void promote(struct chaos *c)
{
	struct stage *s = c->s;
	unsigned i;

	stage_say(s, "the replica is the master");
	c->promote = 0;
	c->out->failovers++;
	for(i = 0; i < CORES_MAX; i++) {
		s->world->link[i].server = 1;
		s->world->link[i].generation++;
	}
	stage_wake_all(s);
}

static void wipe(struct chaos *c)
{
	struct stage *s = c->s;

	stage_say(s, "all is wiped");
	c->out->wipes++;
	truth_lose(&s->truth);
	server_do(&s->server[s->world->link[0].server], "FLUSHALL");
	s->world->touched++;
}

static void power_failure(struct chaos *c)
{
	unsigned i;

	stage_say(c->s, "a power failure");
	for(i = 0; i < c->s->cores; i++)
		kill_one(c, i);
	wipe(c);
}

/* Redis's own. */
static void step_clock(struct chaos *c)
{
	struct stage *s = c->s;
	struct server *r = &s->server[s->world->link[0].server];

	r->ahead = between(s, -1500 * MS, 1500 * MS);
	s->truth.blur = 2 * TOLERANCE;
	stage_say(s, "Redis's clock is %lld us ahead", (long long)r->ahead);
}

static void something_breaks(struct chaos *c)
{
	struct stage *s = c->s;
	unsigned i = stage_random(s, s->cores), what = stage_random(s, 100);
	bool moving = c->promote != 0;

	c->out->faults++;
	if(what < 60) {
		if(c->network && !c->heal[i])
			network_fault(c, i);
	} else if(what < 78) {
		if(c->kills)
			kill_one(c, i);
	} else if(what < 83) {
		if(c->wipes && !moving)
			wipe(c);
	} else if(what < 92) {
		if(c->failover && !c->detached)
			lose_master(c);
	} else if(what < 94) {
		if(c->kills && c->wipes && !moving)
			power_failure(c);
	} else if(c->clocks) {
		step_clock(c);
	}
}

/* --- the course of it --- */

static void what_is_due(struct chaos *c)
{
	struct stage *s = c->s;
	unsigned i;

	for(i = 0; i < s->cores; i++) {
		if(c->heal[i] && c->heal[i] <= s->world->now)
			heal_network(c, i);
		if(!s->proxy[i].pid && s->proxy[i].back <= s->world->now)
			stage_start(s, i);
	}
	if(c->promote && c->promote <= s->world->now)
		promote(c);
}

static void begin(struct chaos *c, uint64_t seed)
{
	static const int windows[] = {600, 600, 60, 20};
	struct stage *s = c->s;
	unsigned i;

	stage_begin(s, seed);
	s->set.window = windows[stage_random(s, 4)];
	s->set.grace = 60;
	/* some seeds end with many bans, others with many counts below the limit */
	s->sources = stage_chance(s, 50) ? 10 : SOURCES;
	s->operators = stage_chance(s, 50) ? 100 : 91;
	s->set.long_threshold = stage_chance(s, 25) ? 20 : 200;
	s->set.ban_time = stage_chance(s, 20) ? 15 : 600;
	c->network = stage_chance(s, 80);
	c->kills = stage_chance(s, 60);
	c->wipes = stage_chance(s, 40);
	c->failover = stage_chance(s, 40);
	c->clocks = stage_chance(s, 20);
	if(c->failover && !server_follow(&s->server[1], &s->server[0]))
		snprintf(s->truth.wrong, sizeof(s->truth.wrong), "no replica");
	for(i = 0; i < s->cores; i++)
		stage_start(s, i);
	stage_run(s, 1 * SECONDS);
}

static void end_faults(struct chaos *c)
{
	struct stage *s = c->s;
	unsigned i;

	if(c->promote)
		promote(c);
	for(i = 0; i < s->cores; i++) {
		heal_network(c, i);
		if(!s->proxy[i].pid)
			stage_start(s, i);
	}
	stage_say(s, "no more faults");
}

/* --- what must hold --- */

/* The pairs of a source where somebody logs in. */
static bool check_pairs(struct stage *s, unsigned source)
{
	struct known_entry pair[CORES_MAX];
	uint32_t void_before = truth_unbanned(&s->truth, source);
	unsigned user;

	for(user = 0; user < USERS; user++) {
		struct ab_key key = {
				.kind = AB_KIND_PAIR, .user = USER_HASH(source, user)};

		key.addr.b[13] = (uint8_t)source;
		if(!stage_view(s, source, AB_KIND_PAIR, key.user, pair)
				|| !truth_agrees(
						&s->truth, &key, void_before, s->world->now, pair))
			return false;
	}
	return true;
}

static bool check_sources(struct stage *s)
{
	struct known_entry k[CORES_MAX];
	unsigned source;

	for(source = 0; source < s->sources; source++) {
		struct ab_key key = {.kind = AB_KIND_SOURCE};

		key.addr.b[13] = (uint8_t)source;
		if(!stage_view(s, source, AB_KIND_SOURCE, 0, k)
				|| !truth_agrees(&s->truth, &key, 0, s->world->now, k)
				|| (source >= s->sources - NATS && !check_pairs(s, source)))
			return false;
	}
	return true;
}

static void converge(struct chaos *c)
{
	struct stage *s = c->s;
	int64_t begin = s->world->now, agreed = 0, late = AGREE_AFTER + HEALTH;

	while(s->world->now < begin + late + SECONDS && !s->truth.wrong[0]) {
		stage_run(s, s->world->now + LOOK_EVERY);
		if(s->truth.wrong[0])
			return;
		if(!check_sources(s))
			agreed = 0;
		else if(!agreed)
			agreed = s->world->now;
		/* not yet is not wrong */
		if(s->world->now < begin + late)
			s->truth.wrong[0] = '\0';
	}
	c->out->converged = agreed - begin;
}

/* One proxy after the other sends its shares once more, which makes it read those that
 * the others have sent of their own accord. */
static void check_counts(struct stage *s)
{
	struct order mark = {.kind = ORDER_MARK};
	unsigned i, source;

	for(i = 0; i < s->cores && !s->truth.wrong[0]; i++) {
		stage_order(s, i, &mark);
		stage_run(s, s->world->now + 200 * MS);
		for(source = 0; source < s->sources - NATS; source++) {
			struct order look = {ORDER_VIEW, source, 0, 0, AB_KIND_SOURCE};
			struct report r = stage_order(s, i, &look);

			if(r.ok)
				truth_counts(&s->truth, i, &r.view);
		}
	}
}

void chaos_play(struct stage *s, uint64_t seed, struct outcome *out)
{
	struct chaos c = {.s = s, .out = out};
	unsigned i;

	memset(out, 0, sizeof(*out));
	begin(&c, seed);
	while(s->world->now < CHAOS && !s->truth.wrong[0]) {
		stage_run(s, s->world->now + between(s, 10 * MS, 400 * MS));
		what_is_due(&c);
		if(stage_chance(s, 80))
			somebody_acts(&c);
		else
			something_breaks(&c);
	}
	end_faults(&c);
	converge(&c);
	if(!s->truth.wrong[0])
		check_counts(s);
	if(!s->truth.wrong[0])
		check_sources(s);
	out->failures = s->truth.failures;
	out->states = s->truth.states;
	out->trace = s->trace;
	memcpy(out->wrong, s->truth.wrong, sizeof(out->wrong));
	for(i = 0; i < s->cores; i++)
		stage_kill(s, i);
}
