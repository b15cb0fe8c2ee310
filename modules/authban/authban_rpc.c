/*
 * authban: commands for kamcmd and JSON-RPC
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Rows are copied out of the table in small groups, each bucket under its own
 * lock, and printed after the lock is gone.
 */
#include "authban_rpc.h"

#include "authban_early.h"
#include "authban_log.h"
#include "authban_params.h"
#include "authban_shared.h"

#include "core/socket_info.h"

#include <string.h>
#include <time.h>

#define LIST_LIMIT 100	/* rows of a list when none is asked for */
#define LIST_MAX 100000 /* rows that can be asked for */
#define ROWS 64			/* copied at once */

static int mode_now(const struct ab_settings *set)
{
	return set->mode;
}

/* --- status --- */

static void count_kinds(const struct ab_judge *j, int *banned, int *dry,
		int *watched, int *unbanned)
{
	struct ab_cursor at = {0};
	struct ab_view row[ROWS];
	size_t n, i;

	*banned = *dry = *watched = *unbanned = 0;
	while((n = ab_table_walk(j->table, &at, j->set, &j->now, row, ROWS)) > 0) {
		for(i = 0; i < n; i++) {
			*banned += row[i].state == AB_STATE_BANNED;
			*dry += row[i].state == AB_STATE_DRY_RUN;
			*unbanned += row[i].state == AB_STATE_UNBANNED;
			*watched += row[i].state == AB_STATE_NONE && row[i].failures > 0;
		}
	}
}

static const char *redis_word(const struct authban_sync_state *s)
{
	if(!s->configured)
		return "none";
	return s->connected ? "connected" : "disconnected";
}

static int add_redis(rpc_t *rpc, void *h, const struct ab_table *t)
{
	static const char *const roles[] = {"unknown", "master", "replica"};
	struct authban_sync_state *s = authban_sync_state();
	int role = s->role;

	return rpc->struct_add(h, "ssssddddddds", "redis", redis_word(s),
			"redis_server", s->server, "redis_role",
			roles[role >= 0 && role <= 2 ? role : 0], "redis_prefix",
			authban_params.redis_prefix, "redis_lag_ms", (int)s->lag_ms,
			"redis_pending",
			ab_table_clustered(t) ? (int)ab_table_pending(t) : 0,
			"redis_batches", (int)s->batches, "redis_reconnects",
			(int)s->reconnects, "redis_errors", (int)s->errors, "redis_dropped",
			(int)s->dropped, "states_applied", (int)s->states_applied,
			"redis_last_error", s->last_error);
}

static void rpc_status(rpc_t *rpc, void *ctx)
{
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	struct ab_table_stats stats;
	int banned, dry, watched, unbanned;
	void *h;

	ab_table_get_stats(j.table, &stats);
	count_kinds(&j, &banned, &dry, &watched, &unbanned);
	if(rpc->add(ctx, "{", &h) < 0
			|| rpc->struct_add(h, "ssssd", "mode",
					   authban_mode_name(mode_now(&set)), "node",
					   authban_params.node, "proof",
					   authban_proof_mode_name(authban_params.proof), "cluster",
					   ab_table_clustered(j.table) ? "yes" : "no", "early",
					   authban_early_active())
					   < 0
			|| rpc->struct_add(h, "dddddddddd", "capacity", (int)stats.capacity,
					   "entries", (int)stats.entries, "banned", banned,
					   "dry_run", dry, "watched", watched, "unbanned", unbanned,
					   "evictions", (int)stats.evictions, "evicted_bans",
					   (int)stats.evicted_bans, "lock_timeouts",
					   (int)stats.lock_timeouts, "locks_stolen",
					   (int)stats.locks_stolen)
					   < 0
			|| rpc->struct_add(h, "dddd", "threshold", set.threshold, "window",
					   set.window, "ban_time", set.ban_time, "ban_time_max",
					   set.ban_time_max)
					   < 0
			|| add_redis(rpc, h, j.table) < 0)
		rpc->fault(ctx, 500, "Internal error building the answer");
}

/* --- list and get --- */

/* Seconds ago as a point in time, UTC. */
static const char *when(uint32_t ago, char out[static 24])
{
	time_t t = time(NULL) - (time_t)ago;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}

static int add_ban(
		rpc_t *rpc, void *h, const struct ab_judge *j, const struct ab_view *v)
{
	struct ab_names *names = ab_table_names(j->table);
	struct ab_prefix p = {v->key.addr, v->key.plen};
	char source[AB_PREFIX_TEXT], since[24];

	return rpc->struct_add(h, "sssddsdssd", "source",
			ab_prefix_print(&p, source), "state",
			authban_state_name(v, mode_now(j->set)), "reason",
			ab_names_text(names, v->reason), "failures", (int)v->failures,
			"users", (int)v->users, "since", when(v->age, since), "ttl",
			(int)v->ttl, "origin", ab_names_text(names, v->origin), "proof",
			ab_proof_name((enum ab_proof)v->proof), "repeats", (int)v->repeats);
}

