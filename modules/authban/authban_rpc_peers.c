/*
 * authban: RPC about the other proxies
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_log.h"
#include "authban_params.h"
#include "authban_rpc_row.h"
#include "authban_shared.h"

#include "ab_nodes.h"
#include "ab_text.h"

#include "core/dprint.h"

#include <string.h>

#define NAME_TEXT (4 * AB_NAME_LEN + 1)

static const char *clean(char out[static NAME_TEXT], const char *name)
{
	return ab_text_escape(out, NAME_TEXT, name, strlen(name), AB_NAME_LEN);
}

static int add_refused(rpc_t *rpc, void *h)
{
	struct authban_sync_state *state = authban_sync_state();
	void *s;
	int i;

	if(rpc->struct_add(h, "{", "redis_refused", &s) < 0)
		return -1;
	for(i = AB_WIRE_OK + 1; i < AB_WIRE_RESULTS; i++)
		if(rpc->struct_add(s, "d",
				   (char *)ab_wire_result_name((enum ab_wire_result)i),
				   (int)state->refused[i])
				< 0)
			return -1;
	return rpc->struct_add(h, "d", "redis_clipped", (int)state->clipped);
}

static int add_peer(rpc_t *rpc, void *list, const struct ab_node *n)
{
	uint64_t now = authban_now().cluster_ms;
	char name[NAME_TEXT], module[NAME_TEXT], boot[9];
	struct ab_forgotten f;
	bool out;
	void *s;

	snprintf(boot, sizeof(boot), "%02x%02x%02x%02x", n->boot[0], n->boot[1],
			n->boot[2], n->boot[3]);
	out = ab_nodes_forgotten(authban_nodes(), authban_table()->owner, n->id, &f)
		  && !ab_nodes_believes_share(
				  authban_nodes(), authban_table()->owner, n->id, n->boot);
	return rpc->array_add(list, "{", &s) < 0
						   || rpc->struct_add(s, "ssdsddss", "node",
									  clean(name, n->name), "boot", boot,
									  "wire_version", n->wire, "version",
									  clean(module, n->module), "seen",
									  now > n->seen
											  ? (int)((now - n->seen) / 1000)
											  : 0,
									  "refused", (int)n->refused, "twin",
									  n->twin ? "yes" : "no", "forgotten",
									  out ? "yes" : "no")
									  < 0
				   ? -1
				   : 0;
}

int authban_rpc_add_peers(rpc_t *rpc, void *h)
{
	struct ab_nodes *nodes = authban_nodes();
	uint32_t owner = authban_table()->owner, i;
	struct ab_node n;
	void *list;

	if(add_refused(rpc, h) < 0
			|| rpc->struct_add(h, "d", "peers_more", (int)nodes->more) < 0
			|| rpc->struct_add(h, "[", "peers", &list) < 0)
		return -1;
	for(i = 0; ab_nodes_get(nodes, owner, i, &n); i++)
		if(add_peer(rpc, list, &n) < 0)
			return -1;
	return 0;
}

/* --- forget --- */

/* Whether somebody of this name is, or was heard of. */
static bool is_known(const char *name)
{
	const struct ab_names *names = ab_table_names(authban_table());
	uint32_t owner = authban_table()->owner, i;
	struct ab_node n;

	for(i = AB_REASON_COUNT; i < AB_NAMES_MAX; i++)
		if(strcmp(ab_names_text(names, (uint16_t)i), name) == 0)
			return true;
	for(i = 0; ab_nodes_get(authban_nodes(), owner, i, &n); i++)
		if(strcmp(n.name, name) == 0)
			return true;
	return false;
}

/* The parameter, as a name. 0, or -1 with a fault set. */
static int scan_name(rpc_t *rpc, void *ctx, char name[static AB_NAME_LEN + 1])
{
	str text = STR_NULL;

	if(rpc->scan(ctx, "*.S", &text) <= 0 || text.len <= 0) {
		rpc->fault(ctx, 400, "which? authban.forget node");
		return -1;
	}
	if(text.len > AB_NAME_LEN || memchr(text.s, '\0', text.len)) {
		rpc->fault(
				ctx, 400, "a node's name has up to %d characters", AB_NAME_LEN);
		return -1;
	}
	memcpy(name, text.s, text.len);
	name[text.len] = '\0';
	if(is_known(name))
		return 0;
	rpc->fault(ctx, 404, "no proxy of that name has been heard of");
	return -1;
}

void authban_rpc_forget(rpc_t *rpc, void *ctx)
{
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	struct ab_forgotten f = {.at = j.now.cluster_ms, .unsent = true};
	struct ab_dropped out = {0};
	char name[NAME_TEXT];
	void *h;

	if(scan_name(rpc, ctx, f.name) < 0)
		return;
	strncpy(f.by, authban_params.node, AB_NAME_LEN);
	ab_node_id(f.name, f.id);
	if(ab_nodes_forget(authban_nodes(), j.table->owner, &f, j.now.cluster_ms))
		ab_forget_in_table(j.table, &set, &j.now, f.name, f.at, &out);
	authban_wake_always();
	authban_forgot(&f, &out);
	if(rpc->add(ctx, "{", &h) < 0
			|| rpc->struct_add(h, "sdddd", "node", clean(name, f.name), "bans",
					   (int)out.bans, "unbans", (int)out.unbans, "allowed",
					   (int)out.allowed, "counts", (int)out.counts)
					   < 0)
		authban_rpc_failed(rpc, ctx);
}
