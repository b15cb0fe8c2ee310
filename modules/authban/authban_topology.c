/*
 * authban: which Redis to talk to: one server, what sentinels name, a cluster
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_topology.h"

#include <stdio.h>
#include <string.h>

/* What CLUSTER SLOTS says of our shards, before it is believed. */
struct slot_map
{
	struct ab_place of_shard[AB_WIRE_SHARDS_MAX];
	bool still_there
			[AB_WIRE_SHARDS_MAX]; /* the shard's last master is one yet */
};

static struct slot_map found; /* 16 kB: not on the stack; one process only */

static unsigned shards(const struct authban_topology *t)
{
	return t->wire->shards > 1 ? t->wire->shards : 1;
}

static int fail(struct authban_topology *t, const char *what, const char *why)
{
	snprintf(t->error, sizeof(t->error), "%s%s%.100s", what, *what ? ": " : "",
			why);
	authban_redis_clean(t->error);
	return -1;
}

int64_t authban_topology_step(
		const struct authban_topology *t, int64_t deadline)
{
	int64_t end = authban_redis_now() + t->step;

	return end < deadline ? end : deadline;
}

/* --- connections --- */

int authban_topology_connect(struct authban_topology *t,
		struct authban_redis *r, const struct ab_place *place, int64_t deadline)
{
	if(!t->url->is_unix && !t->remote_allowed
			&& !ab_host_is_local(place->host)) {
		snprintf(t->error, sizeof(t->error),
				"remote server %.50s was named, but there is no password"
				" or no cluster_key",
				place->host);
		return -1;
	}
	if(authban_redis_open(r, place, t->url, AUTHBAN_REDIS_SERVER, deadline) < 0)
		return fail(t, "", r->error);
	return 0;
}

int authban_topology_node(struct authban_topology *t,
		const struct ab_place *place, int64_t deadline)
{
	int i, unused = -1;

	for(i = AUTHBAN_NODES - 1; i >= 0; i--) {
		struct authban_node *n = &t->node[i];

		if(n->r.c && ab_place_equal(&n->place, place))
			return i;
		if(!n->r.c)
			unused = i;
	}
	if(unused < 0)
		return fail(t, "redirect", "too many nodes");
	/* one server has all the time; of several another may do */
	if(t->url->kind != AB_URL_SERVER)
		deadline = authban_topology_step(t, deadline);
	if(authban_topology_connect(t, &t->node[unused].r, place, deadline) < 0)
		return -1;
	t->node[unused].place = *place;
	return unused;
}

static void close_node(struct authban_node *n)
{
	authban_redis_close(&n->r);
	n->place.host[0] = '\0';
}

void authban_topology_close(struct authban_topology *t)
{
	unsigned i;

	for(i = 0; i < AUTHBAN_NODES; i++)
		close_node(&t->node[i]);
}

struct authban_node *authban_topology_home(struct authban_topology *t)
{
	return &t->node[t->of_shard[0]];
}

unsigned authban_topology_nodes(const struct authban_topology *t)
{
	unsigned i, n = 0;

	for(i = 0; i < AUTHBAN_NODES; i++)
		n += t->node[i].r.c != NULL;
	return n;
}

/* Takes over a map: connects what is new, closes what has no shard any more. */
static int adopt(struct authban_topology *t, const struct slot_map *map,
		int64_t deadline)
{
	bool used[AUTHBAN_NODES] = {false};
	unsigned i;
	int n;

	for(i = 0; i < shards(t); i++) {
		n = authban_topology_node(t, &map->of_shard[i], deadline);
		if(n < 0)
			return -1;
		used[n] = true;
		t->of_shard[i] = (uint8_t)n;
		if(ab_place_equal(&t->last[i], &map->of_shard[i]))
			continue;
		if(t->last[i].host[0] && !map->still_there[i])
			t->lost = true;
		if(t->last[i].host[0] && i == 0)
			t->home_moved = true;
		t->last[i] = map->of_shard[i];
	}
	for(i = 0; i < AUTHBAN_NODES; i++)
		if(!used[i])
			close_node(&t->node[i]);
	return 0;
}

