/*
 * authban: Redis servers and proxies of one seed, and the order in which they run
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One process runs at a time, and what it does depends on the seed alone. Each proxy is
 * a process with the module's own code; the servers are real, with a clock that stands
 * still between two steps.
 */
#ifndef STAGE_H
#define STAGE_H

#include "truth.h"

struct redisContext;

struct server
{
	int pid, port;
	struct redisContext *control;
	int64_t *clock; /* nanoseconds since 1970, what it shows */
	int64_t ahead;	/* us, of the world */
	uint32_t seen;	/* world->touched at the last look */
	int64_t last;	/* world->now at the last look */
	char dir[64];
};

/* Starts it in a folder of its own below `dir`. 0, or -1. */
int server_start(struct server *s, const char *dir, int number);
void server_stop(struct server *s);
/* Makes it a replica, and waits until it is one. */
bool server_follow(struct server *s, struct server *master);
/* Sends words, returns whether the answer was no error. */
bool server_do(struct server *s, const char *format, ...);

struct proxy
{
	int pid, sock; /* pid 0: dead */
	bool ready, idle, gone;
	int64_t until; /* asleep until then */
	int64_t mono, wall;
	int64_t back; /* dead until then */
	char snapshot[96];
};

struct stage
{
	uint64_t seed, random;
	struct world *world; /* shared with the proxies */
	struct server server[SERVERS];
	struct proxy proxy[CORES_MAX];
	unsigned cores, sources;
	unsigned operators; /* of 100 things that people do, those below this */
	struct ab_settings set;
	struct truth truth;
	bool loud;
	uint64_t trace; /* a hash of all that happened */
	uint32_t wakes; /* of the log */
};

/* Of a seed. */
uint32_t stage_random(struct stage *s, uint32_t below);
bool stage_chance(struct stage *s, uint32_t percent);

/* A line when the seed is played aloud; all of it goes into the trace. */
void stage_say(struct stage *s, const char *format, ...);

int stage_open(struct stage *s, const char *dir);
void stage_close(struct stage *s);

/* Empty servers, no proxies, moment 0, no faults. */
void stage_begin(struct stage *s, uint64_t seed);

void stage_start(struct stage *s, unsigned i);
void stage_kill(struct stage *s, unsigned i);

/* Lets everybody run until a moment, or the truth is hurt. */
void stage_run(struct stage *s, int64_t until);

/* Lets a proxy do something; it must be ready. Returns the answer. */
struct report stage_order(
		struct stage *s, unsigned i, const struct order *order);

/* What all proxies know of an entry; false: one of them is not there. */
bool stage_view(struct stage *s, unsigned source, uint8_t kind, uint64_t who,
		struct known_entry *out);

/* A fault of the network begins or ends: whoever waits looks again. */
/* Takes what a proxy reports until it sleeps or is gone. */
void stage_listen(struct stage *s, unsigned i);

void stage_wake_all(struct stage *s);

#endif