static void rpc_list(rpc_t *rpc, void *ctx)
{
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	struct ab_cursor at = {0};
	struct ab_view row[ROWS];
	int limit = LIST_LIMIT, offset = 0;
	size_t n, i;
	void *h;

	rpc->scan(ctx, "*dd", &limit, &offset);
	if(limit < 1 || limit > LIST_MAX || offset < 0) {
		rpc->fault(ctx, 400,
				"limit is a number from 1 to %d, offset one from 0 on",
				LIST_MAX);
		return;
	}
	while(limit > 0
			&& (n = ab_table_walk(j.table, &at, &set, &j.now, row, ROWS)) > 0) {
		for(i = 0; i < n && limit > 0; i++) {
			if((row[i].state != AB_STATE_BANNED
					   && row[i].state != AB_STATE_DRY_RUN)
					|| offset-- > 0)
				continue;
			limit--;
			if(rpc->add(ctx, "{", &h) < 0 || add_ban(rpc, h, &j, &row[i]) < 0) {
				rpc->fault(ctx, 500, "Internal error building the answer");
				return;
			}
		}
	}
}

/* An address or network from a command; the key it has in the table. 0, or -1
 * with a fault set. */
static int scan_source(
		rpc_t *rpc, void *ctx, const str *text, struct ab_prefix *p, bool *full)
{
	struct ab_prefix source;

	if(ab_prefix_parse(p, text->s, (size_t)text->len, full) < 0) {
		rpc->fault(ctx, 400,
				"%.*s is not an IP address or a network such as 192.0.2.0/24",
				text->len < 64 ? text->len : 64, text->s);
		return -1;
	}
	source = authban_source(&p->addr);
	if(*full)
		*p = source;
	if(p->len > source.len) {
		rpc->fault(ctx, 400,
				"sources are counted by networks of %d bits (ipv6_prefix);"
				" %d bits are too many",
				(int)source.len, (int)p->len);
		return -1;
	}
	return 0;
}

static const char *explain(const struct ab_view *v)
{
	switch(v->state) {
		case AB_STATE_BANNED:
		case AB_STATE_DRY_RUN:
			return v->proof == AB_PROOF_OPERATOR
						   ? "banned by an operator or the script"
						   : "failures reached the threshold";
		case AB_STATE_UNBANNED:
			return "unbanned lately; failures before that do not count";
		default:
			return v->failures ? "failures are below the threshold"
							   : "no failure within the window";
	}
}

static int add_details(
		rpc_t *rpc, void *h, const struct ab_judge *j, const struct ab_view *v)
{
	char last[24];

	return rpc->struct_add(h, "ddddddsss", "failures_here",
			(int)v->own[0] + v->own[1], "failures_elsewhere",
			(int)v->others[0] + v->others[1], "threshold", j->set->threshold,
			"window", j->set->window, "idle", (int)v->idle, "unsent",
			(v->flags & AB_UNSENT_ANY) != 0, "last", when(v->idle, last),
			"node", authban_params.node, "why", explain(v));
}

static void rpc_get(rpc_t *rpc, void *ctx)
{
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	struct ab_prefix p;
	struct ab_hit hit;
	struct ab_key key;
	struct ab_view v;
	bool full;
	str text;
	void *h;

	if(rpc->scan(ctx, ".S", &text) < 1) {
		rpc->fault(ctx, 400, "which address? authban.get ip");
		return;
	}
	if(scan_source(rpc, ctx, &text, &p, &full) < 0)
		return;
	key = ab_key_source(&p);
	hit = ab_table_check(j.table, &p.addr, &p, j.now.mono);
	if(hit.state != AB_STATE_NONE)
		key = ab_key_source(&hit.net);
	if(ab_table_get(j.table, &key, &set, &j.now, &v) != 1) {
		rpc->fault(ctx, 404, "Nothing is known of %.*s", text.len, text.s);
		return;
	}
	if(rpc->add(ctx, "{", &h) < 0 || add_ban(rpc, h, &j, &v) < 0
			|| add_details(rpc, h, &j, &v) < 0)
		rpc->fault(ctx, 500, "Internal error building the answer");
}

/* --- ban and unban --- */

/* One of our own listen sockets within a network; NULL: none. */
static const char *own_socket_in(const struct ab_prefix *p)
{
	static const int protos[] = {PROTO_UDP, PROTO_TCP, PROTO_TLS, PROTO_SCTP};
	struct socket_info **list, *si;
	struct ab_addr addr;
	size_t i;

	for(i = 0; i < sizeof(protos) / sizeof(protos[0]); i++) {
		list = get_sock_info_list((unsigned short)protos[i]);
		for(si = list ? *list : NULL; si; si = si->next) {
			authban_addr(&addr, &si->address);
			if(ab_prefix_contains(p, &addr))
				return si->sock_str.s;
		}
	}
	return NULL;
}

/* What an operator may not ban. 0, or -1 with a fault set. */
static int refuse(rpc_t *rpc, void *ctx, const struct ab_prefix *p, bool full)
{
	bool v4 = ab_addr_is_v4(&p->addr) && p->len >= AB_V4_BITS;
	const char *own = own_socket_in(p);

	if(!full && p->len < (v4 ? AB_V4_BITS + 16 : 32)) {
		rpc->fault(ctx, 400,
				"a ban is at the widest a /16 of IPv4 or a /32 of IPv6");
		return -1;
	}
	if(own) {
		rpc->fault(ctx, 409, "that is our own address (%s)", own);
		return -1;
	}
	return 0;
}

