/*
 * authban: RPC commands that ban and unban
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_allow.h"
#include "authban_log.h"
#include "authban_rpc_row.h"
#include "authban_shared.h"

/* What an operator may not ban. 0, or -1 with a fault set. */
static int refuse(rpc_t *rpc, void *ctx, const struct ab_prefix *p, bool full)
{
	bool v4 = ab_addr_is_v4(&p->addr) && p->len >= AB_V4_BITS;
	const char *own = authban_own_socket(p);
	char net[AB_PREFIX_TEXT];
	struct ab_prefix by;

	if(!full && p->len < (v4 ? AB_V4_BITS + 16 : 32)) {
		rpc->fault(ctx, 400,
				"a ban is at the widest a /16 of IPv4 or a /32 of IPv6");
		return -1;
	}
	if(own) {
		rpc->fault(ctx, 409, "that is our own address (%s)", own);
		return -1;
	}
	if(authban_allowed(&p->addr, &by)) {
		rpc->fault(ctx, 409, "that is allowed by %s; authban.allow_del first",
				ab_prefix_print(&by, net));
		return -1;
	}
	return 0;
}

void authban_rpc_ban(rpc_t *rpc, void *ctx)
{
	int max = ab_setting_find("ban_time_max")->max;
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	struct ab_judgement out;
	struct ab_prefix p;
	struct ab_key key;
	int seconds = set.ban_time;
	/* one after the other: what is not there must not be looked at, and a
	 * number that is read as text lives in one buffer */
	str text = STR_NULL, number = STR_NULL, reason = STR_NULL;
	uint16_t why = 0;
	bool full;
	void *h;

	if(rpc->scan(ctx, ".S", &text) < 1 || text.len <= 0) {
		rpc->fault(ctx, 400, "which? authban.ban ip|cidr [seconds] [reason]");
		return;
	}
	if(authban_rpc_source(rpc, ctx, &text, &p, &full) < 0)
		return;
	if(rpc->scan(ctx, "*.S", &number) > 0)
		seconds = authban_rpc_number(&number);
	if(seconds < 1 || seconds > max) {
		rpc->fault(ctx, 400, "seconds is a number from 1 to %d", max);
		return;
	}
	if(refuse(rpc, ctx, &p, full) < 0)
		return;
	if(number.s && rpc->scan(ctx, "*.S", &reason) > 0)
		why = ab_names_intern(ab_table_names(j.table), j.table->owner, reason.s,
				(size_t)reason.len);
	key = ab_key_source(&p);
	ab_judge_ban(
			&j, &key, (uint32_t)seconds, why ? why : AB_REASON_OPERATOR, &out);
	authban_news(&out);
	authban_wake();
	if(!out.ok)
		rpc->fault(ctx, 503, "the table is busy; try again");
	else if(rpc->add(ctx, "{", &h) < 0
			|| authban_rpc_add_row(rpc, h, &j, &out.view) < 0)
		authban_rpc_failed(rpc, ctx);
}

/* Lifts everything inside a network. Returns how many. */
static int unban_inside(const struct ab_judge *j, const struct ab_prefix *p)
{
	struct ab_cursor at = {0};
	struct ab_view row[AUTHBAN_RPC_ROWS];
	struct ab_judgement out;
	int lifted = 0;
	size_t n, i;

	while((n = ab_table_walk(
				   j->table, &at, j->set, &j->now, row, AUTHBAN_RPC_ROWS))
			> 0) {
		for(i = 0; i < n; i++) {
			if(row[i].key.plen < p->len || row[i].state == AB_STATE_UNBANNED
					|| !ab_prefix_contains(p, &row[i].key.addr))
				continue;
			ab_judge_unban(j, &row[i].key, AB_REASON_OPERATOR, &out);
			authban_news(&out);
			lifted += out.ok;
		}
	}
	return lifted;
}

void authban_rpc_unban(rpc_t *rpc, void *ctx)
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

	if(authban_rpc_network(
			   rpc, ctx, "which? authban.unban ip|cidr", &text, &p, &full)
			< 0)
		return;
	hit = ab_table_check(j.table, &p.addr, &p, j.now.mono);
	if(hit.state != AB_STATE_NONE && hit.net.len < p.len) {
		rpc->fault(ctx, 409, "%.*s lies in the banned network %s: unban that",
				text.len, text.s, ab_prefix_print(&hit.net, net));
		return;
	}
	key = ab_key_source(&p);
	if(full) {
		ab_judge_unban(&j, &key, AB_REASON_OPERATOR, &out);
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
		authban_rpc_failed(rpc, ctx);
}
