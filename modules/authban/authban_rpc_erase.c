/*
 * authban: authban.erase and authban.erase_user
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_erase.h"
#include "authban_rpc_row.h"

#include "authban_mac.h"
#include "authban_shared.h"

/* Here, and by the sync process at the others. False: a fault is set. */
static bool erase(rpc_t *rpc, void *ctx, struct ab_erasure *er,
		struct authban_erased *out)
{
	bool noted;

	er->time = authban_now().cluster_ms;
	/* first: what is heard of it from now on is not taken */
	noted = authban_erase_note(er);
	authban_erase(er, 0, out);
	authban_wake();
	if(noted)
		return true;
	rpc->fault(ctx, 503,
			"it is erased here, and the other proxies do not know of it: too"
			" many erasures wait for Redis; repeat it when Redis is back");
	return false;
}

void authban_rpc_erase(rpc_t *rpc, void *ctx)
{
	struct authban_rpc_target at;
	struct authban_erased out;
	struct ab_erasure er = {.user = 0};
	char net[AB_PREFIX_TEXT];
	void *h;

	if(authban_rpc_network(rpc, ctx, "which address? authban.erase ip", &at)
			< 0)
		return;
	er.source = at.p;
	if(!erase(rpc, ctx, &er, &out))
		return;
	if(rpc->add(ctx, "{", &h) < 0
			|| rpc->struct_add(h, "sddd", "source", ab_prefix_print(&at.p, net),
					   "entries", out.entries, "evidence", out.evidence,
					   "logins", out.facts)
					   < 0)
		authban_rpc_failed(rpc, ctx);
}

void authban_rpc_erase_user(rpc_t *rpc, void *ctx)
{
	struct ab_erasure er = {.user = 0};
	struct authban_erased out;
	str name = STR_NULL;
	void *h;

	if(rpc->scan(ctx, ".S", &name) < 1 || name.len <= 0) {
		rpc->fault(ctx, 400, "which user? authban.erase_user user@realm");
		return;
	}
	er.user = authban_user_hash(&name, NULL);
	if(!erase(rpc, ctx, &er, &out))
		return;
	if(rpc->add(ctx, "{", &h) < 0
			|| rpc->struct_add(h, "ddd", "entries", out.entries, "samples",
					   out.samples, "logins", out.facts)
					   < 0)
		authban_rpc_failed(rpc, ctx);
}
