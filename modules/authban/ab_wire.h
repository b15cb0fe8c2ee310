/*
 * authban: records on their way through Redis
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Purpose: turn shares and states into bytes and back. Not its purpose: to
 * decide whether a true record matters (ab_sync, ab_entry do).
 *
 * Every byte read is hostile: length, version, MAC and ranges are checked
 * before anything is used. With a cluster key each record carries a MAC over
 * the cluster's name, the place it is stored at and its content, so it can be
 * neither invented nor moved to another source or window. Without a key records
 * say so, and a reader that has a key refuses them.
 *
 * Numbers are big-endian. What stands in braces decides on which slot a Redis
 * Cluster keeps a key: counts are spread over SHARDS, everything else is on 0.
 *   {PREFIX:SHARD}:c:LENGTH.START:BUCKET   hash of shares of one window;
 *       SHARD is BUCKET modulo the number of shards, which is the same on every
 *       proxy
 *       field: kind 1, prefix length 1, address 4 or up to 16 (of a user: its
 *              hash, 8), of a pair: the user's hash 8, node 4, boot 4,
 *              incarnation 1
 *       value: version 1, flags 1 (signed, shared), count 2, users 4, epoch 4, MAC 8 when signed
 *   {PREFIX:0}:b:BUCKET                hash of states, the truth to load
 *       field: kind, prefix length, address, user; value: a state
 *   {PREFIX:0}:log                     stream of states; entry field "r"
 */
#ifndef AB_WIRE_H
#define AB_WIRE_H

#include "ab_entry.h"
#include "ab_mac.h"
#include "ab_names.h"

#define AB_WIRE_VERSION 2

#define AB_WIRE_PREFIX_MAX 32 /* bytes of a cluster's name */
#define AB_WIRE_KEY_MAX 96	  /* of a Redis key's name, with NUL */
#define AB_WIRE_PLACE_MAX 26  /* kind, prefix length, address, user */
#define AB_WIRE_FIELD_MAX (AB_WIRE_PLACE_MAX + 9)
#define AB_WIRE_SHARE_MAX 20
#define AB_WIRE_STATE_MAX 192

#define AB_WIRE_COUNT_BUCKETS 4096 /* a window; keeps each a listpack */
#define AB_WIRE_MAP_BUCKETS 256
#define AB_WIRE_SHARDS_MAX 64

struct ab_wire
{
	struct ab_mac mac;	   /* sign == NULL: no cluster key */
	struct ab_mac mac_old; /* a second key that is believed, never used to sign;
							  sign == NULL: none */
	char prefix[AB_WIRE_PREFIX_MAX + 1];
	unsigned shards; /* 1..AB_WIRE_SHARDS_MAX; 0 is 1 */
	uint8_t node[4]; /* this proxy: hash of its name */
	uint8_t boot[4]; /* this start of it: random */
};

enum ab_wire_result
{
	AB_WIRE_OK = 0,
	AB_WIRE_LENGTH,			 /* too short, too long, or lengths that disagree */
	AB_WIRE_VERSION_UNKNOWN, /* made by a newer authban */
	AB_WIRE_UNSIGNED,  /* no MAC, and we have a key; or the other way round */
	AB_WIRE_MAC,	   /* forged, moved, or another key */
	AB_WIRE_RANGE,	   /* a value that cannot be */
	AB_WIRE_FORGOTTEN, /* true, but of a proxy that was forgotten (ab_nodes.h) */
	AB_WIRE_TOO_MANY,  /* more of one proxy than are believed in a minute */
	AB_WIRE_RESULTS
};

/* As keys of authban.status. */
const char *ab_wire_result_name(enum ab_wire_result r);

/* What one proxy counted of one source in one window. */
struct ab_share
{
	uint16_t count;
	uint32_t distinct; /* map of users */
	uint32_t epoch;	   /* counted since, cluster seconds */
	bool shared; /* somebody has logged in from this source, at that proxy */
};

/* Bytes that name a source: at the head of a share's field, and the field of
 * the map. Returns the length. */
size_t ab_wire_place(
		const struct ab_key *key, uint8_t out[static AB_WIRE_PLACE_MAX]);