static void rpc_ban(rpc_t *rpc, void *ctx)
{
	int max = ab_setting_find("ban_time_max")->max;
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	struct ab_judgement out;
	struct ab_prefix p;
	struct ab_key key;
	int seconds = set.ban_time;
	str text, reason = STR_NULL;
	uint16_t why = 0;
	bool full;
	void *h;

	if(rpc->scan(ctx, ".S*d.S", &text, &seconds, &reason) == 0
			|| text.len <= 0) {
		rpc->fault(ctx, 400, "which? authban.ban ip|cidr [seconds] [reason]");
		return;
	}
	if(scan_source(rpc, ctx, &text, &p, &full) < 0)
		return;
	if(seconds < 1 || seconds > max) {
		rpc->fault(ctx, 400, "seconds is a number from 1 to %d", max);
		return;
	}
	if(refuse(rpc, ctx, &p, full) < 0)
		return;
	if(reason.s)
		why = ab_names_intern(ab_table_names(j.table), j.table->owner, reason.s,
				(size_t)reason.len);
	key = ab_key_source(&p);
	ab_judge_ban(
			&j, &key, (uint32_t)seconds, why ? why : AB_REASON_OPERATOR, &out);
	authban_news(&out);
	authban_wake();
	if(!out.ok)
		rpc->fault(ctx, 503, "the table is busy; try again");
	else if(rpc->add(ctx, "{", &h) < 0 || add_ban(rpc, h, &j, &out.view) < 0)
		rpc->fault(ctx, 500, "Internal error building the answer");
}

/* Lifts everything inside a network. Returns how many. */
static int unban_inside(const struct ab_judge *j, const struct ab_prefix *p)
{
	struct ab_cursor at = {0};
	struct ab_view row[ROWS];
	struct ab_judgement out;
	int lifted = 0;
	size_t n, i;

	while((n = ab_table_walk(j->table, &at, j->set, &j->now, row, ROWS)) > 0) {
		for(i = 0; i < n; i++) {
			if(row[i].key.plen < p->len || row[i].state == AB_STATE_UNBANNED
					|| !ab_prefix_contains(p, &row[i].key.addr))
				continue;
			ab_judge_unban(j, &row[i].key, &out);
			authban_news(&out);
			lifted += out.ok;
		}
	}
	return lifted;
}

static void rpc_unban(rpc_t *rpc, void *ctx)
{
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	char net[AB_PREFIX_TEXT];
	struct ab_judgement out = {0};
	struct ab_prefix p;
	struct ab_hit hit;
	struct ab_key key;
	int lifted;
	bool full;
	str text;
	void *h;

	if(rpc->scan(ctx, ".S", &text) < 1) {
		rpc->fault(ctx, 400, "which? authban.unban ip|cidr");
		return;
	}
	if(scan_source(rpc, ctx, &text, &p, &full) < 0)
		return;
	hit = ab_table_check(j.table, &p.addr, &p, j.now.mono);
	if(hit.state != AB_STATE_NONE && hit.net.len < p.len) {
		rpc->fault(ctx, 409, "%.*s lies in the banned network %s: unban that",
				text.len, text.s, ab_prefix_print(&hit.net, net));
		return;
	}
	key = ab_key_source(&p);
	if(full) {
		ab_judge_unban(&j, &key, &out);
		authban_news(&out);
		lifted = out.ok;
	} else {
		lifted = unban_inside(&j, &p);
	}
	authban_wake();
	if(lifted == 0)
		rpc->fault(ctx, 404, "Nothing is known of %.*s", text.len, text.s);
	else if(rpc->add(ctx, "{", &h) < 0
			|| rpc->struct_add(h, "sd", "source", ab_prefix_print(&p, net),
					   "unbanned", lifted)
					   < 0)
		rpc->fault(ctx, 500, "Internal error building the answer");
}

/* clang-format off */
static const char *status_doc[] = {
	"Mode, fill of the table, and the state of the cluster", 0};
static const char *list_doc[] = {
	"Bans. Parameters: [limit, 100 by default] [offset]", 0};
static const char *get_doc[] = {
	"All that is known of one source, and why. Parameter: ip", 0};
static const char *ban_doc[] = {
	"Bans on every proxy. Parameters: ip|cidr [seconds] [reason]", 0};
static const char *unban_doc[] = {
	"Lifts a ban on every proxy and forgets the failures."
	" Parameter: ip|cidr", 0};

rpc_export_t authban_rpcs[] = {
	{"authban.status", rpc_status, status_doc, 0},
	{"authban.list", rpc_list, list_doc, AUTHBAN_RPC_ARRAY},
	{"authban.get", rpc_get, get_doc, 0},
	{"authban.ban", rpc_ban, ban_doc, 0},
	{"authban.unban", rpc_unban, unban_doc, 0},
	{0, 0, 0, 0}
};
/* clang-format on */
