/*
 * authban: commands for kamcmd and JSON-RPC
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Rows are copied out of the table in small groups, each bucket under its own
 * lock, and printed after the lock is gone.
 */
#include "authban_rpc.h"

#include "authban_allow.h"
#include "authban_early.h"
#include "authban_feed.h"
#include "authban_log.h"
#include "authban_params.h"
#include "authban_record.h"
#include "authban_rpc_row.h"
#include "authban_rpc_sync.h"
#include "authban_shared.h"

#define ROWS AUTHBAN_RPC_ROWS

/* --- status --- */

/* How many entries of each kind. */
struct kinds
{
	int banned, dry_run, watched, unbanned, allowed;
	int sources, pairs, networks, users; /* entries, whatever their state */
	int pairs_banned, networks_restricted, users_restricted;
};

static void count_kind(const struct ab_view *v, struct kinds *k)
{
	bool ban = v->state == AB_STATE_BANNED || v->state == AB_STATE_DRY_RUN;

	switch(v->key.kind) {
		case AB_KIND_SOURCE:
			k->sources++;
			k->banned += v->state == AB_STATE_BANNED;
			k->dry_run += v->state == AB_STATE_DRY_RUN;
			k->unbanned += v->state == AB_STATE_UNBANNED;
			k->watched += v->state == AB_STATE_NONE && v->failures;
			break;
		case AB_KIND_ALLOW:
			k->allowed += v->state == AB_STATE_BANNED;
			break;
		case AB_KIND_PAIR:
			k->pairs++;
			k->pairs_banned += ban;
			break;
		case AB_KIND_NETWORK:
			k->networks++;
			k->networks_restricted += ban;
			break;
		case AB_KIND_USER:
			k->users++;
			k->users_restricted += ban;
			break;
		default:
			break;
	}
}

static void count_kinds(const struct ab_judge *j, struct kinds *k)
{
	struct ab_cursor at = {0};
	struct ab_view row[ROWS];
	size_t n, i;

	*k = (struct kinds){0};
	while((n = ab_table_walk(j->table, &at, j->set, &j->now, row, ROWS)) > 0) {
		for(i = 0; i < n; i++)
			count_kind(&row[i], k);
	}
}

/* What is kept beside the sources, and the breaker. */
static int add_kinds(rpc_t *rpc, void *h, const struct kinds *k)
{
	const struct ab_guard *g = authban_guard_quick();
	struct ab_breaker_view b;

	ab_breaker_look(g->breaker, g->judge.now.mono, &b);
	return rpc->struct_add(h, "dddddddsdddddd", "sources", k->sources, "pairs",
			k->pairs, "pairs_banned", k->pairs_banned, "networks", k->networks,
			"networks_restricted", k->networks_restricted, "users", k->users,
			"users_restricted", k->users_restricted, "breaker",
			b.open ? "open" : "closed", "breaker_age", (int)b.age,
			"breaker_sources", (int)b.sources, "breaker_users", (int)b.users,
			"breaker_failures", (int)b.failures, "breaker_successes",
			(int)b.successes, "breaker_suspended", (int)b.suspended);
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

	return rpc->struct_add(h, "ssssddddddddds", "redis", redis_word(s),
			"redis_server", s->server, "redis_role",
			roles[role >= 0 && role <= 2 ? role : 0], "redis_prefix",
			authban_params.redis_prefix, "redis_nodes", (int)s->nodes,
			"redis_shards", authban_params.redis_shards, "redis_lag_ms",
			(int)authban_sync_lag(), "redis_pending",
			ab_table_clustered(t) ? (int)ab_table_pending(t) : 0,
			"redis_batches", (int)s->batches, "redis_reconnects",
			(int)s->reconnects, "redis_errors", (int)s->errors, "redis_dropped",
			(int)s->dropped, "states_applied", (int)s->states_applied,
			"redis_last_error", s->last_error);
}

static int add_evidence(rpc_t *rpc, void *h)
{
	struct ab_evidence e = authban_records();
	struct ab_evidence_stats stats;

	ab_evidence_get_stats(&e, &stats);
	return rpc->struct_add(h, "dddd", "evidence", (int)stats.used,
			"evidence_capacity", (int)stats.capacity, "evidence_evicted",
			(int)stats.evicted, "evidence_refused", (int)stats.refused);
}

