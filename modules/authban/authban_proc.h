/*
 * authban: the process that talks to Redis and keeps the table tidy
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One process per Kamailio. SIP workers only mark entries and, when this
 * process sleeps, wake it through an eventfd; no worker ever waits for it. It
 * exists without Redis too, to free what has expired.
 */
#ifndef AUTHBAN_PROC_H
#define AUTHBAN_PROC_H

struct ab_url;

/* Announces the process; `url` NULL: no Redis. It must stay valid. From
 * mod_init, after authban_shared_init() and authban_keys_init(). 0 or -1. */
int authban_proc_init(const struct ab_url *url);

/* Loads the snapshot, when there is one. From child_init(PROC_INIT), before
 * authban_proc_preload(): what Redis knows is newer. */
void authban_proc_restore(void);

/* Loads the bans before any worker answers, for at most redis_start_timeout;
 * then it is left to the process. From child_init(PROC_INIT). */
void authban_proc_preload(void);

/* Forks the process. From child_init(PROC_MAIN). 0 or -1. */
int authban_proc_start(void);

#endif
