/*
 * authban: RPC commands for named policies
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_params.h"
#include "authban_policies.h"
#include "authban_rpc_row.h"
#include "authban_settings.h"

static int add_policy(rpc_t *rpc, void *ctx, const char *name, unsigned number)
{
	const struct ab_policies *p = authban_policies();
	const struct ab_settings *set;
	struct ab_settings room;
	void *h;

	set = ab_policies_settings(p, number, authban_settings_now(), &room);
	if(rpc->add(ctx, "{", &h) < 0)
		return -1;
	return rpc->struct_add(h, "ssdddddd", "policy", name, "from",
			p->row[number - 1].reading ? "policy_file" : "policy", "threshold",
			set->threshold, "max_users", set->max_users, "net_threshold",
			set->net_threshold, "long_threshold", set->long_threshold,
			"ban_time", set->ban_time, "ban_time_max", set->ban_time_max);
}

void authban_rpc_policy_list(rpc_t *rpc, void *ctx)
{
	const struct ab_policies *p = authban_policies();
	const char *name;
	unsigned i;

	for(i = 1; i <= p->count; i++) {
		name = ab_policies_name(p, i);
		if(*name != '\0' && add_policy(rpc, ctx, name, i) < 0) {
			authban_rpc_failed(rpc, ctx);
			return;
		}
	}
}

void authban_rpc_policy_reload(rpc_t *rpc, void *ctx)
{
	struct authban_policies_read read;
	void *h;
	int rc;

	if(!*authban_params.policy_file) {
		rpc->fault(
				ctx, 409, "policy_file is not set: there is nothing to read");
		return;
	}
	rc = authban_policies_reload(&read);
	if(rc == -2)
		rpc->fault(ctx, 503, "policy_file is being read; try again");
	else if(rc < 0)
		rpc->fault(ctx, 500, "policy_file cannot be read; nothing was changed");
	else if(rpc->add(ctx, "{", &h) < 0
			|| rpc->struct_add(h, "dd", "policies", read.policies,
					   "wrong_lines", read.wrong)
					   < 0)
		authban_rpc_failed(rpc, ctx);
}