/* --- sentinels --- */

/* [host, port] as texts */
static int read_master(struct authban_topology *t, const authban_reply_t *reply,
		struct ab_place *out)
{
	size_t host_len, port_len, i;
	const char *host =
			authban_reply_text(authban_reply_at(reply, 0), &host_len);
	const char *port =
			authban_reply_text(authban_reply_at(reply, 1), &port_len);

	if(authban_reply_type(reply) == AUTHBAN_REPLY_ERROR)
		return fail(t, "SENTINEL", authban_reply_text(reply, &i));
	if(authban_reply_type(reply) == AUTHBAN_REPLY_NIL)
		return fail(t, "SENTINEL: unknown master", t->url->master);
	out->port = 0;
	for(i = 0; i < port_len && port_len <= 5; i++)
		out->port = port[i] >= '0' && port[i] <= '9' && out->port >= 0
							? out->port * 10 + (port[i] - '0')
							: -1;
	if(authban_reply_size(reply) != 2 || !ab_host_ok(host, host_len)
			|| out->port < 1 || out->port > 65535)
		return fail(t, "SENTINEL", "not an address");
	memcpy(out->host, host, host_len);
	out->host[host_len] = '\0';
	return 0;
}

static int ask_sentinel(struct authban_topology *t,
		const struct ab_place *sentinel, struct ab_place *master,
		int64_t deadline)
{
	const char *const words[] = {
			"SENTINEL", "get-master-addr-by-name", t->url->master, NULL};
	struct authban_redis r = {0};
	authban_reply_t *reply = NULL;
	int rc = -1;

	if(authban_redis_open(
			   &r, sentinel, t->url, AUTHBAN_REDIS_SENTINEL, deadline)
					< 0
			|| authban_redis_appendz(&r, words) < 0
			|| authban_redis_reply(&r, deadline, &reply) < 0)
		fail(t, "sentinel", r.error);
	else
		rc = read_master(t, reply, master);
	authban_reply_free(reply);
	authban_redis_close(&r);
	return rc;
}

/* All shards on one server. */
static int adopt_one(struct authban_topology *t, const struct ab_place *place,
		int64_t deadline)
{
	unsigned i;

	for(i = 0; i < shards(t); i++)
		found.of_shard[i] = *place;
	memset(found.still_there, 0, sizeof(found.still_there));
	return adopt(t, &found, deadline);
}

/* While a failover is under way the sentinels do not agree yet. */
static int check_role(struct authban_topology *t, int64_t deadline)
{
	static const char *const words[] = {"ROLE", NULL};
	struct authban_redis *r = &authban_topology_home(t)->r;
	authban_reply_t *reply = NULL;
	const char *text;
	size_t len;
	int rc;

	if(authban_redis_appendz(r, words) < 0
			|| authban_redis_reply(r, deadline, &reply) < 0)
		return fail(t, "", r->error);
	text = authban_reply_text(authban_reply_at(reply, 0), &len);
	rc = len == 6 && memcmp(text, "master", 6) == 0
				 ? 0
				 : fail(t, "ROLE", "the sentinels name a replica");
	authban_reply_free(reply);
	return rc;
}

/* Only a true master is remembered: the next one has to be told from it. */
static int adopt_master(struct authban_topology *t,
		const struct ab_place *master, int64_t deadline)
{
	int n = authban_topology_node(t, master, deadline);

	if(n < 0)
		return -1;
	t->of_shard[0] = (uint8_t)n;
	if(check_role(t, authban_topology_step(t, deadline)) == 0)
		return adopt_one(t, master, deadline);
	close_node(&t->node[n]);
	return -1;
}

/* Which sentinel is asked first changes with each opening, so one that is wrong
 * is not believed for ever. */
static int open_by_sentinel(struct authban_topology *t, int64_t deadline)
{
	unsigned i, n = t->url->places;
	struct ab_place master;

	for(i = 0; i < n && authban_redis_now() < deadline; i++) {
		const struct ab_place *s = &t->url->place[(t->turn + i) % n];

		if(ask_sentinel(t, s, &master, authban_topology_step(t, deadline)) == 0
				&& adopt_master(t, &master, deadline) == 0)
			return 0;
	}
	return -1;
}

