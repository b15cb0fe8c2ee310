/*
 * authban: attempts that others judge, read from the replies
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_REPLIES_H
#define AUTHBAN_REPLIES_H

/* With watch_replies=1: hooks into tm and sl, and lays out what is remembered.
 * From mod_init, after the shared memory. 0, or -1 (logged). */
int authban_replies_init(void);

#endif
