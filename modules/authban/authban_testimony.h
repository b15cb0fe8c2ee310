/*
 * authban: evidence is told to other proxies, and heard from them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Through one bounded stream in Redis, which is a way and no store: entries are taken
 * out of it after evidence_ttl. Told is what was seen here first hand, when it has
 * been banned, and then at most once a minute while it goes on. What is heard is shown
 * as imported, and bans nobody. An erasure (authban_erase.h) goes the same way: it
 * empties the stream, is told in it, and leaves it after AUTHBAN_ERASE_MS.
 * Only in the sync process. Nothing here breaks the
 * connection for a reason of its own: where an older ACL does not allow it, the log
 * says so and the rest goes on.
 */
#ifndef AUTHBAN_TESTIMONY_H
#define AUTHBAN_TESTIMONY_H

#include "authban_store.h"

/* What is due: tells, listens, forgets. 0, or -1: the connection failed (s->error). */
int authban_testimony_work(struct authban_store *s);

/* A ban has come or gone: evidence follows, within so many ms. */
void authban_testimony_soon(int64_t ms);

/* Redis may have lost what it was told. */
void authban_testimony_again(void);

#endif
