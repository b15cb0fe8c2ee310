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
static int refuse(rpc_t *rpc, void *ctx, const struct authban_rpc_target *at)
{
	struct ab_key key = ab_key_source(&at->p);
	const char *own = authban_own_socket(&at->p);
	char net[AB_PREFIX_TEXT];
	struct ab_prefix by;

	if(!at->full && !ab_key_width_ok(&key)) {
		rpc->fault(ctx, 400,
				"a ban is at the widest a /%d of IPv4 or a /%d of IPv6",
				AB_WIDEST_BAN_V4, AB_WIDEST_BAN_V6);
		return -1;
	}
	if(own) {
		rpc->fault(ctx, 409, "that is our own address (%s)", own);
		return -1;
	}
	if(authban_allowed(&at->addr, &by)) {
		rpc->fault(ctx, 409, "that is allowed by %s; authban.allow_del first",
				ab_prefix_print(&by, net));
		return -1;
	}
	return 0;
}

/* The optional parameters [seconds] [reason], one after the other: what is not
 * there must not be looked at, and a number that is read as text lives in one
 * buffer. *reason is a number of ab_names. 0, or -1 with a fault set. */
static int scan_ban(rpc_t *rpc, void *ctx, int *seconds, uint16_t *reason)
{
	int max = ab_setting_find("ban_time_max")->max;
	const struct ab_table *t = authban_table();
	str text = STR_NULL;

	*reason = AB_REASON_OPERATOR;
	if(rpc->scan(ctx, "*.S", &text) <= 0)
		return 0;
	*seconds = authban_rpc_number(&text);
	if(*seconds < 1 || *seconds > max) {
		rpc->fault(ctx, 400, "seconds is a number from 1 to %d", max);
		return -1;
	}
	if(rpc->scan(ctx, "*.S", &text) > 0 && text.len > 0)
		*reason = ab_names_intern(
				ab_table_names(t), t->owner, text.s, (size_t)text.len);
	return 0;
}

void authban_rpc_ban(rpc_t *rpc, void *ctx)
{
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	struct authban_rpc_target at;
	struct ab_judgement out;
	struct ab_key key;
	int seconds = set.ban_time;
	uint16_t reason;
	void *h;

	if(authban_rpc_network(rpc, ctx,
			   "which? authban.ban ip|cidr [seconds] [reason]",
			   &at) < 0
			|| scan_ban(rpc, ctx, &seconds, &reason) < 0
			|| refuse(rpc, ctx, &at) < 0)
		return;
	key = ab_key_source(&at.p);
	ab_judge_ban(&j, &key, (uint32_t)seconds, reason, &out);
	authban_news(&out);
	authban_wake();
	if(!out.ok)
		rpc->fault(ctx, 503, "the table is busy; try again");
	else if(rpc->add(ctx, "{", &h) < 0
			|| authban_rpc_add_row(rpc, h, &j, &out.view) < 0)
		authban_rpc_failed(rpc, ctx);
}

/* Whether an unban of a network (or, of a source alone, its pairs) means this one. */
static bool is_inside(
		const struct ab_view *v, const struct ab_prefix *p, bool pairs_only)
{
	uint8_t kind = v->key.kind;

	if(v->state == AB_STATE_UNBANNED || v->key.plen < p->len
			|| !ab_prefix_contains(p, &v->key.addr))
		return false;
	return kind == AB_KIND_PAIR
		   || (!pairs_only
				   && (kind == AB_KIND_SOURCE || kind == AB_KIND_NETWORK));
}

/* Lifts everything inside a network. Returns how many sources. */
static int unban_inside(
		const struct ab_judge *j, const struct ab_prefix *p, bool pairs_only)
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
			if(!is_inside(&row[i], p, pairs_only))
				continue;
			ab_judge_unban(j, &row[i].key, AB_REASON_OPERATOR, &out);
			authban_news(&out);
			lifted += out.ok && row[i].key.kind != AB_KIND_PAIR;
		}
	}
	return lifted;
}

/* Nothing is known of the source itself: is it its network that holds it up? */
static bool fault_of_network(rpc_t *rpc, void *ctx, const struct ab_judge *j,
		const struct authban_rpc_target *at)
{
	struct ab_prefix net;
	struct ab_key key;
	char text[AB_PREFIX_TEXT];

	if(!ab_guard_network(&at->p, &net))
		return false;
	key = ab_key_network(&net);
	if(ab_table_state(j->table, &key, j->now.mono) == AB_STATE_NONE)
		return false;
	rpc->fault(ctx, 409,
			"%.*s is not banned, but strangers in its network %s wait: unban"
			" that, or authban.allow_add %.*s",
			at->text.len, at->text.s, ab_prefix_print(&net, text), at->text.len,
			at->text.s);
	return true;
}

/* Whatever was lifted: a list still blocks it, and comes back with its next import. */
static bool fault_of_list(
		rpc_t *rpc, void *ctx, const struct authban_rpc_target *at)
{
	struct ab_feeds_hit hit;
	char net[AB_PREFIX_TEXT];
	struct ab_prefix by;

	if(!at->full || authban_allowed(&at->addr, &by)
			|| !ab_guard_listed(authban_guard(), &at->p, &hit))
		return false;
	ab_prefix_print(&hit.net, net);
	rpc->fault(ctx, 409,
			"%.*s is blocked by the list %s, which names %s: authban.allow_add"
			" %.*s on all proxies, or authban.feed_drop %s %s"
			" here, until its next import",
			at->text.len, at->text.s, hit.list, net, at->text.len, at->text.s,
			hit.list, net);
	return true;
}

/* Lifts what a target names. Returns how many, -1 with a fault set. */
static int unban(rpc_t *rpc, void *ctx, const struct ab_judge *j,
		const struct authban_rpc_target *at)
{
	struct ab_hit hit =
			ab_table_check(j->table, &at->addr, &at->p, j->now.mono);
	struct ab_key key = ab_key_source(&at->p);
	struct ab_judgement out;
	char net[AB_PREFIX_TEXT];

	if(hit.state != AB_STATE_NONE && hit.net.len < at->p.len) {
		rpc->fault(ctx, 409, "%.*s lies in the banned network %s: unban that",
				at->text.len, at->text.s, ab_prefix_print(&hit.net, net));
		return -1;
	}
	if(!at->full)
		return unban_inside(j, &at->p, false);
	ab_judge_unban(j, &key, AB_REASON_OPERATOR, &out);
	authban_news(&out);
	unban_inside(j, &at->p, true);
	return !out.ok && fault_of_network(rpc, ctx, j, at) ? -1 : out.ok;
}

void authban_rpc_unban(rpc_t *rpc, void *ctx)
{
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	struct authban_rpc_target at;
	char net[AB_PREFIX_TEXT];
	int lifted;
	void *h;

	if(authban_rpc_network(rpc, ctx, "which? authban.unban ip|cidr", &at) < 0)
		return;
	lifted = unban(rpc, ctx, &j, &at);
	authban_wake();
	if(lifted < 0 || fault_of_list(rpc, ctx, &at))
		return;
	if(lifted == 0)
		rpc->fault(
				ctx, 404, "Nothing is known of %.*s", at.text.len, at.text.s);
	else if(rpc->add(ctx, "{", &h) < 0
			|| rpc->struct_add(h, "sd", "source", ab_prefix_print(&at.p, net),
					   "unbanned", lifted)
					   < 0)
		authban_rpc_failed(rpc, ctx);
}
