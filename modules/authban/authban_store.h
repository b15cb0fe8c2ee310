/*
 * authban: the store of ab_sync, in Redis
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Commands go through a pipe to the masters (authban_topology); one connection
 * more waits on the log. Keys and records: ab_wire.h. Plain commands only (HSET,
 * EXPIRE, HSCAN, HGETALL, HDEL, EXISTS, XADD, XREAD, XTRIM, XREVRANGE, RPUSH, LRANGE, SET,
 * GET, TIME, ROLE, and for a cluster CLUSTER SLOTS and ASKING), no script, so that a
 * narrow ACL is enough: etc/redis-users.acl.
 */
#ifndef AUTHBAN_STORE_H
#define AUTHBAN_STORE_H

#include "ab_sync.h"
#include "authban_credit.h"
#include "authban_pipe.h"
#include "authban_quarantine.h"

/* ms for an exchange; silence ends it sooner, see AUTHBAN_REDIS_SILENCE */
#define AUTHBAN_STORE_DEADLINE 5000
#define AUTHBAN_STORE_LOAD 10000 /* ms for a whole map while running */
#define AUTHBAN_STORE_BLOCK 1000 /* ms that Redis holds an empty XREAD */

struct authban_store
{
	const struct ab_url *url; /* NULL: no Redis */
	struct ab_sync *sync;
	struct authban_topology topology;
	struct authban_pipe pipe;
	struct authban_redis stream;
	bool stream_asking;				 /* the log is on its way to another node */
	char error[AUTHBAN_REDIS_ERROR]; /* why the last call failed */
	char mark[64];	  /* of the Redis that we know; "" before the first */
	char last_id[48]; /* in the log */
	int64_t asked;	  /* when XREAD was sent; 0: it was not */
	int64_t answered; /* when commands were last answered, all of them */
	int round_trip;	  /* ms that TIME took last */
	int64_t offset;	  /* cluster time minus monotonic time, ms */
	int role;		  /* 1 master, 2 replica */
	bool lost;		  /* this Redis is not the one we knew, or was emptied, or a
						 replica took over; cleared by who sends all again */
	int expired;	  /* fields of the map to be deleted, this time */
	struct authban_quarantine quarantine;
	struct authban_credit credit;
	int expired_max;
	/* buckets of the map that are known to hold something, a bit each */
	uint8_t map_seen[AB_WIRE_MAP_BUCKETS / 8];
};

/* `url` NULL: no Redis. It must stay valid, and `sync` too. `remote_allowed`: see
 * struct authban_topology. */
void authban_store_init(struct authban_store *s, const struct ab_url *url,
		struct ab_sync *sync, bool remote_allowed);

extern const struct ab_store_ops authban_store_ops;

/*
 * Connects both connections, reads time and role, notes where the log ends and
 * loads the map. `set_clock` is called once the time is known, before records
 * are applied. 0, or -1 with s->error; then the store is closed.
 */
int authban_store_open(struct authban_store *s, int64_t deadline,
		void (*set_clock)(struct authban_store *s));

void authban_store_close(struct authban_store *s);

/* Descriptor of the log's connection, for poll(); -1: closed. */
int authban_store_fd(const struct authban_store *s);

/* When authban_store_listen() has to look whether Redis is gone, monotonic ms. */
int64_t authban_store_deadline(const struct authban_store *s);

/* Applies what came in on the log and asks for more. 0, or -1 with s->error:
 * also when Redis has not answered in time. */
int authban_store_listen(struct authban_store *s);

/* The map and the log live on another node now: it has to be opened again. */
bool authban_store_moved(const struct authban_store *s);

/* Time, and whether Redis still is the one we knew (else s->lost). 0 or -1. */
int authban_store_health(struct authban_store *s);

/* Looks whether buckets of the map are gone, and marks what lived in them as unsent.
 * Returns how many states, or -1 with s->error. */
int authban_store_repair(struct authban_store *s);

#endif
