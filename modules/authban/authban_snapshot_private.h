/*
 * authban: the local snapshot (private to authban_snapshot*.c)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_SNAPSHOT_PRIVATE_H
#define AUTHBAN_SNAPSHOT_PRIVATE_H

#include "ab_snapshot.h"
#include "authban_snapshot.h"

/* Now on every clock. */
void authban_snapshot_moment(struct ab_snapshot_moment *out);

/* Of the key, or of the one that is still accepted (authban_mac.h). */
struct ab_snapshot_mac authban_snapshot_mac(bool old);

/* Whether cluster time is Redis's by the snapshot that was read, so that the next one
 * may say so too while Redis is away. */
bool authban_snapshot_clock_kept(void);

#endif
