/*
 * authban: why somebody is banned, in one sentence
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_EXPLAIN_H
#define AUTHBAN_EXPLAIN_H

#include "ab_entry.h"

#define AUTHBAN_EXPLAIN_MAX 160

/*
 * "threshold: 8 failures in 600 s (threshold 8)": the reason, what was counted, over
 * which window, and the limit with its name, as the settings (or the entry's policy)
 * have it now. Of an operator's ban his reason alone; empty when nothing is in force.
 * Returns out.
 */
const char *authban_explain(
		const struct ab_view *v, char out[static AUTHBAN_EXPLAIN_MAX]);

/* Of a source that is not banned: how far it is from it. */
const char *authban_explain_watched(
		const struct ab_view *v, char out[static AUTHBAN_EXPLAIN_MAX]);

/* The user that an entry is about; 0: it is about none. */
uint64_t authban_user_of(const struct ab_key *key);

#endif
