/*
 * authban: the other proxies: who is there, whom nobody believes, what was refused
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_peers.h"

#include "authban_params.h"
#include "authban_shared.h"
#include "authban_store_private.h"

#include "ab_text.h"

#include "core/dprint.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define KEY_SECONDS \
	"3600" /* the hash of a cluster that is gone stays so long */
#define FORGET_SECONDS "2592000" /* as AB_FORGET_MAX_S */
#define ROWS_EACH 32	  /* starts for which it is read once more seldom */
#define ROWS_MAX 20000	  /* more than a cluster has: somebody else's writing */
#define DELETE_MAX 16	  /* old rows deleted at a time */
#define SAY_EVERY 3600000 /* ms between two lines about one proxy */
#define REFUSED_EVERY 60000 /* ms between two lines about what was refused */
#define DENIED_EVERY \
	3600000 /* ms until a command that is not allowed is tried */
#define SAID_MAX 64

enum tag
{
	TAG_NODES = 0,
	TAG_FORGET
};

static int64_t next_work, next_read, next_refusals, denied_until;
static uint64_t refused_said;
static uint64_t start_ms; /* of this start, cluster time; 0: not known yet */
static bool forgotten_said;

/* What was read; large, so not on the stack. */
static struct ab_node rows[AB_NODES_MAX];
static uint32_t n_rows, more_rows;

/* Rows to be deleted. */
static uint8_t old_rows[DELETE_MAX][8];
static int n_old;

/* About which starts something was said lately. */
static struct said
{
	uint8_t id[4], boot[4];
	int64_t at;
} said[SAID_MAX];

static void keys(const struct authban_store *s, char nodes[AB_WIRE_KEY_MAX],
		char forget[AB_WIRE_KEY_MAX])
{
	char tag[AB_WIRE_KEY_MAX];

	ab_wire_tag(&s->sync->wire, 0, tag);
	snprintf(nodes, AB_WIRE_KEY_MAX, "%.80s:nodes", tag);
	snprintf(forget, AB_WIRE_KEY_MAX, "%.80s:forget", tag);
}

static struct ab_nodes *list(const struct authban_store *s)
{
	return s->sync->nodes;
}

static uint32_t owner(const struct authban_store *s)
{
	return s->sync->table->owner;
}

/* --- reading --- */

/* An error reply. A Redis user of before these keys is told of once an hour. */
static int passed_over(struct authban_store *s, const authban_reply_t *reply)
{
	size_t len;
	const char *text = authban_reply_text(reply, &len);
	int64_t now = authban_redis_now();

	if(len < 6 || strncmp(text, "NOPERM", 6) != 0
			|| !memmem(text, len, " key", 4))
		return authban_store_pass_over(s, "peers", reply);
	if(now >= denied_until)
		LM_WARN("the user of Redis may not use the keys \"nodes\" and"
				" \"forget\": peers are not known, and authban.forget reaches"
				" this proxy alone (see etc/redis-users.acl)\n");
	denied_until = now + DENIED_EVERY;
	return 0;
}

static void found_node(struct authban_store *s, const uint8_t *field,
		size_t flen, const uint8_t *value, size_t vlen)
{
	uint64_t now = authban_now().cluster_ms;
	struct ab_node node;
	enum ab_wire_result r =
			ab_node_read(&s->sync->wire, field, flen, value, vlen, &node);

	if(r != AB_WIRE_OK) {
		s->sync->stats.dropped[r]++;
		return;
	}
	if(node.seen + AB_NODE_DROP < now) {
		if(n_old < DELETE_MAX)
			memcpy(old_rows[n_old++], field, 8);
		return;
	}
	if(node.seen + AB_NODE_STALE < now)
		return;
	if(n_rows < AB_NODES_MAX)
		rows[n_rows++] = node;
	else
		more_rows++;
}

static void found_forgotten(
		struct authban_store *s, const uint8_t *value, size_t vlen)
{
	struct ab_now now = authban_now();

	if(ab_forget_is(value, vlen))
		ab_sync_apply(s->sync, &now, value, vlen);
	else
		s->sync->stats.dropped[AB_WIRE_LENGTH]++;
}

static int got(void *arg, int tag, authban_reply_t **reply)
{
	struct authban_store *s = arg;
	size_t i, flen, vlen;

	if(authban_reply_type(*reply) == AUTHBAN_REPLY_ERROR)
		return passed_over(s, *reply);
	if(tag == WRITE || authban_reply_size(*reply) > 2 * ROWS_MAX)
		return 0;
	for(i = 0; i + 1 < authban_reply_size(*reply); i += 2) {
		const uint8_t *field = (const uint8_t *)authban_reply_text(
				authban_reply_at(*reply, i), &flen);
		const uint8_t *value = (const uint8_t *)authban_reply_text(
				authban_reply_at(*reply, i + 1), &vlen);

		if(tag == TAG_NODES)
			found_node(s, field, flen, value, vlen);
		else
			found_forgotten(s, value, vlen);
	}
	return 0;
}

