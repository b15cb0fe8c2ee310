/*
 * authban: what is kept of an offender, to be shown to others
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Purpose: when, from where and how a source failed, without content: no password, no
 * digest response, no nonce, no body, and no readable user unless the caller says so.
 * Not its purpose: to decide anything. Nothing here bans, and what is missing here
 * frees nobody.
 *
 * A fixed arena of records in sets of eight, found by a keyed hash of the source, each
 * set under a lock of its own (ab_lock.h), apart from the table. In a full set the
 * record of least worth gives way: no ban, then a ban that is over, then a live one,
 * the oldest first; a source without a ban takes no place from a live ban.
 *
 * Invariants
 * - Only a failure whose sender has proved its address makes a record: the caller
 *   passes no other (ab_evidence_failure() refuses them).
 * - A record is gone `ttl` seconds after its last failure, a sample `ttl` seconds after
 *   it was taken: at once for readers, and from memory by ab_evidence_sweep().
 */
#ifndef AB_EVIDENCE_H
#define AB_EVIDENCE_H

#include "ab_digest.h"
#include "ab_entry.h"

#define AB_EVIDENCE_MAX 65536 /* offenders; 1 KiB each */
#define AB_EVIDENCE_SAMPLES \
	8 /* the first seven failures, and the last that banned */
#define AB_EVIDENCE_AGENT 64 /* bytes of a User-Agent, escapes included */
#define AB_EVIDENCE_NAME 24	 /* bytes of a user's name, where it may be kept */
#define AB_EVIDENCE_SCAN \
	4096 /* bytes of a message in which User-Agent is looked for */

enum ab_transport
{
	AB_TRANSPORT_OTHER = 0,
	AB_TRANSPORT_UDP,
	AB_TRANSPORT_TCP,
	AB_TRANSPORT_TLS,
	AB_TRANSPORT_WS,
	AB_TRANSPORT_WSS,
	AB_TRANSPORT_SCTP,
	AB_TRANSPORT_COUNT
};

enum ab_method
{
	AB_METHOD_OTHER = 0,
	AB_METHOD_REGISTER,
	AB_METHOD_INVITE,
	AB_METHOD_OPTIONS,
	AB_METHOD_SUBSCRIBE,
	AB_METHOD_PUBLISH,
	AB_METHOD_MESSAGE,
	AB_METHOD_REFER,
	AB_METHOD_NOTIFY,
	AB_METHOD_INFO,
	AB_METHOD_UPDATE,
	AB_METHOD_BYE,
	AB_METHOD_COUNT
};

enum ab_guess
{
	AB_GUESS_PASSWORD = 0, /* wrong password */
	AB_GUESS_USER,		   /* no such user */
	AB_GUESS_MALFORMED,
	AB_GUESS_SCRIPT, /* found by the script */
	AB_GUESS_COUNT
};

/* Fixed words: "udp", "REGISTER", "wrong_password". */
const char *ab_transport_name(unsigned transport);
const char *ab_method_name(unsigned method);
const char *ab_guess_name(unsigned guess);

struct ab_evidence_sample
{
	uint64_t time : 48; /* ms since 1970, UTC */
	uint64_t guess : 8, method : 8;
	uint64_t user; /* keyed hash; 0: none */
	/* printable ASCII, filled up with NULs, none behind a full one */
	char name[AB_EVIDENCE_NAME]; /* only where users may be readable */
	char agent[AB_EVIDENCE_AGENT];
};

/* Of a record. */
#define AB_EVIDENCE_CAMPAIGN 0x01u /* its network was under watch, last time */
#define AB_EVIDENCE_IMPORTED 0x02u /* known from other nodes only */
#define AB_EVIDENCE_CHANGED 0x04u  /* since it was told to others */

struct ab_evidence_record
{
	struct ab_addr source, address, local;
	uint64_t first, last; /* ms since 1970, UTC */
	uint64_t incident;	  /* keyed hash of source and `first` */
	uint32_t seen;		  /* monotonic seconds of `last` */
	uint32_t ban_until;	  /* monotonic seconds; 0: not banned by policy */
	uint32_t ban_seconds; /* of the last ban */
	uint32_t told;		  /* to others, monotonic seconds; 0: never */
	uint32_t failures;
	uint32_t guesses[AB_GUESS_COUNT]; /* their sum is `failures` */
	uint32_t methods[AB_METHOD_COUNT];
	uint32_t users; /* map of distinct ones (ab_distinct.h) */
	uint16_t port, local_port;
	uint16_t reason, origin, bans; /* numbers of ab_names; bans by the policy */
	uint8_t source_len, transport, proof, samples, flags;
	struct ab_evidence_sample sample[AB_EVIDENCE_SAMPLES];
};

_Static_assert(
		sizeof(struct ab_evidence_record) <= 1024, "the manual says 1 KiB");

