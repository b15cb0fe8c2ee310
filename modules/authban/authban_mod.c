/*
 * authban: exports and the order of the start
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * authban counts failed authentications per source in shared memory and blocks
 * offenders; the proxies of a cluster count as one through Redis. This file
 * only ties the parts together:
 *   authban_params, authban_refuse  parameters, settings, what is refused
 *   authban_shared                  shared memory, clocks
 *   authban_script, authban_pv      what the routing script calls
 *   authban_auth, authban_rc        credentials, the challenge, $rc
 *   authban_backend                 what the numbers of the back end mean
 *   authban_allow                   who is never banned
 *   authban_policies                other limits for some
 *   authban_early                   datagrams dropped before parsing
 *   authban_limit                   how many strangers are challenged
 *   authban_replies, _outcome, _opaque    attempts that others judge
 *   authban_rpc, _stats, _blocked, _log   what operators see
 *   authban_record, _privacy        evidence of offenders, users unnamed
 *   authban_events                  event routes, and their process
 *   authban_testimony                    evidence of and for other proxies
 *   authban_proc, _store, _load, _redis   the process that talks to Redis
 *   authban_snapshot                what outlives a restart, in a file
 */
#include "authban_allow.h"
#include "authban_auth.h"
#include "authban_backend.h"
#include "authban_early.h"
#include "authban_events.h"
#include "authban_limit.h"
#include "authban_mac.h"
#include "authban_params.h"
#include "authban_pkg.h"
#include "authban_policies.h"
#include "authban_proc.h"
#include "authban_pv.h"
#include "authban_record.h"
#include "authban_rc.h"
#include "authban_replies.h"
#include "authban_rpc.h"
#include "authban_script.h"
#include "authban_shared.h"
#include "authban_stats.h"

#include "core/dprint.h"
#include "core/globals.h"
#include "core/pt.h"

MODULE_VERSION

static struct ab_url redis_url;

static int mod_init(void)
{
	if(authban_settings_declare() < 0 || authban_params_check(&redis_url) < 0)
		return -1;
	if(authban_backend_init() < 0)
		return -1;
	if(authban_keys_init() < 0 || authban_policies_init() < 0
			|| authban_shared_init() < 0 || authban_record_init() < 0)
		return -1;
	if(authban_allow_init() < 0 || authban_auth_init() < 0
			|| authban_stats_init() < 0 || authban_limit_init() < 0
			|| authban_replies_init() < 0)
		return -1;
	if(authban_proc_init(*authban_params.redis ? &redis_url : NULL) < 0
			|| authban_events_init() < 0)
		return -1;
	if(*authban_params.redis && !authban_keys_shared())
		LM_WARN("there is no cluster_key: records in Redis are not signed, and"
				" tokens of one proxy mean nothing to another\n");
	authban_rc_init();
	authban_early_init();
	return 0;
}

static int child_init(int rank)
{
	if(rank > 0)
		authban_pkg_split();
	if(rank == PROC_INIT) {
		authban_allow_own();
		authban_proc_restore();
		authban_proc_preload();
	}
	if(rank != PROC_MAIN)
		return 0;
	return authban_proc_start() < 0 ? -1 : authban_events_start();
}

/* No lock is taken and nothing is freed: a worker that died with a lock held
 * must not hang the shutdown, and the memory goes with the process. */
static void mod_destroy(void)
{
}

/* clang-format off */
struct module_exports exports = {
	"authban",
	DEFAULT_DLFLAGS,
	authban_cmds,
	authban_param_exports,
	authban_rpcs,
	authban_pvs,
	0,            /* reply processing */
	mod_init,
	child_init,
	mod_destroy
};
/* clang-format on */

/* the loader looks it up by name */
int mod_register(char *path, int *dlflags, void *p1, void *p2);

int mod_register(char *path, int *dlflags, void *p1, void *p2)
{
	(void)path;
	(void)dlflags;
	(void)p1;
	(void)p2;
	return sr_kemi_modules_add(authban_kemi_exports);
}
