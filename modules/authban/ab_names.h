/*
 * authban: a fixed table of short texts in shared memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Entries of the main table are 64 bytes and cannot hold text, so reasons
 * that an operator wrote and names of proxies are kept here once and referred
 * to by a small number. Texts are only added, never changed or removed, so
 * readers take no lock. A full table answers 0, the empty text: a ban works
 * without its reason's text.
 *
 * The first enum ab_reason texts are the built-in reasons, so their number is
 * their enum value.
 */
#ifndef AB_NAMES_H
#define AB_NAMES_H

#include "ab_lock.h"
#include "ab_policy.h"

#include <stddef.h>
#include <stdint.h>

#define AB_NAMES_MAX AB_NAME_NUMBERS /* texts */
#define AB_NAME_LEN 47				 /* bytes of a text; longer ones are cut */

struct ab_names
{
	_Atomic uint32_t lock;
	_Atomic uint32_t used;
	char text[AB_NAMES_MAX][AB_NAME_LEN + 1];
};

/* Prepares zeroed shared memory; before any fork. */
void ab_names_init(struct ab_names *names);

/*
 * The number of a text, added when it is new; spaces, quotes, '=', backslashes and
 * bytes outside of printable ASCII become '_', so that no line of a log or of RPC
 * can be forged by a reason. 0 for an
 * empty text and when the table is full.
 */
uint16_t ab_names_intern(
		struct ab_names *names, uint32_t owner, const char *text, size_t len);

/* The text of a number; "" for one that was never given out. */
const char *ab_names_text(const struct ab_names *names, uint16_t number);

#endif
