/*
 * authban: one line in the log for each ban and unban
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ip=192.0.2.1 event=ban reason=threshold failures=8 users=1 ttl=600 repeats=1
 *     proof=token origin=proxy-a
 * ip=198.51.100.0/24 event=campaign ...   a network came under watch
 * ip=192.0.2.9 event=pair_ban ... user=0123456789abcdef   one user at a source
 * ip=- event=user_attack ... user=0123456789abcdef        a user came under watch
 * node=proxy-b event=forget by=proxy-a ...   what a proxy had said was dropped
 * A user is a keyed hash. A pair that is banned again and again is told of once, then
 * only when a ban lasts an hour or more.
 * Level NOTICE, one line, the address first, at most 512 bytes. The order of
 * the pairs is fixed; new ones are added at the end.
 */
#ifndef AUTHBAN_LOG_H
#define AUTHBAN_LOG_H

#include "ab_judge.h"
#include "ab_nodes.h"

/* Logs and counts a judgement that is news, and raises its event; does nothing
 * for any other. Must not be called under a lock. */
void authban_news(const struct ab_judgement *what);

/* The breaker has opened or closed: one line. */
void authban_breaker_news(void);

/* Words for enum ab_state as interface and RPC show them. `mode` tells a live
 * ban from one that blocks nobody. */
const char *authban_state_name(const struct ab_view *v, int mode);

/* Seconds left of a ban; 0 when there is none, and for an allow entry. */
int authban_ttl(const struct ab_view *v);

/* One line about a proxy that was forgotten, and what went with it. */
void authban_forgot(
		const struct ab_forgotten *f, const struct ab_dropped *dropped);

#endif