static void rpc_status(rpc_t *rpc, void *ctx)
{
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	struct ab_table_stats stats;
	struct kinds k;
	void *h;

	ab_table_get_stats(j.table, &stats);
	count_kinds(&j, &k);
	if(rpc->add(ctx, "{", &h) < 0
			|| rpc->struct_add(h, "ssssd", "mode", authban_mode_name(set.mode),
					   "node", authban_params.node, "proof",
					   authban_proof_mode_name(authban_params.proof), "cluster",
					   ab_table_clustered(j.table) ? "yes" : "no", "early",
					   authban_early_active())
					   < 0
			|| rpc->struct_add(h, "dddddddddddd", "capacity",
					   (int)stats.capacity, "entries", (int)stats.entries,
					   "banned", k.banned, "dry_run", k.dry_run, "watched",
					   k.watched, "unbanned", k.unbanned, "allowed", k.allowed,
					   "evictions", (int)stats.evictions, "refused",
					   (int)stats.refused, "evicted_bans",
					   (int)stats.evicted_bans, "lock_timeouts",
					   (int)stats.lock_timeouts, "locks_stolen",
					   (int)stats.locks_stolen)
					   < 0
			|| add_kinds(rpc, h, &k) < 0
			|| rpc->struct_add(h, "dddd", "threshold", set.threshold, "window",
					   set.window, "ban_time", set.ban_time, "ban_time_max",
					   set.ban_time_max)
					   < 0
			|| add_evidence(rpc, h) < 0 || authban_rpc_feed_status(rpc, h) < 0
			|| add_redis(rpc, h, j.table) < 0
			|| authban_rpc_add_sync(rpc, h) < 0
			|| authban_rpc_add_peers(rpc, h) < 0)
		authban_rpc_failed(rpc, ctx);
}

/* --- list --- */

static bool is_ban(const struct ab_view *v)
{
	return v->key.kind == AB_KIND_SOURCE
		   && (v->state == AB_STATE_BANNED || v->state == AB_STATE_DRY_RUN);
}

static void rpc_list(rpc_t *rpc, void *ctx)
{
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	struct ab_cursor at = {0};
	struct ab_view row[ROWS];
	int limit, offset;
	size_t n, i;
	void *h;

	if(authban_rpc_page(rpc, ctx, &limit, &offset) < 0)
		return;
	while(limit > 0
			&& (n = ab_table_walk(j.table, &at, &set, &j.now, row, ROWS)) > 0) {
		for(i = 0; i < n && limit > 0; i++) {
			if(!is_ban(&row[i]) || offset-- > 0)
				continue;
			limit--;
			if(rpc->add(ctx, "{", &h) < 0
					|| authban_rpc_add_row(rpc, h, &j, &row[i]) < 0) {
				authban_rpc_failed(rpc, ctx);
				return;
			}
		}
	}
}

/* clang-format off */
static const char *status_doc[] = {
	"Mode, fill of the table, and the state of the cluster", 0};
static const char *list_doc[] = {
	"Bans. Parameters: [limit, 100 by default] [offset]", 0};
static const char *get_doc[] = {
	"All that is known of one source, and why. Parameter: ip", 0};
static const char *top_doc[] = {
	"The worst sources. Parameters: [n, 10 by default]"
	" [failures|users|blocked]", 0};
static const char *networks_doc[] = {
	"Networks by their failing sources. Parameter: [n, 10 by default]", 0};
static const char *users_doc[] = {
	"Users by the sources that fail on them. Parameter: [n, 10 by default]", 0};
static const char *reset_doc[] = {
	"Sets the statistics back to 0. Bans and failures stay", 0};
static const char *ban_doc[] = {
	"Bans on every proxy. Parameters: ip|cidr [seconds] [reason]", 0};
static const char *unban_doc[] = {
	"Lifts a ban on every proxy and forgets the failures."
	" Parameter: ip|cidr", 0};