/* Names of Redis keys. `window` is the length, `start` the begin, seconds. */
void ab_wire_count_key(const struct ab_wire *w, const struct ab_key *key,
		uint32_t window, uint32_t start, char out[static AB_WIRE_KEY_MAX]);
void ab_wire_map_key(const struct ab_wire *w, const struct ab_key *key,
		char out[static AB_WIRE_KEY_MAX]);
void ab_wire_map_bucket_key(const struct ab_wire *w, unsigned bucket,
		char out[static AB_WIRE_KEY_MAX]);
void ab_wire_log_key(const struct ab_wire *w, char out[static AB_WIRE_KEY_MAX]);
void ab_wire_mark_key(
		const struct ab_wire *w, char out[static AB_WIRE_KEY_MAX]);

/* Number of the bucket of ab_wire_count_key, 0..AB_WIRE_COUNT_BUCKETS - 1. */
unsigned ab_wire_count_bucket(const struct ab_key *key);

/* The shard of ab_wire_count_key. */
unsigned ab_wire_shard(const struct ab_wire *w, const struct ab_key *key);

/* "{PREFIX:SHARD}", which all keys of a shard begin with. */
void ab_wire_tag(const struct ab_wire *w, unsigned shard,
		char out[static AB_WIRE_KEY_MAX]);

/* The field of this proxy's own share. Returns the length. */
size_t ab_wire_share_field(const struct ab_wire *w, const struct ab_key *key,
		uint8_t incarnation, uint8_t out[static AB_WIRE_FIELD_MAX]);

/* Whether a field is a share of this very start of this proxy. */
bool ab_wire_share_is_own(const struct ab_wire *w, const uint8_t *field,
		size_t len, uint8_t incarnation);

/* The value to a field. Returns the length. */
size_t ab_wire_share_write(const struct ab_wire *w, uint32_t window,
		uint32_t start, const uint8_t *field, size_t field_len,
		const struct ab_share *share, uint8_t out[static AB_WIRE_SHARE_MAX]);

enum ab_wire_result ab_wire_share_read(const struct ab_wire *w, uint32_t window,
		uint32_t start, const uint8_t *field, size_t field_len,
		const uint8_t *value, size_t len, struct ab_share *out);

/*
 * The MAC of a record of another kind: over the label (up to 15 bytes), the cluster,
 * and len bytes (up to AB_WIRE_SIGNED_MAX). Writes AB_WIRE_MAC_LEN bytes, or nothing
 * without a key. Returns how many.
 */
#define AB_WIRE_MAC_LEN 16
#define AB_WIRE_SIGNED_MAX 256
size_t ab_wire_sign(const struct ab_wire *w, const char *label,
		const uint8_t *bytes, size_t len, uint8_t *out);

/* Whether a MAC is that of one of our keys. Only with a key. */
bool ab_wire_fits(const struct ab_wire *w, const char *label,
		const uint8_t *bytes, size_t len,
		const uint8_t mac[static AB_WIRE_MAC_LEN]);

/* A length byte and that many bytes, before `end`; moves *p on. False: there is no
 * such text, or a longer one than AB_NAME_LEN, or one with a NUL. */
bool ab_wire_text(const uint8_t **p, const uint8_t *end,
		char out[static AB_NAME_LEN + 1]);

/* A ban or an unban as proxies tell it each other. */
struct ab_wire_state
{
	struct ab_key key;
	uint8_t state; /* AB_STATE_BANNED or AB_STATE_UNBANNED */
	uint8_t proof, repeats;
	uint64_t version;	 /* cluster ms << 16 | node */
	uint64_t begin, end; /* cluster ms */
	uint16_t failures;
	uint32_t distinct;
	char reason[AB_NAME_LEN + 1], origin[AB_NAME_LEN + 1];
};

size_t ab_wire_state_write(const struct ab_wire *w,
		const struct ab_wire_state *state,
		uint8_t out[static AB_WIRE_STATE_MAX]);

enum ab_wire_result ab_wire_state_read(const struct ab_wire *w,
		const uint8_t *bytes, size_t len, struct ab_wire_state *out);

#endif
