/*
 * authban: authban.top, authban.networks, authban.users: the worst first
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One walk over the table keeps the n worst in a heap-less, sorted array: n is small
 * and most entries are turned away by the last place.
 */
#include "authban_rpc_row.h"

#include "authban_blocked.h"
#include "authban_explain.h"
#include "authban_log.h"
#include "authban_privacy.h"
#include "authban_shared.h"
#include "authban_stats.h"

#include "core/mem/mem.h"

#include <string.h>

#define TOP_DEFAULT 10
#define TOP_MAX 1000

enum order
{
	BY_FAILURES,
	BY_THINGS,
	BY_BLOCKED
};

struct top_row
{
	struct ab_view v;
	uint32_t weight;
};

struct top
{
	enum ab_kind kind;
	enum order order;
	int max, used;
	struct top_row *row;
};

static uint32_t weight_of(const struct top *t, const struct ab_view *v)
{
	struct ab_prefix source = {v->key.addr, v->key.plen};

	switch(t->order) {
		case BY_BLOCKED:
			return authban_blocked_count(&source);
		case BY_THINGS:
			return v->users;
		default:
			return v->failures;
	}
}

static void offer(struct top *t, const struct ab_view *v)
{
	uint32_t weight;
	int at = t->used;

	if(v->key.kind != t->kind)
		return;
	weight = weight_of(t, v);
	if(weight == 0 || (at == t->max && weight <= t->row[at - 1].weight))
		return;
	if(t->used < t->max)
		t->used++;
	else
		at--;
	for(; at > 0 && t->row[at - 1].weight < weight; at--)
		t->row[at] = t->row[at - 1];
	t->row[at].v = *v;
	t->row[at].weight = weight;
}

static void collect(struct top *t, const struct ab_judge *j)
{
	struct ab_view row[AUTHBAN_RPC_ROWS];
	struct ab_cursor at = {0};
	size_t n, i;

	while((n = ab_table_walk(
				   j->table, &at, j->set, &j->now, row, AUTHBAN_RPC_ROWS))
			> 0)
		for(i = 0; i < n; i++)
			offer(t, &row[i]);
}

/* A network or a user. */
static int add_crowd(
		rpc_t *rpc, void *h, const struct ab_judge *j, const struct ab_view *v)
{
	struct ab_prefix net = {v->key.addr, v->key.plen};
	struct ab_counts counts = {
			.kind = (enum ab_kind)v->key.kind, .things = v->users};
	bool ban = v->state == AB_STATE_BANNED || v->state == AB_STATE_DRY_RUN;
	bool watched = ab_policy_level(j->set, &counts) != AB_LEVEL_NONE;
	char text[AB_PREFIX_TEXT], why[AUTHBAN_EXPLAIN_MAX];

	if(v->key.kind == AB_KIND_USER)
		authban_user_name(authban_user_of(&v->key), text);
	else
		ab_prefix_print(&net, text);
	return rpc->struct_add(h, "ssddddds",
			v->key.kind == AB_KIND_USER ? "user" : "net", text, "level",
			ban		  ? "restricted"
			: watched ? "watched"
					  : "none",
			"sources", (int)v->users, "failures", (int)v->failures, "ttl",
			authban_ttl(v), "repeats", (int)v->repeats, "idle", (int)v->idle,
			"why", ban ? authban_explain(v, why) : "");
}

static void show(rpc_t *rpc, void *ctx, struct top *t)
{
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	void *h;
	int i;

	t->row = pkg_malloc(sizeof(*t->row) * (size_t)t->max);
	if(!t->row) {
		authban_rpc_failed(rpc, ctx);
		return;
	}
	collect(t, &j);
	for(i = 0; i < t->used; i++) {
		int rc = rpc->add(ctx, "{", &h);

		if(rc >= 0)
			rc = t->kind == AB_KIND_SOURCE
						 ? authban_rpc_add_row(rpc, h, &j, &t->row[i].v)
						 : add_crowd(rpc, h, &j, &t->row[i].v);
		if(rc < 0) {
			authban_rpc_failed(rpc, ctx);
			break;
		}
	}
	pkg_free(t->row);
}

/* [n]; 0, or -1 with a fault set. */
static int scan_n(rpc_t *rpc, void *ctx, int *n)
{
	str text = STR_NULL;

	*n = TOP_DEFAULT;
	if(rpc->scan(ctx, "*.S", &text) > 0)
		*n = authban_rpc_number(&text);
	if(*n >= 1 && *n <= TOP_MAX)
		return 0;
	rpc->fault(ctx, 400, "n is a number from 1 to %d", TOP_MAX);
	return -1;
}

void authban_rpc_top(rpc_t *rpc, void *ctx)
{
	struct top t = {.kind = AB_KIND_SOURCE, .order = BY_FAILURES};
	str order = STR_NULL;

	if(scan_n(rpc, ctx, &t.max) < 0)
		return;
	if(rpc->scan(ctx, "*.S", &order) > 0) {
		if(order.len == 5 && strncmp(order.s, "users", 5) == 0) {
			t.order = BY_THINGS;
		} else if(order.len == 7 && strncmp(order.s, "blocked", 7) == 0) {
			t.order = BY_BLOCKED;
		} else if(order.len != 8 || strncmp(order.s, "failures", 8) != 0) {
			rpc->fault(ctx, 400,
					"authban.top is sorted by failures, users or blocked, not"
					" by %.*s",
					order.len < 32 ? order.len : 32, order.s);
			return;
		}
	}
	show(rpc, ctx, &t);
}

void authban_rpc_networks(rpc_t *rpc, void *ctx)
{
	struct top t = {.kind = AB_KIND_NETWORK, .order = BY_THINGS};

	if(scan_n(rpc, ctx, &t.max) == 0)
		show(rpc, ctx, &t);
}

void authban_rpc_users(rpc_t *rpc, void *ctx)
{
	struct top t = {.kind = AB_KIND_USER, .order = BY_THINGS};

	if(scan_n(rpc, ctx, &t.max) == 0)
		show(rpc, ctx, &t);
}

void authban_rpc_reset(rpc_t *rpc, void *ctx)
{
	void *h;

	if(rpc->add(ctx, "{", &h) < 0
			|| rpc->struct_add(h, "d", "counters", authban_stats_reset()) < 0)
		authban_rpc_failed(rpc, ctx);
}
