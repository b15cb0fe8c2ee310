/*
 * authban: known-good facts on their way through Redis
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Purpose: facts of many logins (ab_good.h) in one record with one MAC, and back. A
 * fact is a keyed hash of 8 bytes: of user and source nothing can be read from it.
 * Without a cluster key there are no records: each proxy's hashes are its own.
 *
 *   {PREFIX:SHARD}:g:HOUR  list of records that were made in that hour of cluster
 *       time; SHARD is HOUR modulo the number of shards
 *       record: version 1, flags 1, node 4, time 4 (cluster seconds), facts n * 8,
 *               MAC 16
 *   {PREFIX:0}:log         an entry with the field "g" instead of "r" says that the
 *                          list of that hour (4) has grown. It bears no MAC: it
 *                          makes its reader look, and no more.
 */
#ifndef AB_CREDIT_H
#define AB_CREDIT_H

#include "ab_good.h"
#include "ab_wire.h"

#define AB_CREDIT_VERSION 1
#define AB_CREDIT_FACTS 64	/* in one record */
#define AB_CREDIT_HOUR 3600 /* seconds */
#define AB_CREDIT_MAX (10 + 8 * AB_CREDIT_FACTS + 16)

struct ab_credit
{
	uint8_t node[4]; /* who says so: as in struct ab_wire */
	uint32_t made;	 /* when, cluster seconds */
	size_t n;		 /* 1..AB_CREDIT_FACTS; read: 0 of the old cluster key */
	uint64_t fact[AB_CREDIT_FACTS];
};

/* The key of an hour's list: cluster seconds / AB_CREDIT_HOUR. */
void ab_credit_key(const struct ab_wire *w, uint32_t hour,
		char out[static AB_WIRE_KEY_MAX]);
unsigned ab_credit_shard(const struct ab_wire *w, uint32_t hour);

/* Returns the length; 0: there is no cluster key. */
size_t ab_credit_write(const struct ab_wire *w, const struct ab_credit *c,
		uint8_t out[static AB_CREDIT_MAX]);

enum ab_wire_result ab_credit_read(const struct ab_wire *w,
		const uint8_t *bytes, size_t len, struct ab_credit *out);

/* Remembers what a record says. A fact is as old as its record, so to tell it again
 * gives it no more time. False: the record is too old, or from a day to come.
 * `cluster_s`: now. */
bool ab_credit_apply(const struct ab_good *g, const struct ab_credit *c,
		uint64_t cluster_s, uint32_t mono, uint32_t good_time);

#endif