static const char *allow_add_doc[] = {
	"Never bans these, on every proxy. Parameter: ip|cidr", 0};
static const char *allow_del_doc[] = {
	"Takes an entry off the allow-list of every proxy. Parameter: ip|cidr", 0};
static const char *allow_list_doc[] = {
	"The allow-list. Parameters: [limit, 100 by default] [offset]", 0};
static const char *forget_doc[] = {
	"Drops what one proxy contributed, on every proxy. Parameter: node", 0};
static const char *allow_reload_doc[] = {
	"Reads allow_file again, on this proxy", 0};
static const char *policy_list_doc[] = {
	"The named policies and their limits", 0};
static const char *policy_reload_doc[] = {
	"Reads policy_file again, on this proxy", 0};
static const char *feed_add_doc[] = {
	"Takes entries of a list, on this proxy. Parameters: source cidr ttl"
	" [cidr ttl]...", 0};
static const char *feed_drop_doc[] = {
	"Drops entries of a list, or all of it. Parameters: source [cidr]...", 0};
static const char *feed_list_doc[] = {
	"The lists that are held. Parameters: [limit, 100 by default] [offset]",
	0};
static const char *evidence_doc[] = {
	"Offenders, the last one first. Parameters: [limit, 100 by default]"
	" [offset]", 0};
static const char *evidence_get_doc[] = {
	"What is kept of one offender. Parameter: ip", 0};
static const char *report_doc[] = {
	"The same as an abuse report, XARF v4 in JSON. Parameter: ip", 0};
static const char *erase_doc[] = {
	"Forgets an address: its ban, counts, logins and evidence, on this proxy."
	" Parameter: ip", 0};
static const char *erase_user_doc[] = {
	"Forgets a user, on this proxy. Parameter: user@realm", 0};

rpc_export_t authban_rpcs[] = {
	{"authban.status", rpc_status, status_doc, 0},
	{"authban.list", rpc_list, list_doc, AUTHBAN_RPC_ARRAY},
	{"authban.get", authban_rpc_get, get_doc, 0},
	{"authban.top", authban_rpc_top, top_doc, AUTHBAN_RPC_ARRAY},
	{"authban.networks", authban_rpc_networks, networks_doc,
		AUTHBAN_RPC_ARRAY},
	{"authban.users", authban_rpc_users, users_doc, AUTHBAN_RPC_ARRAY},
	{"authban.reset", authban_rpc_reset, reset_doc, 0},
	{"authban.ban", authban_rpc_ban, ban_doc, 0},
	{"authban.unban", authban_rpc_unban, unban_doc, 0},
	{"authban.allow_add", authban_rpc_allow_add, allow_add_doc, 0},
	{"authban.allow_del", authban_rpc_allow_del, allow_del_doc, 0},
	{"authban.allow_list", authban_rpc_allow_list, allow_list_doc,
		AUTHBAN_RPC_ARRAY},
	{"authban.forget", authban_rpc_forget, forget_doc, 0},
	{"authban.allow_reload", authban_rpc_allow_reload, allow_reload_doc, 0},
	{"authban.policy_list", authban_rpc_policy_list, policy_list_doc,
		AUTHBAN_RPC_ARRAY},
	{"authban.policy_reload", authban_rpc_policy_reload, policy_reload_doc, 0},
	{"authban.feed_add", authban_rpc_feed_add, feed_add_doc, 0},
	{"authban.feed_drop", authban_rpc_feed_drop, feed_drop_doc, 0},
	{"authban.feed_list", authban_rpc_feed_list, feed_list_doc,
		AUTHBAN_RPC_ARRAY},
	{"authban.evidence", authban_rpc_evidence, evidence_doc,
		AUTHBAN_RPC_ARRAY},
	{"authban.evidence_get", authban_rpc_evidence_get, evidence_get_doc, 0},
	{"authban.report", authban_rpc_report, report_doc, 0},
	{"authban.erase", authban_rpc_erase, erase_doc, 0},
	{"authban.erase_user", authban_rpc_erase_user, erase_user_doc, 0},
	{0, 0, 0, 0}
};
/* clang-format on */
