/*
 * authban: the other proxies: who is there, whom nobody believes, what was refused
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Each proxy writes a row of its own into a hash in Redis every few seconds, and
 * reads those of the others; the more there are, the more seldom. Runs in the sync
 * process; what is not allowed there by a Redis user of an earlier version is done
 * without, and said once.
 */
#ifndef AUTHBAN_PEERS_H
#define AUTHBAN_PEERS_H

#include "authban_store.h"

#define AUTHBAN_VERSION "0.1.0"

#define AUTHBAN_PEERS_EVERY 2000 /* ms between two announcements */

/* Loads who is forgotten. While a store is opened, before the map. 0, or -1 with
 * s->error. */
int authban_peers_load(struct authban_store *s, int64_t deadline);

/* A connection is there: announce at once, and say that we are back if an earlier
 * start was forgotten. */
void authban_peers_connected(void);

/* When authban_peers_work() has something to do, monotonic ms. */
int64_t authban_peers_next(void);

/* Announces, reads the others, tells whom an operator forgot. 0, or -1 with
 * s->error. */
int authban_peers_work(struct authban_store *s, int64_t now);

/* Says in the log that a proxy changes more than is believed. */
void authban_peers_flooded(const char *origin);

/* Says in the log when records are refused, at once and then once a minute. */
void authban_peers_refusals(const struct ab_sync_stats *st, int64_t now);

#endif