/* --- writing --- */

static int put(struct authban_store *s, int tag, const char *command,
		const char *key, const void *field, size_t field_len, const void *value,
		size_t len)
{
	const char *argv[] = {command, key, field, value};
	const size_t lens[] = {strlen(command), strlen(key), field_len, len};

	return authban_store_append(s, 0, tag,
			value	? 4
			: field ? 3
					: 2,
			argv, lens);
}

static int append_all(struct authban_store *s, const char *key, int tag)
{
	authban_pipe_chain(&s->pipe);
	return put(s, tag, "HGETALL", key, NULL, 0, NULL, 0);
}

static int append_own(struct authban_store *s, const char *key)
{
	const struct ab_wire *w = &s->sync->wire;
	struct ab_node me = {.wire = AB_WIRE_VERSION,
			.start = start_ms,
			.seen = authban_now().cluster_ms};
	uint8_t field[8], record[AB_NODE_RECORD_MAX];
	size_t len;

	memcpy(field, w->node, 4);
	memcpy(field + 4, w->boot, 4);
	strncpy(me.name, authban_params.node, AB_NAME_LEN);
	strncpy(me.module, AUTHBAN_VERSION, AB_NODE_MODULE_LEN);
	if(me.seen < me.start) /* the clock was set back */
		me.seen = me.start;
	len = ab_node_write(w, &me, record);
	authban_pipe_chain(&s->pipe);
	return put(s, WRITE, "HSET", key, field, 8, record, len) < 0
						   || put(s, WRITE, "EXPIRE", key, KEY_SECONDS,
									  strlen(KEY_SECONDS), NULL, 0)
									  < 0
				   ? -1
				   : 0;
}

/* Into the hash for those that start later, and into the log. */
static int append_forgotten(
		struct authban_store *s, const char *key, const struct ab_forgotten *f)
{
	uint8_t record[AB_NODE_RECORD_MAX];
	size_t len = ab_forget_write(&s->sync->wire, f, record);
	char log[AB_WIRE_KEY_MAX];
	const char *add[] = {"XADD", log, "MAXLEN", "~", AUTHBAN_LOG_LENGTH, "*",
			"r", (const char *)record};
	size_t lens[8];
	int i;

	ab_wire_log_key(&s->sync->wire, log);
	for(i = 0; i < 7; i++)
		lens[i] = strlen(add[i]);
	lens[7] = len;
	authban_pipe_chain(&s->pipe);
	return put(s, WRITE, "HSET", key, f->id, 4, record, len) < 0
						   || put(s, WRITE, "EXPIRE", key, FORGET_SECONDS,
									  strlen(FORGET_SECONDS), NULL, 0)
									  < 0
						   || authban_store_append(s, 0, WRITE, 8, add, lens)
									  < 0
				   ? -1
				   : 0;
}

static int append_old(struct authban_store *s, const char *key)
{
	int i;

	for(i = 0; i < n_old; i++)
		if(put(s, WRITE, "HDEL", key, old_rows[i], 8, NULL, 0) < 0)
			return -1;
	n_old = 0;
	return 0;
}

/* Who was forgotten here has to be told, and leaves the map. */
static int tell_forgotten(struct authban_store *s, const char *key)
{
	struct ab_forgotten f;
	bool any = false;

	authban_store_begin(s);
	while(ab_nodes_take_unsent(list(s), owner(s), &f)) {
		any = true;
		if(append_forgotten(s, key, &f) < 0)
			return -1;
	}
	if(!any)
		return 0;
	if(authban_store_run(
			   s, got, s, authban_redis_now() + AUTHBAN_STORE_DEADLINE)
			< 0)
		return -1;
	return authban_store_purge(s, authban_redis_now() + AUTHBAN_STORE_LOAD);
}

/* --- what it means --- */

/* A name that another proxy has given itself. */
static const char *clean(const char *name)
{
	static char text[4 * AB_NAME_LEN + 1];

	return ab_text_escape(text, sizeof(text), name, strlen(name), AB_NAME_LEN);
}

/* Whether something may be said of a start again. */
static bool may_say(const struct ab_node *node, int64_t now)
{
	struct said *row = &said[0];
	int i;

	for(i = 0; i < SAID_MAX; i++) {
		if(memcmp(said[i].id, node->id, 4) == 0
				&& memcmp(said[i].boot, node->boot, 4) == 0) {
			row = &said[i];
			break;
		}
		if(said[i].at < row->at)
			row = &said[i];
	}
	if(i < SAID_MAX && row->at != 0 && now < row->at + SAY_EVERY)
		return false;
	memcpy(row->id, node->id, 4);
	memcpy(row->boot, node->boot, 4);
	row->at = now;
	return true;
}