/* One failure that was counted. */
struct ab_evidence_event
{
	struct ab_prefix source;
	struct ab_addr address, local;
	uint16_t port, local_port;
	uint16_t origin; /* this node's number in ab_names */
	enum ab_transport transport;
	enum ab_proof proof;
	enum ab_guess guess;
	enum ab_method method;
	uint32_t weight;		 /* counts as so many */
	uint64_t user;			 /* keyed hash, the same for ever; 0: none */
	const uint8_t *user_key; /* hides it in samples, 16 bytes; NULL: as it is */
	struct ab_span name;	 /* kept in samples; empty: none */
	struct ab_span agent;	 /* the User-Agent; empty: look into the message */
	struct ab_span message;	 /* the request; empty: its agent is all there is */
	uint64_t wall_ms;		 /* now: ms since 1970, UTC */
	uint32_t mono;			 /* now: monotonic seconds */
	bool banned;			 /* this failure has banned */
	bool campaign;
};

struct ab_evidence_head;

/* The arena as one process sees it. */
struct ab_evidence
{
	struct ab_evidence_head *head; /* NULL: nothing is kept */
	uint32_t owner;				   /* of locks: the process's id */
	uint32_t ttl;				   /* seconds */
};

/* Bytes for so many offenders (rounded up to sets, a power of two). */
size_t ab_evidence_bytes(uint32_t offenders);

/* Lays an empty arena into that much memory, aligned to 64 bytes; `key`, 16 bytes,
 * names places and incidents. Before any fork. */
void ab_evidence_init(
		void *mem, uint32_t offenders, const uint8_t key[static 16]);

/* Keeps a failure; false: not proven, no lock, or everything there is worth more. */
bool ab_evidence_failure(
		const struct ab_evidence *e, const struct ab_evidence_event *ev);

/* The policy has banned a source for so many seconds; nothing happens where no failure
 * of it is kept first hand. */
void ab_evidence_ban(const struct ab_evidence *e,
		const struct ab_prefix *source, uint32_t mono, uint32_t seconds,
		uint16_t reason);

/* Its bans were lifted: as if there had been none. */
void ab_evidence_unban(
		const struct ab_evidence *e, const struct ab_prefix *source);

/* A copy of what is kept of one source; false: nothing. */
bool ab_evidence_get(const struct ab_evidence *e,
		const struct ab_prefix *source, uint32_t mono,
		struct ab_evidence_record *out);

/* What another node keeps (flags, samples and seen are not looked at), heard of when
 * `age` seconds have passed since its last failure. What was seen first hand stays. */
bool ab_evidence_import(const struct ab_evidence *e,
		const struct ab_evidence_record *r, uint32_t mono, uint32_t age);

/*
 * Takes what others are to be told: records of sources that were banned, seen first
 * hand, that have changed since they were told `pause` seconds ago; at once, when the
 * ban was lifted. They count as told from now on. Returns how many, up to max; the rest is due the next time.
 */
size_t ab_evidence_take_due(const struct ab_evidence *e, uint32_t mono,
		uint32_t pause, struct ab_evidence_record *out, size_t max);

/* They have forgotten: all of it is due again. */
void ab_evidence_tell_again(const struct ab_evidence *e);

/* A record's place, for lists. */
struct ab_evidence_place
{
	uint64_t last;
	uint32_t place;
};

/* How many places there are. */
uint32_t ab_evidence_places(const struct ab_evidence *e);

/* Notes the place of each record, up to max; returns how many. */
size_t ab_evidence_list(const struct ab_evidence *e, uint32_t mono,
		struct ab_evidence_place *out, size_t max);

/* A copy of the record at a place; false: there is none any more. */
bool ab_evidence_at(const struct ab_evidence *e, uint32_t place, uint32_t mono,
		struct ab_evidence_record *out);

/* Forgets one source. Returns whether there was anything. */
bool ab_evidence_erase(
		const struct ab_evidence *e, const struct ab_prefix *source);

/* Forgets all samples of a user: those of which `is` says so (under a lock: no I/O).
 * Returns how many. */
unsigned ab_evidence_erase_user(const struct ab_evidence *e,
		bool (*is)(void *arg, const struct ab_evidence_sample *s), void *arg);

/* The name that some sample has for a user's hash, NUL-terminated; false: none. */
bool ab_evidence_name(const struct ab_evidence *e, uint64_t user, uint32_t mono,
		char out[static AB_EVIDENCE_NAME + 1]);

/* Takes out of memory, in 1/parts of the arena, what is older than ttl. */
void ab_evidence_sweep(const struct ab_evidence *e, uint32_t part,
		uint32_t parts, uint64_t wall_ms, uint32_t mono);

struct ab_evidence_stats
{
	uint32_t capacity, used;
	uint64_t evicted, refused;
};

void ab_evidence_get_stats(
		const struct ab_evidence *e, struct ab_evidence_stats *out);

#endif
