/*
 * authban: what the RPC commands share: arguments in, rows out
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_RPC_ROW_H
#define AUTHBAN_RPC_ROW_H

#include "ab_judge.h"

#include "core/rpc.h"
#include "core/str.h"

#define AUTHBAN_RPC_ROWS 64 /* copied out of the table at once */

/* An address or network that a command is about. */
struct authban_rpc_target
{
	str text;			 /* as written */
	struct ab_addr addr; /* the very address, or the network's first */
	struct ab_prefix p;	 /* as it stands in the table: of an address the source
							that it is counted under */
	bool full;			 /* an address */
};

/* Reads out->text. 0, or -1 with a fault set. */
int authban_rpc_source(rpc_t *rpc, void *ctx, struct authban_rpc_target *out);

/* The only parameter of a command, an address or network, as written. `usage`
 * is the fault's sentence when there is none. 0, or -1 with a fault set. */
int authban_rpc_network(rpc_t *rpc, void *ctx, const char *usage,
		struct authban_rpc_target *out);

/* A decimal number and nothing else; -1 for any other text. Commands read numbers
 * as text: JSON-RPC would take a word for 0. */
int authban_rpc_number(const str *text);

/* The optional parameters [limit] [offset] of a list. 0, or -1 with a fault set. */
int authban_rpc_page(rpc_t *rpc, void *ctx, int *limit, int *offset);

/* Adds what is known of an entry to an open struct. <0: no room. */
int authban_rpc_add_row(
		rpc_t *rpc, void *h, const struct ab_judge *j, const struct ab_view *v);

/* Seconds ago as a point in time, UTC, ISO 8601. Returns out. */
const char *authban_rpc_when(uint32_t ago, char out[static 24]);

/* The fault when an answer could not be built. */
void authban_rpc_failed(rpc_t *rpc, void *ctx);

/* authban_rpc_change.c */
void authban_rpc_ban(rpc_t *rpc, void *ctx);
void authban_rpc_unban(rpc_t *rpc, void *ctx);

/* authban_rpc_peers.c */
void authban_rpc_forget(rpc_t *rpc, void *ctx);
/* Adds what was refused, and the proxies, to an open struct. <0: no room. */
int authban_rpc_add_peers(rpc_t *rpc, void *h);

/* authban_rpc_get.c */
void authban_rpc_get(rpc_t *rpc, void *ctx);

/* authban_rpc_top.c; the last sets statistics back */
void authban_rpc_top(rpc_t *rpc, void *ctx);
void authban_rpc_networks(rpc_t *rpc, void *ctx);
void authban_rpc_users(rpc_t *rpc, void *ctx);
void authban_rpc_reset(rpc_t *rpc, void *ctx);

/* authban_rpc_evidence.c */
void authban_rpc_evidence(rpc_t *rpc, void *ctx);
void authban_rpc_evidence_get(rpc_t *rpc, void *ctx);

/* authban_rpc_report.c */
void authban_rpc_report(rpc_t *rpc, void *ctx);

/* authban_rpc_erase.c */
void authban_rpc_erase(rpc_t *rpc, void *ctx);
void authban_rpc_erase_user(rpc_t *rpc, void *ctx);

/* authban_rpc_allow.c */
void authban_rpc_allow_add(rpc_t *rpc, void *ctx);
void authban_rpc_allow_del(rpc_t *rpc, void *ctx);
void authban_rpc_allow_list(rpc_t *rpc, void *ctx);
void authban_rpc_allow_reload(rpc_t *rpc, void *ctx);

/* authban_rpc_policy.c */
void authban_rpc_policy_list(rpc_t *rpc, void *ctx);
void authban_rpc_policy_reload(rpc_t *rpc, void *ctx);

#endif
