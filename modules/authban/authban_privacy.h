/*
 * authban: users by names that are not theirs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * In the table a user is a keyed hash that stays the same (authban_user_hash()): the
 * counts of a day need that. What is shown of it (RPC, log, evidence) is another hash
 * over that one, under a key that changes each `privacy_rotate` seconds: a user can be
 * recognised within a period, and not beyond. The idea is RFC 6590's. The keys are
 * HMAC-SHA256 of the period's number under a key made of the cluster key, so a period's
 * names are the same on every proxy. With privacy=off the first hash is shown, and
 * names where they are known.
 */
#ifndef AUTHBAN_PRIVACY_H
#define AUTHBAN_PRIVACY_H

#include "ab_evidence.h"

/* Now: ms since 1970, UTC. */
uint64_t authban_wall_ms(void);

/* "2026-01-31T12:00:00.123Z" of ms since 1970. Returns out. */
#define AUTHBAN_TIME_TEXT 40
const char *authban_time_text(uint64_t ms, char out[static AUTHBAN_TIME_TEXT]);

/* The key of the period that a moment lies in, 16 bytes; good until the next call. */
const uint8_t *authban_privacy_key(uint64_t wall_ms);

/* What a user's hash is shown as in that period, whatever `privacy` is. 0 stays 0. */
uint64_t authban_pseudonym(uint64_t hash, uint64_t wall_ms);

/* A user's hash of the table as it is shown now: 16 hex digits. Returns out. */
const char *authban_user_text(uint64_t hash, char out[static 17]);

/* The same, or with privacy=off the name if it is known. Returns out. */
const char *authban_user_name(
		uint64_t hash, char out[static AB_EVIDENCE_NAME + 1]);

#endif