/* --- cluster --- */

/* The master of one part of CLUSTER SLOTS: [first, last, [host, port, ...], ...].
 * A node that does not know its own name is at the place that we asked. */
static int read_part(const authban_reply_t *part, const struct ab_place *asked,
		long long *first, long long *last, struct ab_place *master)
{
	const authban_reply_t *node = authban_reply_at(part, 2);
	long long port = authban_reply_number(authban_reply_at(node, 1));
	size_t len;
	const char *host = authban_reply_text(authban_reply_at(node, 0), &len);

	*first = authban_reply_number(authban_reply_at(part, 0));
	*last = authban_reply_number(authban_reply_at(part, 1));
	if(len == 0) {
		host = asked->host;
		len = strlen(host);
	}
	if(*first < 0 || *last < *first || *last >= AB_SLOTS || port < 1
			|| port > 65535 || authban_reply_size(node) < 2
			|| !ab_host_ok(host, len))
		return -1;
	memcpy(master->host, host, len);
	master->host[len] = '\0';
	master->port = (int)port;
	return 0;
}

static int read_slots(struct authban_topology *t, const authban_reply_t *reply,
		const struct ab_place *asked, struct slot_map *map)
{
	char tag[AB_WIRE_KEY_MAX];
	unsigned slot[AB_WIRE_SHARDS_MAX], s;
	struct ab_place master;
	long long first, last;
	size_t i;

	memset(map, 0, sizeof(*map));
	if(authban_reply_type(reply) == AUTHBAN_REPLY_ERROR)
		return fail(t, "CLUSTER SLOTS", authban_reply_text(reply, &i));
	for(s = 0; s < shards(t); s++) {
		ab_wire_tag(t->wire, s, tag);
		slot[s] = ab_slot_of(tag, strlen(tag));
	}
	if(authban_reply_size(reply) > AB_SLOTS)
		return fail(t, "CLUSTER SLOTS", "too many parts");
	for(i = 0; i < authban_reply_size(reply); i++) {
		if(read_part(authban_reply_at(reply, i), asked, &first, &last, &master)
				< 0)
			return fail(t, "CLUSTER SLOTS", "not a map of slots");
		for(s = 0; s < shards(t); s++) {
			if(slot[s] >= first && slot[s] <= last)
				map->of_shard[s] = master;
			if(ab_place_equal(&t->last[s], &master))
				map->still_there[s] = true;
		}
	}
	for(s = 0; s < shards(t); s++)
		if(!map->of_shard[s].host[0])
			return fail(t, "CLUSTER SLOTS", "one of our slots has no master");
	return 0;
}

static int ask_slots(struct authban_topology *t, struct authban_redis *r,
		const struct ab_place *asked, struct slot_map *map, int64_t deadline)
{
	static const char *const words[] = {"CLUSTER", "SLOTS", NULL};
	authban_reply_t *reply = NULL;
	int rc;

	if(authban_redis_appendz(r, words) < 0
			|| authban_redis_reply(r, deadline, &reply) < 0)
		return fail(t, "", r->error);
	rc = read_slots(t, reply, asked, map);
	authban_reply_free(reply);
	return rc;
}

/* On a connection of its own: those of the nodes may be in use or dead. */
static int ask_place(struct authban_topology *t, const struct ab_place *place,
		struct slot_map *map, int64_t deadline)
{
	struct authban_redis r = {0};
	int rc = authban_topology_connect(t, &r, place, deadline);

	if(rc == 0)
		rc = ask_slots(t, &r, place, map, deadline);
	authban_redis_close(&r);
	return rc;
}

/* Who might know, in this order: who a MOVED named, the masters that we knew,
 * the URL's places. */
static int find_map(
		struct authban_topology *t, struct slot_map *map, int64_t deadline)
{
	unsigned i, n = t->url->places;
	struct ab_place hint = t->hint;

