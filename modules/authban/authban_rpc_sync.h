/*
 * authban: what authban.status tells of the sync process beside bans
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_RPC_SYNC_H
#define AUTHBAN_RPC_SYNC_H

#include "core/rpc.h"

/* Adds errors by their kind, keys of a wrong type, the clock, the place in the log, and
 * known-good facts. Below 0: no memory. */
int authban_rpc_add_sync(rpc_t *rpc, void *h);

#endif
