/*
 * authban: authban.get, everything known of one source and why
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_rpc_row.h"

#include "authban_allow.h"
#include "authban_explain.h"
#include "authban_feed.h"
#include "authban_log.h"
#include "authban_params.h"
#include "authban_policies.h"
#include "authban_privacy.h"
#include "authban_shared.h"

#include <string.h>

#define PAIRS_MAX 32 /* that one answer names */

static bool in_force(const struct ab_view *v)
{
	return v->state == AB_STATE_BANNED || v->state == AB_STATE_DRY_RUN;
}

static int add_details(
		rpc_t *rpc, void *h, const struct ab_guard *g, const struct ab_view *v)
{
	const struct ab_settings *set = g->judge.set;
	struct ab_prefix source = {v->key.addr, v->key.plen};
	char last[24], why[AUTHBAN_EXPLAIN_MAX];

	return rpc->struct_add(h, "ddddddssssds", "failures_here",
			(int)v->own[0] + v->own[1], "failures_elsewhere",
			(int)v->others[0] + v->others[1], "threshold", set->threshold,
			"window", set->window, "idle", (int)v->idle, "unsent",
			(v->flags & AB_UNSENT_ANY) != 0, "last",
			authban_rpc_when(v->idle, last), "node", authban_params.node, "why",
			in_force(v) ? authban_explain(v, why)
						: authban_explain_watched(v, why),
			"policy", ab_policies_name(authban_policies(), v->policy), "slow",
			(int)v->slow, "known_good",
			ab_guard_shared(g, &source) ? "yes" : "no");
}

/* One entry beside the source's, in an open struct. */
static int add_entry(rpc_t *rpc, void *h, const struct ab_view *v)
{
	char why[AUTHBAN_EXPLAIN_MAX];

	return rpc->struct_add(h, "sddds", "state",
			authban_state_name(v, authban_mode()), "failures", (int)v->failures,
			"ttl", authban_ttl(v), "repeats", (int)v->repeats, "why",
			in_force(v) ? authban_explain(v, why)
						: authban_explain_watched(v, why));
}

static int add_network(rpc_t *rpc, void *h, const struct ab_judge *j,
		const struct ab_prefix *source)
{
	struct ab_prefix net;
	char text[AB_PREFIX_TEXT];
	struct ab_key key;
	struct ab_view v;
	void *s;

	if(!ab_guard_network(source, &net))
		return 0;
	key = ab_key_network(&net);
	if(ab_table_get(j->table, &key, j->set, &j->now, &v) != 1)
		return 0;
	if(rpc->struct_add(h, "{", "network", &s) < 0
			|| rpc->struct_add(s, "sd", "net", ab_prefix_print(&net, text),
					   "sources", (int)v.users)
					   < 0)
		return -1;
	return add_entry(rpc, s, &v);
}

static bool is_pair_of(const struct ab_view *v, const struct ab_prefix *source)
{
	return v->key.kind == AB_KIND_PAIR && v->key.plen == source->len
		   && ab_addr_equal(&v->key.addr, &source->addr);
}

static int add_pair(rpc_t *rpc, void *list, const struct ab_view *v)
{
	char name[AB_EVIDENCE_NAME + 1];
	void *s;

	if(rpc->array_add(list, "{", &s) < 0
			|| rpc->struct_add(
					   s, "s", "user", authban_user_name(v->key.user, name))
					   < 0)
		return -1;
	return add_entry(rpc, s, v);
}

/* Walks the whole table: an operator's question, not the path of a packet. */
static int add_pairs(rpc_t *rpc, void *h, const struct ab_judge *j,
		const struct ab_prefix *source)
{
	struct ab_view row[AUTHBAN_RPC_ROWS];
	struct ab_cursor at = {0};
	int left = PAIRS_MAX;
	void *list;
	size_t n, i;

	if(rpc->struct_add(h, "[", "pairs", &list) < 0)
		return -1;
	while(left > 0
			&& (n = ab_table_walk(
						j->table, &at, j->set, &j->now, row, AUTHBAN_RPC_ROWS))
					   > 0)
		for(i = 0; i < n && left > 0; i++) {
			if(!is_pair_of(&row[i], source))
				continue;
			if(add_pair(rpc, list, &row[i]) < 0)
				return -1;
			left--;
		}
	return 0;
}

/* A source that is allowed, and of which nothing else may be known. */
static int add_allowed(rpc_t *rpc, void *h, const struct ab_prefix *p,
		const struct ab_prefix *by)
{
	char source[AB_PREFIX_TEXT], net[AB_PREFIX_TEXT];

	return rpc->struct_add(h, "ssss", "source", ab_prefix_print(p, source),
			"state", "allowed", "allowed_by", ab_prefix_print(by, net), "why",
			"the allow-list wins: nothing is counted, no ban is in force");
}

/* Whether strangers at this source have to wait because of its network. */
static bool has_to_wait(const struct ab_judge *j, const struct ab_prefix *p)
{
	struct ab_prefix net;
	struct ab_key key;

	if(!ab_guard_network(p, &net))
		return false;
	key = ab_key_network(&net);
	return ab_table_state(j->table, &key, j->now.mono) != AB_STATE_NONE;
}

/* The entry that decides on an address: its own, or a banned network's. Of one who
 * only has logged in, or waits, nothing is kept but that. */
static bool find_view(
		const struct ab_guard *g, const struct ab_prefix *p, struct ab_view *v)
{
	const struct ab_judge *j = &g->judge;
	struct ab_hit hit = ab_table_check(j->table, &p->addr, p, j->now.mono);
	struct ab_key key = ab_key_source(&hit.net);

	if(ab_table_get(j->table, &key, j->set, &j->now, v) == 1)
		return true;
	if(authban_feed_view(p, v))
		return true;
	memset(v, 0, sizeof(*v));
	v->key = key;
	return ab_guard_shared(g, p) || has_to_wait(j, p)
		   || ab_feeds_find(g->feeds, p, j->now.mono, NULL);
}

static int add_known(rpc_t *rpc, void *h, const struct ab_guard *g,
		const struct ab_prefix *source, const struct ab_view *v)
{
	if(authban_rpc_add_row(rpc, h, &g->judge, v) < 0
			|| add_details(rpc, h, g, v) < 0
			|| add_network(rpc, h, &g->judge, source) < 0
			|| authban_rpc_feed_entry(rpc, h, source, false) < 0)
		return -1;
	return add_pairs(rpc, h, &g->judge, source);
}

void authban_rpc_get(rpc_t *rpc, void *ctx)
{
	struct ab_guard g = *authban_guard();
	struct authban_rpc_target at;
	struct ab_prefix by;
	struct ab_view v;
	void *h;
	int rc;

	if(authban_rpc_network(rpc, ctx, "which address? authban.get ip", &at) < 0)
		return;
	if(authban_allowed(&at.addr, &by)) {
		rc = rpc->add(ctx, "{", &h) < 0 || add_allowed(rpc, h, &at.p, &by) < 0
					 ? -1
					 : authban_rpc_feed_entry(rpc, h, &at.p, true);
	} else if(!find_view(&g, &at.p, &v)) {
		rpc->fault(
				ctx, 404, "Nothing is known of %.*s", at.text.len, at.text.s);
		return;
	} else {
		rc = rpc->add(ctx, "{", &h) < 0 ? -1 : add_known(rpc, h, &g, &at.p, &v);
	}
	if(rc < 0)
		authban_rpc_failed(rpc, ctx);
}
