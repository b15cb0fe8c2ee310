/*
 * authban: evidence on its way to other proxies
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A summary of a record without its samples, in bytes and back, under the rules of
 * ab_wire.h: whatever is read is hostile, and with a cluster key it bears a MAC over
 * the cluster's name and its content. In Redis:
 *   {PREFIX:0}:evidence   stream of summaries and erasures; entry field "e"
 */
#ifndef AB_EVIDENCE_WIRE_H
#define AB_EVIDENCE_WIRE_H

#include "ab_evidence.h"
#include "ab_wire.h"

#define AB_EVIDENCE_WIRE_MAX 320

/* A record without samples, its names as texts. */
struct ab_evidence_news
{
	struct ab_evidence_record r; /* .reason and .origin are not used */
	char reason[AB_NAME_LEN + 1], origin[AB_NAME_LEN + 1];
};

void ab_evidence_wire_key(
		const struct ab_wire *w, char out[static AB_WIRE_KEY_MAX]);

/* Returns the length. */
size_t ab_evidence_write(const struct ab_wire *w,
		const struct ab_evidence_news *news,
		uint8_t out[static AB_EVIDENCE_WIRE_MAX]);

enum ab_wire_result ab_evidence_read(const struct ab_wire *w,
		const uint8_t *bytes, size_t len, struct ab_evidence_news *out);

/* An operator wants an address or a user forgotten, as it was known then. */
struct ab_erasure
{
	struct ab_prefix source; /* of a user: all zero */
	uint64_t user;			 /* keyed hash; 0: it is about the source */
	uint64_t time;			 /* cluster ms */
};

/* Whether bytes claim to be one; an older authban drops and counts them. */
bool ab_erasure_is(const uint8_t *bytes, size_t len);

/* As the two above. */
size_t ab_erasure_write(const struct ab_wire *w, const struct ab_erasure *er,
		uint8_t out[static AB_EVIDENCE_WIRE_MAX]);
enum ab_wire_result ab_erasure_read(const struct ab_wire *w,
		const uint8_t *bytes, size_t len, struct ab_erasure *out);

#endif
