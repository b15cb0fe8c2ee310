/*
 * authban: evidence of offenders is written down
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Between Kamailio's messages and ab_evidence.h. In shared memory of its own, so that
 * the table knows nothing of it.
 */
#ifndef AUTHBAN_RECORD_H
#define AUTHBAN_RECORD_H

#include "ab_evidence.h"
#include "ab_guard.h"
#include "authban_count.h"

/* Takes the memory. From mod_init. 0, or -1 (logged). */
int authban_record_init(void);

/* The arena, for the calling process; .head NULL when `evidence` is 0. */
struct ab_evidence authban_records(void);

/* A failure that was counted, and what came of it. Does nothing where the sender has
 * not proved its address, or where no message is at hand. */
void authban_record_failure(
		const struct authban_failure *f, const struct ab_findings *found);

/* A source was banned or unbanned, here or elsewhere. */
void authban_record_news(const struct ab_judgement *what);

/* A second's share of the retention. From the sync process. */
void authban_record_sweep(void);

#endif
