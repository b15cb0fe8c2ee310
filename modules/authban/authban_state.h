/*
 * authban: what the sync process tells everybody of itself
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_STATE_H
#define AUTHBAN_STATE_H

#include "authban_store.h"

/* The place to which commands go, as status and log name it: without the password. */
void authban_state_server(
		const struct ab_url *url, const struct ab_place *place);

/* Since when something has been unsent, for authban_sync_lag(). `now_ms` is monotonic. */
void authban_state_lag(const struct authban_store *s, int64_t now_ms);

/* All numbers of struct authban_sync_state that change without an event.
 * `clock_known`: cluster time has been Redis's once. */
void authban_state_publish(
		const struct authban_store *s, bool clock_known, int64_t now_ms);

#endif