static void say(const struct authban_store *s, int64_t now)
{
	const struct ab_wire *w = &s->sync->wire;
	struct ab_node node;
	uint32_t i;

	for(i = 0; ab_nodes_get(list(s), owner(s), i, &node); i++) {
		bool own = memcmp(node.id, w->node, 4) == 0
				   && memcmp(node.boot, w->boot, 4) == 0;

		if(own && node.twin && may_say(&node, now))
			LM_WARN("another proxy of this cluster is named \"%s\" too; each"
					" needs a name of its own (parameter node)\n",
					authban_params.node);
		if(!own && node.wire != AB_WIRE_VERSION && may_say(&node, now))
			LM_WARN("proxy %s writes records of version %d, this one of"
					" version %d: they do not understand each other, upgrade"
					" %s\n",
					clean(node.name), node.wire, AB_WIRE_VERSION,
					node.wire > AB_WIRE_VERSION ? "this one" : "that one");
	}
}

/* An earlier start of ours was forgotten, or this very one. */
static void own_past(struct authban_store *s)
{
	const struct ab_wire *w = &s->sync->wire;
	struct ab_now now = authban_now();
	struct ab_dropped ignored;
	struct ab_forgotten f;

	if(!ab_nodes_forgotten(list(s), owner(s), w->node, &f)
			|| memcmp(f.boot, w->boot, 4) == 0)
		return;
	if(f.at >= start_ms) {
		if(!forgotten_said)
			LM_WARN("%s has had this proxy forgotten: the others do not"
					" believe it until it is started again\n",
					clean(f.by));
		forgotten_said = true;
		return;
	}
	if(f.back == 0)
		f.back = start_ms;
	f.started = start_ms;
	memcpy(f.boot, w->boot, 4);
	strncpy(f.by, authban_params.node, AB_NAME_LEN);
	f.unsent = true;
	ab_sync_forget(s->sync, &now, &f, &ignored);
}

/* --- when --- */

int authban_peers_load(struct authban_store *s, int64_t deadline)
{
	char nodes[AB_WIRE_KEY_MAX], forget[AB_WIRE_KEY_MAX];

	if(authban_redis_now() < denied_until)
		return 0;
	keys(s, nodes, forget);
	authban_store_begin(s);
	if(append_all(s, forget, TAG_FORGET) < 0
			|| authban_store_run(s, got, s, deadline) < 0)
		return -1;
	return 0;
}

void authban_peers_connected(void)
{
	next_work = next_read = 0;
}

int64_t authban_peers_next(void)
{
	return atomic_load(&authban_nodes()->unsent) ? 0 : next_work;
}

int authban_peers_work(struct authban_store *s, int64_t now)
{
	char nodes[AB_WIRE_KEY_MAX], forget[AB_WIRE_KEY_MAX];
	bool read = now >= next_read;

	if(start_ms == 0)
		start_ms = authban_now().cluster_ms;
	keys(s, nodes, forget);
	own_past(s);
	if(tell_forgotten(s, forget) < 0)
		return -1;
	if(now < next_work)
		return 0;
	next_work = now + AUTHBAN_PEERS_EVERY;
	if(now < denied_until)
		return 0;
	authban_store_begin(s);
	n_rows = more_rows = 0;
	if(append_own(s, nodes) < 0 || append_old(s, nodes) < 0
			|| (read && append_all(s, nodes, TAG_NODES) < 0)
			|| authban_store_run(
					   s, got, s, authban_redis_now() + AUTHBAN_STORE_DEADLINE)
					   < 0)
		return -1;
	if(read) {
		next_read = now
					+ AUTHBAN_PEERS_EVERY
							  * (1 + (int64_t)(n_rows + more_rows) / ROWS_EACH)
					- 1;
		ab_nodes_replace(list(s), owner(s), rows, n_rows, more_rows);
		say(s, now);
	}
	return 0;
}

/* --- what was refused --- */

void authban_peers_flooded(const char *origin)
{
	LM_WARN("proxy %s has made or lifted more than %d bans in a minute"
			" (parameter peer_changes): the rest of them is not believed\n",
			clean(origin), authban_params.peer_changes);
}

void authban_peers_refusals(const struct ab_sync_stats *st, int64_t now)
{
	char text[160];
	uint64_t sum = 0;
	int i, n = 0;

	for(i = 0; i < AB_WIRE_RESULTS; i++)
		sum += st->dropped[i];
	if(sum == refused_said || now < next_refusals)
		return;
	text[0] = '\0';
	for(i = 0; i < AB_WIRE_RESULTS; i++)
		if(st->dropped[i] && n < (int)sizeof(text) - 40)
			n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%llu %s",
					n ? ", " : "", (unsigned long long)st->dropped[i],
					ab_wire_result_name((enum ab_wire_result)i));
	LM_WARN("%llu records in Redis were refused (since the start: %s)\n",
			(unsigned long long)(sum - refused_said), text);
	refused_said = sum;
	next_refusals = now + REFUSED_EVERY;
}
