/*
 * authban: counting what is blocked
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_BLOCKED_H
#define AUTHBAN_BLOCKED_H

#include "ab_source.h"

/* Lays out the table in shared memory, before any fork. 0, or -1 (logged). */
int authban_blocked_init(void);

/* A packet of this address was blocked. */
void authban_blocked(const struct ab_addr *addr);

/* About how many were blocked of a source, or of a network that is banned as one,
 * since the start or the last reset (ab_blocked.h); 0 to 2^28. */
uint32_t authban_blocked_count(const struct ab_prefix *source);

/* Forgets the numbers of all sources. */
void authban_blocked_clear(void);

#endif
