/*
 * authban: keys in Redis that somebody made something else of
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A key of a wrong type is met with an error by each command on it. It is left alone:
 * what belongs there is not shared, everything else goes on. Each second it is asked
 * for; when it is gone or right again, all that lives is sent again.
 */
#ifndef AUTHBAN_QUARANTINE_H
#define AUTHBAN_QUARANTINE_H

#include "authban_redis.h"

#include "ab_wire.h"

#define AUTHBAN_BAD_KEYS 16 /* that are asked for; there may be more */
#define AUTHBAN_PROBE_EVERY 1000

struct authban_store;

struct authban_bad_key
{
	char name[AB_WIRE_KEY_MAX];
	int64_t met; /* by a command that is no probe, monotonic ms */
};

struct authban_quarantine
{
	struct authban_bad_key key[AUTHBAN_BAD_KEYS];
	unsigned n;
	uint64_t met; /* commands that were answered so */
	bool news;	  /* keys were added since the caller has cleared this */
	bool healed;  /* keys were right again, likewise */
	bool log;	  /* the log is one of them: it is not read */
	/* private */
	int64_t probed, loaded, load_took; /* monotonic ms */
	bool gone[AUTHBAN_BAD_KEYS];
};

/* A command on this key was answered with WRONGTYPE. */
void authban_quarantine_note(
		struct authban_store *s, const char *key, size_t len);

/* Asks for the keys when it is time; when one has healed, s->lost is set. While the log
 * cannot be read, bans come from the map, every 5 s or more seldom. 0, or -1 with
 * s->error. */
int authban_quarantine_work(struct authban_store *s, int64_t now);

/* When there is something to do, monotonic ms; INT64_MAX: nothing. */
int64_t authban_quarantine_next(const struct authban_store *s);

#endif
