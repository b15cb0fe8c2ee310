/*
 * authban: event routes, and their twin in KEMI scripts
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Routes run in a process of their own, "authban events", in the order in which
 * the events were raised. Whoever raises one (a SIP worker, the sync process, an
 * RPC process) writes it into a pipe and goes on: its message is not touched, and
 * a route that waits for a web server holds up nobody. The process has had the
 * child_init() of all modules, which the sync process has not: there a route would
 * have no database and, with some engines, no interpreter. Without a route and
 * without a callback there is neither pipe nor process.
 */
#ifndef AUTHBAN_EVENTS_H
#define AUTHBAN_EVENTS_H

#include "ab_entry.h"

enum authban_event
{
	AUTHBAN_EVENT_BAN = 0,
	AUTHBAN_EVENT_UNBAN,
	AUTHBAN_EVENT_CAMPAIGN,	   /* a network is under watch */
	AUTHBAN_EVENT_USER_ATTACK, /* many sources on one user */
	AUTHBAN_EVENT_BREAKER,	   /* bans are suspended, or made again */
	AUTHBAN_EVENT_COUNT
};

#define AUTHBAN_EVENT_DETAIL 96 /* bytes of a detail, with the NUL */

/* An event on its way to the script. */
struct authban_raised
{
	enum authban_event which;
	bool has_view;
	struct ab_view view; /* the subject when it was raised */
	char detail[AUTHBAN_EVENT_DETAIL];
};

/* "authban:ban" and so on. */
const char *authban_event_name(enum authban_event which);

/* Looks for routes; announces the process if there is one. From mod_init, after
 * the parameters are checked. 0, or -1 (logged). */
int authban_events_init(void);

/* Forks the process, if there is a route. From child_init(PROC_MAIN). 0 or -1. */
int authban_events_start(void);

/*
 * Raises an event; `view` is its subject (NULL: none), `detail` a short text for
 * the script (NULL: none; cut to AUTHBAN_EVENT_DETAIL). Never waits: when the pipe
 * is full the event is dropped and counted. What a route itself raises runs no
 * route, so a route that bans cannot call itself.
 * From any process; not under a lock.
 */
void authban_event(enum authban_event which, const struct ab_view *view,
		const char *detail);

/* The event whose route this process runs; NULL: none. */
const struct authban_raised *authban_event_current(void);

#endif
