/*
 * authban: what a proxy knows, as bytes that outlive it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Purpose: content to bytes and back, in a stream, with one buffer. Not its purpose:
 * files (the glue), and whether a state still matters (ab_sync).
 *
 * Numbers are big-endian.
 *   prologue  magic 8, version 1, flags 1, zero 6
 *   frame     type 1, length 4, payload, MAC 32
 * The first frame is the head, the last one the end; between them facts and states.
 * A MAC covers the MAC of the frame before (of the first: the prologue and zeros), so
 * no frame can be changed, moved, left out or cut off. The key is one of the cluster
 * key; without a cluster key it is a fixed one, and the MAC is a checksum.
 *
 * Nothing of a frame is told before its MAC is checked. A reader who has to have all
 * or nothing reads twice: first without facts and states.
 */
#ifndef AB_SNAPSHOT_H
#define AB_SNAPSHOT_H

#include "ab_mac.h"
#include "ab_recent.h"
#include "ab_wire.h"

#define AB_SNAPSHOT_VERSION 1
#define AB_SNAPSHOT_AGE_MAX (30 * 86400) /* s; nothing in it lasts longer */
#define AB_SNAPSHOT_PAYLOAD 32768		 /* bytes of a frame at most */
#define AB_SNAPSHOT_FACT 12				 /* bytes of a fact */

#define AB_SNAPSHOT_FRAME_HEAD 5
#define AB_SNAPSHOT_FRAME \
	(2 * AB_MAC_LEN + AB_SNAPSHOT_FRAME_HEAD + AB_SNAPSHOT_PAYLOAD)

/* A moment on every clock; milliseconds. */
struct ab_snapshot_moment
{
	uint64_t cluster_ms, wall_ms, mono_ms;
	uint8_t boot
			[16]; /* of the machine, while mono_ms counts on; zero: unknown */
};

struct ab_snapshot_head
{
	struct ab_snapshot_moment at; /* when the writing began */
	bool cluster_clock;			  /* cluster_ms was Redis's, not our wall's */
	uint8_t good_key[16];		  /* of the facts (ab_good.h) */
	uint8_t user_key[16]; /* of users' hashes; zero with a cluster key */
	uint32_t lines;		  /* of the set that the facts lay in */
};

/* A MAC, and whether its key is a secret of the cluster. */
struct ab_snapshot_mac
{
	struct ab_mac mac;
	bool keyed;
};

/*
 * Milliseconds since the head was written, never negative. The wall clock may have
 * jumped: within one boot of the machine the monotonic clock is asked instead.
 */
uint64_t ab_snapshot_elapsed(const struct ab_snapshot_head *head,
		const struct ab_snapshot_moment *now);

/* --- writing --- */

struct ab_snapshot_writer
{
	struct ab_snapshot_mac mac;
	/* takes bytes; false: they could not be kept, and nothing more is written */
	bool (*put)(void *arg, const uint8_t *bytes, size_t len);
	void *arg;
	/* private */
	bool failed;
	uint8_t type;
	uint32_t facts, states;
	size_t used;					  /* bytes of payload */
	uint8_t frame[AB_SNAPSHOT_FRAME]; /* MAC before, head, payload, MAC */
};

/* mac, put and arg are set. */
void ab_snapshot_begin(
		struct ab_snapshot_writer *w, const struct ab_snapshot_head *head);
void ab_snapshot_put_fact(
		struct ab_snapshot_writer *w, const struct ab_fact *fact);
/* A record of ab_wire_state_write(), unsigned. */
void ab_snapshot_put_state(
		struct ab_snapshot_writer *w, const uint8_t *record, size_t len);
/* False: something could not be written. */
bool ab_snapshot_end(struct ab_snapshot_writer *w);

/* --- reading --- */

enum ab_snapshot_result
{
	AB_SNAPSHOT_OK = 0,
	AB_SNAPSHOT_FOREIGN, /* not one of ours at all */
	AB_SNAPSHOT_NEWER,	 /* of a newer authban */
	AB_SNAPSHOT_KEY,	 /* made with a cluster key, and we have none; or not */
	AB_SNAPSHOT_SHORT,	 /* ends too early */
	AB_SNAPSHOT_MAC,	 /* changed, or another cluster's */
	AB_SNAPSHOT_CONTENT, /* a true MAC, but content that cannot be */
	AB_SNAPSHOT_STOPPED, /* go_on said so */
	AB_SNAPSHOT_RESULTS
};

/* In words: "it ..." */
const char *ab_snapshot_result_name(enum ab_snapshot_result r);

struct ab_snapshot_reader
{
	struct ab_snapshot_mac mac;
	/* gives exactly n bytes; false: there are no more */
	bool (*get)(void *arg, uint8_t *out, size_t n);
	/* what is told; any may be NULL */
	void (*head)(void *arg, const struct ab_snapshot_head *head);
	void (*fact)(void *arg, const struct ab_fact *fact);
	void (*state)(void *arg, const uint8_t *record, size_t len);
	bool (*go_on)(void *arg); /* asked before each frame */
	void *arg;
	/* private */
	uint32_t facts, states;
	uint8_t frame[AB_SNAPSHOT_FRAME];
};

/* mac, get, arg and the others are set. Reads from the first byte to the last. */
enum ab_snapshot_result ab_snapshot_read(struct ab_snapshot_reader *r);

#endif
