/*
 * authban: sources that are never banned
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The list has three origins: this proxy itself (loopback and its listen
 * sockets), its configuration (`allow` and `allow_file`), and operators
 * (authban.allow_add, known to the whole cluster). It wins over everything:
 * nothing of an allowed source is counted, and no ban of it is in force,
 * wherever the ban came from.
 *
 * All entries but loopback stand in the table as AB_KIND_ALLOW, so that they are
 * looked up without a lock, and shared like bans.
 */
#ifndef AUTHBAN_ALLOW_H
#define AUTHBAN_ALLOW_H

#include "ab_judge.h"

/* Reads the configured entries into the table. A wrong line of the file is
 * logged with its number and passed over. 0, or -1 (logged) for a wrong `allow`
 * parameter. From mod_init. */
int authban_allow_init(void);

/* Adds our own sockets; they are known only now. From child_init(PROC_INIT). */
void authban_allow_own(void);

/* Reads allow_file again: adds what is new, takes away what is gone. Returns how
 * many entries it holds, or -1 when it cannot be read (then nothing changes). */
int authban_allow_reload(void);

/* Whether an address is on the list; *net (may be NULL) says by what. */
bool authban_allowed(const struct ab_addr *addr, struct ab_prefix *net);

/* One of our own listen sockets within a network, as text; NULL: none. */
const char *authban_own_socket(const struct ab_prefix *p);

/* Whether an entry comes from this proxy's configuration, not from operators. */
bool authban_allow_is_configured(const struct ab_view *v);

#endif
