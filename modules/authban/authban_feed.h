/*
 * authban: imported lists in this Kamailio
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * They are this proxy's alone: not in Redis, not in the snapshot, in no evidence and no
 * report. Each proxy imports for itself.
 */
#ifndef AUTHBAN_FEED_H
#define AUTHBAN_FEED_H

#include "ab_guard.h"

#include "core/rpc.h"

/* Lays them out in shared memory; *out is NULL when feed_size is 0. From mod_init. 0, or
 * -1 (logged). */
int authban_feed_init(struct ab_feeds **out);

/* Frees what has expired, some at each call; from the sync process. */
void authban_feed_sweep(void);

/* What a listed source looks like that is blocked for it (feed_action is ban): fills *v.
 * False: it is not. */
bool authban_feed_view(const struct ab_prefix *source, struct ab_view *v);

/* authban_rpc_feed.c */
void authban_rpc_feed_add(rpc_t *rpc, void *ctx);
void authban_rpc_feed_drop(rpc_t *rpc, void *ctx);
void authban_rpc_feed_list(rpc_t *rpc, void *ctx);
/* Adds the number of entries and what they do to an open struct. <0: no room. */
int authban_rpc_feed_status(rpc_t *rpc, void *h);
/* Adds the entry that a source lies in, if there is one. <0: no room. */
int authban_rpc_feed_entry(
		rpc_t *rpc, void *h, const struct ab_prefix *source, bool allowed);

#endif