	t->hint.host[0] = '\0';
	if(hint.host[0]
			&& ask_place(t, &hint, map, authban_topology_step(t, deadline))
					   == 0)
		return 0;
	for(i = 0; i < n && authban_redis_now() < deadline; i++)
		if(ask_place(t, &t->url->place[(t->turn + i) % n], map,
				   authban_topology_step(t, deadline))
				== 0)
			return 0;
	/* all of the URL's may be gone by now */
	for(i = 0; i < shards(t) && authban_redis_now() < deadline; i++)
		if(t->last[i].host[0]
				&& (i == 0 || !ab_place_equal(&t->last[i], &t->last[i - 1]))
				&& ask_place(t, &t->last[i], map,
						   authban_topology_step(t, deadline))
						   == 0)
			return 0;
	return -1;
}

int authban_topology_refresh(struct authban_topology *t,
		const struct ab_place *hint, int64_t deadline)
{
	if(hint)
		t->hint = *hint;
	if(find_map(t, &found, deadline) < 0)
		return -1;
	return adopt(t, &found, deadline);
}

/* --- all kinds --- */

static int open_any(struct authban_topology *t, int64_t deadline)
{
	switch(t->url->kind) {
		case AB_URL_SENTINEL:
			return open_by_sentinel(t, deadline);
		case AB_URL_CLUSTER:
			return authban_topology_refresh(t, NULL, deadline);
		default:
			return adopt_one(t, &t->url->place[0], deadline);
	}
}

/* A network may be slow for all of them; a dead one among others is left soon. */
static void set_step(struct authban_topology *t, bool open, int64_t took)
{
	if(t->step < AUTHBAN_TOPOLOGY_STEP
			|| (open && took < AUTHBAN_TOPOLOGY_STEP))
		t->step = AUTHBAN_TOPOLOGY_STEP;
	else if(!open && took >= t->step)
		t->step = 2 * t->step < AUTHBAN_TOPOLOGY_STEP_MAX
						  ? 2 * t->step
						  : AUTHBAN_TOPOLOGY_STEP_MAX;
}

int authban_topology_open(struct authban_topology *t, int64_t deadline)
{
	int64_t begin = authban_redis_now();
	bool open;

	authban_topology_close(t);
	t->error[0] = '\0';
	t->turn++;
	set_step(t, false, 0);
	open = open_any(t, deadline) == 0;
	set_step(t, open, authban_redis_now() - begin);
	if(open) {
		t->home_moved = false;
		return 0;
	}
	if(!t->error[0])
		fail(t, "no_answer", "deadline");
	authban_topology_close(t);
	return -1;
}

/* After a failover by order the old master goes on as one for ten seconds. A
 * sentinel that does not answer means nothing here. */
static int check_master(struct authban_topology *t)
{
	const struct ab_place *s = &t->url->place[t->turn++ % t->url->places];
	bool is_slow = t->step > AUTHBAN_TOPOLOGY_STEP;
	int64_t end =
			authban_redis_now() + (is_slow ? t->step : AUTHBAN_TOPOLOGY_ASIDE);
	struct ab_place master;

	if(ask_sentinel(t, s, &master, end) < 0
			|| ab_place_equal(&master, &t->last[0]))
		return 0;
	t->home_moved = true;
	return fail(t, "SENTINEL", "the master is another one now");
}

static int ping(struct authban_topology *t, int64_t deadline)
{
	static const char *const words[] = {"TIME", NULL};
	authban_reply_t *reply;
	unsigned i;

	for(i = 0; i < AUTHBAN_NODES; i++) {
		struct authban_redis *r = &t->node[i].r;

		if(!r->c || i == t->of_shard[0])
			continue;
		if(authban_redis_appendz(r, words) < 0
				|| authban_redis_reply(r, deadline, &reply) < 0)
			return fail(t, "", r->error);
		authban_reply_free(reply);
	}
	return 0;
}

int authban_topology_check(struct authban_topology *t, int64_t deadline)
{
	return t->url->kind == AB_URL_SENTINEL ? check_master(t)
										   : ping(t, deadline);
}
