/*
 * authban: an address or a user is forgotten
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * On this proxy at once; in a cluster the others are told through the stream of
 * evidence (authban_testimony.h) and do the same with what they knew at that moment.
 * What came afterwards is kept: an erasure that is heard late, or twice, frees nobody.
 */
#ifndef AUTHBAN_ERASE_H
#define AUTHBAN_ERASE_H

#include "ab_evidence_wire.h"

#include <stdbool.h>

#define AUTHBAN_ERASE_MS 1200000 /* an erasure is heard for so long */

/* What went. */
struct authban_erased
{
	int entries, samples, facts;
	bool evidence;
};

/* From mod_init, with a cluster. 0, or -1 (logged). */
int authban_erase_init(void);

/* Forgets what is `age` seconds old and older. */
void authban_erase(
		const struct ab_erasure *er, uint32_t age, struct authban_erased *out);

/* Puts one down for the other proxies. False: too many wait for Redis. Without a
 * cluster there is nobody to tell: true. */
bool authban_erase_note(const struct ab_erasure *er);

/* For the sync process: how many wait, copied; and that they were told. */
size_t authban_erase_noted(struct ab_erasure *out, size_t max);
void authban_erase_told(const struct ab_erasure *er, size_t n);

/* Whether any waits. */
bool authban_erase_waits(void);

#endif
