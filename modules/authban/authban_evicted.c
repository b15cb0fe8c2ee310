/*
 * authban: parts of the map that Redis has lost
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A Redis that is short of memory may throw away any key (maxmemory-policy), and
 * somebody may delete one. Proxies that live know their bans all the same; one that
 * starts would not. So it is asked now and then, in one command, whether the
 * buckets are there that are known to hold something, and what lived in a missing one
 * is sent again. All buckets are in one slot of a cluster.
 */
#include "authban_store_private.h"

#include "authban_shared.h"

#include <stdlib.h>
#include <string.h>

#define WALK 64 /* entries of the table looked at at a time */

static bool bit(const uint8_t *bits, unsigned i)
{
	return bits[i / 8] & 1u << i % 8;
}

void authban_store_seen(struct authban_store *s, unsigned bucket)
{
	if(bucket < AB_WIRE_MAP_BUCKETS)
		s->map_seen[bucket / 8] |= (uint8_t)(1u << bucket % 8);
}

unsigned authban_store_bucket(const char *map_key)
{
	const char *number = strrchr(map_key, ':');

	return number ? (unsigned)strtoul(number + 1, NULL, 10) : 0;
}

/* How many of the keys asked for are there; -1: the server does not say. */
static int got_number(void *arg, int tag, authban_reply_t **reply)
{
	((int *)arg)[tag] = (int)authban_reply_number(*reply);
	return 0;
}

/* Asks for all buckets that were seen. Returns 1 when some are missing. */
static int ask_all(struct authban_store *s, int64_t deadline)
{
	static char key[AB_WIRE_MAP_BUCKETS][AB_WIRE_KEY_MAX];
	const char *argv[1 + AB_WIRE_MAP_BUCKETS] = {"EXISTS"};
	size_t len[1 + AB_WIRE_MAP_BUCKETS] = {6};
	int b, n = 0, found = -1;

	for(b = 0; b < AB_WIRE_MAP_BUCKETS; b++) {
		if(!bit(s->map_seen, (unsigned)b))
			continue;
		ab_wire_map_bucket_key(&s->sync->wire, (unsigned)b, key[n]);
		argv[n + 1] = key[n];
		len[n + 1] = strlen(key[n]);
		n++;
	}
	if(n == 0)
		return 0;
	authban_store_begin(s);
	if(authban_store_append(s, 0, 0, n + 1, argv, len) < 0
			|| authban_store_run(s, got_number, &found, deadline) < 0)
		return -1;
	return found >= 0 && found < n;
}

/* Asks for each. Fills `missing`; the buckets that are there stay seen. */
static int ask_each(struct authban_store *s, int64_t deadline,
		uint8_t missing[static AB_WIRE_MAP_BUCKETS / 8])
{
	int found[AB_WIRE_MAP_BUCKETS], b;
	char key[AB_WIRE_KEY_MAX];
	const char *argv[] = {"EXISTS", key};
	size_t len[] = {6, 0};

	authban_store_begin(s);
	for(b = 0; b < AB_WIRE_MAP_BUCKETS; b++) {
		found[b] = -1;
		if(!bit(s->map_seen, (unsigned)b))
			continue;
		ab_wire_map_bucket_key(&s->sync->wire, (unsigned)b, key);
		len[1] = strlen(key);
		authban_pipe_chain(&s->pipe);
		if(authban_store_append(s, 0, b, 2, argv, len) < 0)
			return -1;
	}
	if(authban_store_run(s, got_number, found, deadline) < 0)
		return -1;
	for(b = 0; b < AB_WIRE_MAP_BUCKETS; b++)
		if(found[b] == 0)
			missing[b / 8] |= (uint8_t)(1u << b % 8);
	for(b = 0; b < AB_WIRE_MAP_BUCKETS / 8; b++)
		s->map_seen[b] &= (uint8_t)~missing[b];
	return 0;
}

static void mark_state(struct ab_slot *slot, void *arg)
{
	(void)arg;
	ab_entry_set_flags(slot->e, slot->e->flags | AB_UNSENT_STATE);
}

/* Marks what lives in the missing buckets; returns how many. */
static int send_again(const struct authban_store *s, const uint8_t *missing)
{
	static struct ab_view view[WALK];
	const struct ab_sync *sync = s->sync;
	struct ab_cursor at = {0};
	struct ab_now now = authban_now();
	char key[AB_WIRE_KEY_MAX];
	size_t n, i;
	int marked = 0;

	while((n = ab_table_walk(sync->table, &at, sync->set, &now, view, WALK))) {
		for(i = 0; i < n; i++) {
			const struct ab_view *v = &view[i];

			if(v->ttl == 0 || v->version < AB_VERSION_TOLD
					|| (v->state != AB_STATE_BANNED
							&& v->state != AB_STATE_UNBANNED))
				continue;
			ab_wire_map_key(&sync->wire, &v->key, key);
			if(bit(missing, authban_store_bucket(key))
					&& ab_table_update(sync->table, &v->key, AB_FIND, sync->set,
							   &now, mark_state, NULL)
							   > 0)
				marked++;
		}
	}
	return marked;
}

int authban_store_repair(struct authban_store *s)
{
	uint8_t missing[AB_WIRE_MAP_BUCKETS / 8] = {0};
	int64_t deadline = authban_redis_now() + AUTHBAN_STORE_DEADLINE;
	int rc = ask_all(s, deadline);

	if(rc > 0 && (rc = ask_each(s, deadline, missing)) == 0)
		return send_again(s, missing);
	return rc;
}
