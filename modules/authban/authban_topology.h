/*
 * authban: which Redis to talk to: one server, what sentinels name, a cluster
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Keeps a connection to each master that holds one of our shards. Shard 0, with
 * the map and the log of bans, lives on the home node. What sentinels and
 * cluster nodes say is bounded and checked, and an address they name is
 * connected to only if the URL might have named it.
 */
#ifndef AUTHBAN_TOPOLOGY_H
#define AUTHBAN_TOPOLOGY_H

#include "ab_slot.h"
#include "ab_wire.h"
#include "authban_redis.h"

/* ms for one sentinel or node to answer; doubled while all of them are too late */
#define AUTHBAN_TOPOLOGY_STEP 250
#define AUTHBAN_TOPOLOGY_STEP_MAX 1500
#define AUTHBAN_TOPOLOGY_ASIDE 100 /* ms when nothing depends on the answer */

/* One a shard, and some that keys are on their way to. */
#define AUTHBAN_NODES (AB_WIRE_SHARDS_MAX + 8)

struct authban_node
{
	struct ab_place place; /* "": not in use */
	struct authban_redis r;
};

struct authban_topology
{
	const struct ab_url *url;
	const struct ab_wire *wire; /* the name of the shards' keys */
	bool remote_allowed;		/* there is a password and a cluster key */
	struct authban_node node[AUTHBAN_NODES];
	uint8_t of_shard[AB_WIRE_SHARDS_MAX]; /* index into node */
	bool home_moved; /* shard 0 has another node than when it was opened */
	bool lost;		 /* a master was replaced: it may not know all */
	char error[AUTHBAN_REDIS_ERROR];
	/* private */
	struct ab_place last[AB_WIRE_SHARDS_MAX]; /* survives closing */
	struct ab_place hint; /* who may know more; "": nobody */
	unsigned turn;		  /* which place of the URL is asked first */
	int step;			  /* ms, see AUTHBAN_TOPOLOGY_STEP */
};

/* Finds the masters of all shards and connects to them. 0, or -1 with t->error;
 * then it is closed. */
int authban_topology_open(struct authban_topology *t, int64_t deadline);

/* When one sentinel or node that is asked now has to have answered. */
int64_t authban_topology_step(
		const struct authban_topology *t, int64_t deadline);

void authban_topology_close(struct authban_topology *t);

/* Asks the cluster again who has which slot, first the node `hint` (of a MOVED;
 * NULL: any). 0, or -1 with t->error: then it has to be closed. */
int authban_topology_refresh(struct authban_topology *t,
		const struct ab_place *hint, int64_t deadline);

/* A connected node at this place, index into t->node, or -1 with t->error. */
int authban_topology_node(struct authban_topology *t,
		const struct ab_place *place, int64_t deadline);

/* One more connection to a place, with the same checks. 0, or -1 with t->error. */
int authban_topology_connect(struct authban_topology *t,
		struct authban_redis *r, const struct ab_place *place,
		int64_t deadline);

/* Whether the nodes beside the home node answer, and a sentinel still names the
 * same master. 0, or -1 with t->error. To be called now and then. */
int authban_topology_check(struct authban_topology *t, int64_t deadline);

/* The node of shard 0; it is connected as long as the topology is open. */
struct authban_node *authban_topology_home(struct authban_topology *t);

unsigned authban_topology_nodes(const struct authban_topology *t);

#endif
