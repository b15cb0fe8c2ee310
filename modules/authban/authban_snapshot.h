/*
 * authban: the local snapshot, a file
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Written by the sync process alone, in slices of some ms, to PATH.new, which then
 * takes the place of PATH; read once, before the first fork. Whatever goes wrong with
 * it is one line in the log and nothing else.
 */
#ifndef AUTHBAN_SNAPSHOT_H
#define AUTHBAN_SNAPSHOT_H

#include "ab_sync.h"

/* Reads it, all or nothing, into table and facts, in at most 5 s. Before any fork. */
void authban_snapshot_load(struct ab_sync *sync);

/* In the sync process: SIGTERM and SIGINT let it write once more before it ends. */
void authban_snapshot_start(void);

/*
 * One slice of what is due; the last one after a signal does not return. Returns
 * when the next one is, in ms of authban_redis_now(). `redis_clock`: cluster time
 * is Redis's.
 */
int64_t authban_snapshot_work(struct ab_sync *sync, bool redis_clock);

#endif
