/*
 * authban: what the files of an entry share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * All are called under the lock of the entry's bucket, or on a copy.
 */
#ifndef AB_ENTRY_PRIVATE_H
#define AB_ENTRY_PRIVATE_H

#include "ab_entry.h"

/* A moment `seconds` from now, monotonic seconds; never past the end of time. */
uint32_t ab_entry_later(uint32_t now, uint32_t seconds);

/* From now on only failures after this cluster second count. Never the epoch of
 * before, even when a ban follows an unban within one second. */
void ab_entry_begin_epoch(struct ab_entry *e, uint32_t second);

/* Something happened: `more` failures that nobody told of before. */
void ab_entry_touch(struct ab_entry *e, const struct ab_settings *set,
		const struct ab_now *now, uint32_t more);

/* The maps of distinct things: this window, the one before. Nothing for a pair. */
void ab_entry_set_distinct(struct ab_entry *e, uint32_t cur, uint32_t prev);

#endif
