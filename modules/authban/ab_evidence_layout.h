/*
 * authban: evidence in memory, for its own files
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AB_EVIDENCE_LAYOUT_H
#define AB_EVIDENCE_LAYOUT_H

#include "ab_evidence.h"

#include "ab_lock.h"

#define AB_EVIDENCE_WAYS 8

/* One set; its records lie apart. A cache line. */
struct ab_evidence_set
{
	_Atomic uint32_t lock;
	uint8_t writing; /* way + 1 of the record being written; 0: none */
	uint8_t unused[27];
	uint32_t tag[AB_EVIDENCE_WAYS]; /* of the hash; 0: free */
};

_Static_assert(sizeof(struct ab_evidence_set) == 64, "a set is a cache line");

/* Behind it sets * AB_EVIDENCE_WAYS records. */
struct ab_evidence_head
{
	uint8_t key[16];
	uint32_t sets; /* a power of two */
	uint32_t unused;
	_Atomic uint64_t evicted, refused;
	uint8_t more[24];
	struct ab_evidence_set set[];
};

_Static_assert(sizeof(struct ab_evidence_head) == 64, "sets begin on a line");

struct ab_evidence_record *ab_evidence_record_at(
		const struct ab_evidence *e, uint32_t set, unsigned way);

/* False: its owner lives and does not let go. */
bool ab_evidence_lock(const struct ab_evidence *e, uint32_t set);
void ab_evidence_unlock(const struct ab_evidence *e, uint32_t set);

/* All below: the set is locked. */
void ab_evidence_free(const struct ab_evidence *e, uint32_t set, unsigned way);
bool ab_evidence_is_over(const struct ab_evidence *e,
		const struct ab_evidence_record *r, uint32_t mono);

/* Drops the samples that were taken so many ms and more before `wall_ms`. */
void ab_evidence_drop_samples(
		struct ab_evidence_record *r, uint64_t wall_ms, uint64_t ms);

/* A copy without samples that are over. */
void ab_evidence_copy(const struct ab_evidence *e,
		const struct ab_evidence_record *r, uint32_t mono,
		struct ab_evidence_record *out);

#endif
