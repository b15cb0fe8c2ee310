/*
 * authban: what is over is taken out of Redis
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Counts and evidence have an end in Redis. The log of bans and the map of states do
 * not: an entry of the log goes when it is evidence_ttl old, an hour at least (nobody
 * reads that far back: who was away loads the map), a state when it has been over for
 * two windows. Each proxy looks, a few buckets of the map a minute; what another one has
 * deleted is not there, and that is all. Who bans a source anew between the look and the
 * deletion, a round trip later, loses his field of the map, as while a map is loaded:
 * all who are connected have it from the log. Only in the sync process.
 */
#ifndef AUTHBAN_TIDY_H
#define AUTHBAN_TIDY_H

#include "authban_store.h"

/* What is due, once a minute. `now`: monotonic ms. 0, or -1: the connection failed
 * (s->error). */
int authban_tidy_work(struct authban_store *s, int64_t now);

#endif
