/*
 * authban: entries of imported lists
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What others say of addresses is no fact of ours: it lies in a block of its own, of
 * fixed size, and never takes the room of a source. An entry is a network, the list
 * that names it and an end; one network may stand on several lists.
 *
 * Readers take no lock. An entry's word `meta` is 0 while its address is written, and a
 * reader looks at it before and after. Writers (RPC and the sweep) hold the one lock;
 * what an owner who died left behind is counted anew.
 */
#ifndef AB_FEEDS_H
#define AB_FEEDS_H

#include "ab_source.h"

#include <stdatomic.h>

#define AB_FEEDS_MAX 1000000u		  /* entries */
#define AB_FEEDS_LISTS 64u			  /* lists at a time */
#define AB_FEEDS_NAME 32u			  /* bytes of a list's name */
#define AB_FEEDS_TTL_MAX (31 * 86400) /* seconds */

/* The widest networks that a list may name: prefix lengths. */
#define AB_FEEDS_WIDEST_V4 16
#define AB_FEEDS_WIDEST_V6 32

#define AB_FEEDS_WAYS 8u

struct ab_feeds_bucket
{
	_Atomic uint64_t meta[AB_FEEDS_WAYS]; /* 0: free */
	_Atomic uint64_t addr[AB_FEEDS_WAYS][2];
};

struct ab_feeds_row
{
	_Atomic uint64_t name[AB_FEEDS_NAME / 8];
	_Atomic uint32_t entries; /* 0: the row is free */
};

/* The shared block. */
struct ab_feeds
{
	_Atomic uint32_t used;		/* entries, expired ones that lie there too */
	_Atomic uint64_t widths[2]; /* bit n-1: networks of n bits are there */
	_Atomic uint32_t lock;
	uint32_t max;	  /* entries */
	uint32_t buckets; /* fixed */
	uint32_t swept; /* when all was swept for want of room; monotonic seconds */
	uint16_t generation;
	uint8_t key[16];
	uint32_t of_width[129];
	struct ab_feeds_row row[AB_FEEDS_LISTS];
	struct ab_feeds_bucket bucket[];
};

/* Bytes of a block for so many entries, 1 to AB_FEEDS_MAX. */
size_t ab_feeds_bytes(uint32_t entries);

/* Lays it out, before any fork; `key` are 16 random bytes. The memory is aligned for
 * 64 bits. */
void ab_feeds_init(
		struct ab_feeds *f, uint32_t entries, const uint8_t key[static 16]);

/* Whether there is anything at all: one load. f may be NULL. */
static inline bool ab_feeds_any(const struct ab_feeds *f)
{
	return f && atomic_load_explicit(&f->used, memory_order_relaxed) != 0;
}

struct ab_feeds_hit
{
	struct ab_prefix net;
	uint32_t ttl; /* seconds left, 1 and more */
	char list[AB_FEEDS_NAME + 1];
};

/*
 * The narrowest live entry that a source lies in; false: none. `hit` may be NULL.
 * f may be NULL. `now`: monotonic seconds. No lock.
 */
bool ab_feeds_find(const struct ab_feeds *f, const struct ab_prefix *source,
		uint32_t now, struct ab_feeds_hit *hit);

/* A list's name: a-z, 0-9, and . _ - after the first character. */
bool ab_feeds_name_ok(const char *name, size_t len);

/* Whether a network is narrow enough. */
bool ab_feeds_width_ok(const struct ab_prefix *p);

enum ab_feeds_result
{
	AB_FEEDS_ADDED = 0,
	AB_FEEDS_RENEWED, /* it was there; the end is the new one */
	AB_FEEDS_FULL,
	AB_FEEDS_TOO_MANY, /* lists */
	AB_FEEDS_BUSY	   /* the lock could not be had */
};

/*
 * Adds an entry, or gives it another end. The name and width are ok, ttl is 1 to
 * AB_FEEDS_TTL_MAX seconds. `owner`: this process's id. Takes the lock.
 */
enum ab_feeds_result ab_feeds_add(struct ab_feeds *f, const char *list,
		size_t len, const struct ab_prefix *p, uint32_t ttl, uint32_t now,
		uint32_t owner);

/*
 * Drops one entry of a list, or with p NULL all of them. Returns how many, -1 when there
 * is no such list, -2 when the lock could not be had.
 */
long ab_feeds_drop(struct ab_feeds *f, const char *list, size_t len,
		const struct ab_prefix *p, uint32_t owner);

/* Frees what has expired in 1/parts of it; call with a growing `part`. */
void ab_feeds_sweep(struct ab_feeds *f, uint32_t part, uint32_t parts,
		uint32_t now, uint32_t owner);

struct ab_feeds_list
{
	char name[AB_FEEDS_NAME + 1]; /* "": no list */
	uint32_t entries;			  /* live ones */
	uint32_t ttl; /* seconds until the last of them has expired */
};

/* The lists as they are now. Reads everything, without a lock. */
void ab_feeds_lists(const struct ab_feeds *f, uint32_t now,
		struct ab_feeds_list out[static AB_FEEDS_LISTS]);

#endif
