/*
 * authban: RPC commands for the allow-list
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_allow.h"
#include "authban_log.h"
#include "authban_rpc_row.h"
#include "authban_shared.h"

/* The allow entry that a command names, its network as written: an address is
 * itself, not its source's network. 0, or -1 with a fault set. */
static int scan_key(
		rpc_t *rpc, void *ctx, const char *usage, str *text, struct ab_key *key)
{
	struct ab_prefix p;

	if(rpc->scan(ctx, ".S", text) < 1 || text->len <= 0) {
		rpc->fault(ctx, 400, "%s", usage);
		return -1;
	}
	if(ab_prefix_parse(&p, text->s, (size_t)text->len, NULL) < 0) {
		rpc->fault(ctx, 400,
				"%.*s is not an IP address or a network such as 192.0.2.0/24",
				text->len < 64 ? text->len : 64, text->s);
		return -1;
	}
	*key = ab_key_allow(&p);
	if(ab_key_width_ok(key))
		return 0;
	rpc->fault(ctx, 400,
			"an allow entry is at the widest a /%d of IPv4 or a /%d of IPv6",
			AB_WIDEST_ALLOW_V4, AB_WIDEST_ALLOW_V6);
	return -1;
}

static int add_entry(rpc_t *rpc, void *ctx, const struct ab_judge *j,
		const struct ab_view *v)
{
	struct ab_names *names = ab_table_names(j->table);
	struct ab_prefix p = {v->key.addr, v->key.plen};
	char net[AB_PREFIX_TEXT], since[24];
	void *h;

	if(rpc->add(ctx, "{", &h) < 0)
		return -1;
	return rpc->struct_add(h, "sssss", "net", ab_prefix_print(&p, net), "from",
			authban_allow_is_configured(v) ? "configuration" : "operator",
			"reason", ab_names_text(names, v->reason), "since",
			authban_rpc_when(v->age, since), "origin",
			ab_names_text(names, v->origin));
}

static void finish(rpc_t *rpc, void *ctx, const struct ab_judge *j,
		const struct ab_judgement *out)
{
	authban_news(out);
	authban_wake();
	if(!out->ok)
		rpc->fault(ctx, 503, "the table is busy; try again");
	else if(add_entry(rpc, ctx, j, &out->view) < 0)
		authban_rpc_failed(rpc, ctx);
}

/* Whether an entry is in force; *configured: by this proxy's configuration. */
static bool in_force(
		const struct ab_judge *j, const struct ab_key *key, bool *configured)
{
	struct ab_view v;

	if(ab_table_get(j->table, key, j->set, &j->now, &v) != 1
			|| v.state != AB_STATE_BANNED)
		return false;
	*configured = authban_allow_is_configured(&v);
	return true;
}

void authban_rpc_allow_add(rpc_t *rpc, void *ctx)
{
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	struct ab_judgement out;
	struct ab_key key;
	bool configured;
	str text;

	if(scan_key(rpc, ctx, "which? authban.allow_add ip|cidr", &text, &key) < 0)
		return;
	if(in_force(&j, &key, &configured) && configured) {
		rpc->fault(ctx, 409, "%.*s stands in the configuration of this proxy",
				text.len, text.s);
		return;
	}
	ab_judge_allow(&j, &key, AB_REASON_OPERATOR, 0, &out);
	finish(rpc, ctx, &j, &out);
}

void authban_rpc_allow_del(rpc_t *rpc, void *ctx)
{
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	struct ab_judgement out;
	struct ab_key key;
	bool configured;
	str text;

	if(scan_key(rpc, ctx, "which? authban.allow_del ip|cidr", &text, &key) < 0)
		return;
	if(!in_force(&j, &key, &configured)) {
		rpc->fault(ctx, 404, "%.*s is not on the allow-list", text.len, text.s);
		return;
	}
	if(configured) {
		rpc->fault(ctx, 409,
				"%.*s stands in the configuration of this proxy: change it "
				"there",
				text.len, text.s);
		return;
	}
	ab_judge_unban(&j, &key, AB_REASON_OPERATOR, &out);
	finish(rpc, ctx, &j, &out);
}

void authban_rpc_allow_list(rpc_t *rpc, void *ctx)
{
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	struct ab_cursor at = {0};
	struct ab_view row[AUTHBAN_RPC_ROWS];
	int limit, offset;
	size_t n, i;

	if(authban_rpc_page(rpc, ctx, &limit, &offset) < 0)
		return;
	while(limit > 0
			&& (n = ab_table_walk(
						j.table, &at, &set, &j.now, row, AUTHBAN_RPC_ROWS))
					   > 0) {
		for(i = 0; i < n && limit > 0; i++) {
			if(row[i].key.kind != AB_KIND_ALLOW
					|| row[i].state != AB_STATE_BANNED || offset-- > 0)
				continue;
			limit--;
			if(add_entry(rpc, ctx, &j, &row[i]) < 0) {
				authban_rpc_failed(rpc, ctx);
				return;
			}
		}
	}
}

void authban_rpc_allow_reload(rpc_t *rpc, void *ctx)
{
	int entries = authban_allow_reload();
	void *h;

	if(entries < 0)
		rpc->fault(ctx, 500, "allow_file cannot be read; nothing was changed");
	else if(rpc->add(ctx, "{", &h) < 0
			|| rpc->struct_add(h, "d", "entries", entries) < 0)
		authban_rpc_failed(rpc, ctx);
}
