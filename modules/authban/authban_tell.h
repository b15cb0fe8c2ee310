/*
 * authban: evidence is told to other proxies, and heard from them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Through one bounded stream in Redis, which is a way and no store: entries are taken
 * out of it after evidence_ttl. Told is what was seen here first hand, when it has
 * been banned, and then at most once a minute while it goes on. What is heard is shown
 * as imported, and bans nobody. Only in the sync process. Nothing here breaks the
 * connection for a reason of its own: where an older ACL does not allow it, the log
 * says so and the rest goes on.
 */
#ifndef AUTHBAN_TELL_H
#define AUTHBAN_TELL_H

#include "authban_store.h"

/* What is due: tells, listens, forgets. 1: there is more to be heard; 0; or -1: the
 * connection failed (s->error). */
int authban_tell(struct authban_store *s);

/* Redis may have lost what it was told. */
void authban_tell_again(void);

#endif
