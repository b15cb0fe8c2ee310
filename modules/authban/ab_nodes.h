/*
 * authban: the proxies of the cluster, and which of them is not believed
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Two lists in shared memory. The starts of proxies, as each announces itself: who
 * is there, which version it speaks, how many records in its name were refused. And
 * the forgotten ones: what such a proxy said up to a moment does not count, nor what
 * it says afterwards, until it is started anew and has said so.
 *
 * A name tells a proxy; 4 bytes of its hash stand in shares. A start has 4 random
 * bytes (boot).
 *
 * Only the sync process writes the list of starts; whoever forgets a proxy writes
 * the other. A lock guards both, for bounded memory work; the path of a packet
 * touches neither.
 *
 * In Redis (ab_wire.h has the rest):
 *   {PREFIX:0}:nodes    hash; field: node 4, boot 4; value: version 1, flags 1,
 *       start 8, moment 8, name, module's version; what a later version adds; MAC 16.
 *       Up to there it is the same in every version, so that the others can tell
 *       whom they do not understand.
 *   {PREFIX:0}:forget   hash; field: node 4; value as in the log: version 1, flags 1,
 *       kind 0xf0, forgotten at 8, back since 8, boot 4, start of it 8, name, by whom;
 *       MAC 16
 */
#ifndef AB_NODES_H
#define AB_NODES_H

#include "ab_table.h"
#include "ab_wire.h"

#define AB_NODES_MAX 256	/* starts that are kept; more are counted */
#define AB_FORGOTTEN_MAX 64 /* proxies */
#define AB_NODES_TOLD 256	/* rows for the changes of a minute */

#define AB_NODE_STALE 20000		 /* ms without news: it is gone */
#define AB_NODE_DROP 60000		 /* ms: nobody need keep it */
#define AB_FORGET_MAX_S 2592000u /* 30 days: then no heard ban is left of it */

#define AB_NODE_MODULE_LEN 15
#define AB_NODE_RECORD_MAX 192

/* One start of one proxy, as it announced itself. Times: cluster ms. */
struct ab_node
{
	uint64_t start, seen;
	uint8_t id[4], boot[4];
	uint32_t refused; /* records in its name, by us */
	uint8_t wire;	  /* the AB_WIRE_VERSION that it speaks */
	bool twin;		  /* another proxy that runs has the same name */
	char name[AB_NAME_LEN + 1];
	char module[AB_NODE_MODULE_LEN + 1];
};

/* What is not believed of a proxy. Times: cluster ms. */
struct ab_forgotten
{
	uint8_t id[4];
	uint64_t at;	  /* all until then; 0: the row is free */
	uint64_t back;	  /* and all until then; 0: it has not come back */
	uint8_t boot[4];  /* the start whose shares count again */
	uint64_t started; /* when that was */
	bool unsent;	  /* made here, to be told */
	char name[AB_NAME_LEN + 1], by[AB_NAME_LEN + 1];
};

struct ab_nodes
{
	_Atomic uint32_t lock;
	_Atomic uint32_t n_forgotten; /* rows in use: 0 costs no lock */
	_Atomic uint32_t unsent;	  /* something is to be told */
	uint32_t n, more;			  /* starts kept, starts without room */
	struct ab_node row[AB_NODES_MAX];
	struct ab_forgotten forgotten[AB_FORGOTTEN_MAX];
	/* changes of this minute by origin (two may share a row); the sync process
	 * alone */
	struct ab_told
	{
		uint32_t minute, count;
	} told[AB_NODES_TOLD];
};

/* Bytes that stand for a name. */
void ab_node_id(const char *name, uint8_t id[static 4]);

/* --- records --- */

/* Returns the length. */
size_t ab_node_write(const struct ab_wire *w, const struct ab_node *node,
		uint8_t out[static AB_NODE_RECORD_MAX]);

/* `field` is that of the hash, 8 bytes. A later version than ours is no error. */
enum ab_wire_result ab_node_read(const struct ab_wire *w, const uint8_t *field,
		size_t field_len, const uint8_t *bytes, size_t len,
		struct ab_node *out);

size_t ab_forget_write(const struct ab_wire *w, const struct ab_forgotten *f,
		uint8_t out[static AB_NODE_RECORD_MAX]);

/* Whether a record of the log is one of these; else it is a state. */
bool ab_forget_is(const uint8_t *bytes, size_t len);

enum ab_wire_result ab_forget_read(const struct ab_wire *w,
		const uint8_t *bytes, size_t len, struct ab_forgotten *out);

/* --- who is there; `owner` as in ab_table.h --- */

/* The list as it was read from Redis just now: the starts that live, in any order.
 * What was refused of those that were known is kept; twins are marked. */
void ab_nodes_replace(struct ab_nodes *nodes, uint32_t owner,
		const struct ab_node *rows, uint32_t n, uint32_t more);

/* A record in the name of this start was refused. */
void ab_nodes_refused(struct ab_nodes *nodes, uint32_t owner,
		const uint8_t id[static 4], const uint8_t boot[static 4]);

/* A copy of row i; false: there is none. */
bool ab_nodes_get(struct ab_nodes *nodes, uint32_t owner, uint32_t i,
		struct ab_node *out);

/* --- who is not believed --- */

/*
 * Takes over a record. Any order and any repeat of records of one proxy leaves the
 * same. Returns true when more is to be forgotten than before: then the table has to
 * be cleaned (ab_forget_in_table()).
 */
bool ab_nodes_forget(struct ab_nodes *nodes, uint32_t owner,
		const struct ab_forgotten *f, uint64_t now_ms);

/* Whether this proxy is in the list; the row is copied. */
bool ab_nodes_forgotten(struct ab_nodes *nodes, uint32_t owner,
		const uint8_t id[static 4], struct ab_forgotten *out);

/* Takes the next row that is to be told. False: there is none. */
bool ab_nodes_take_unsent(
		struct ab_nodes *nodes, uint32_t owner, struct ab_forgotten *out);

/* Whether a state (origin, moment of its version) or a share of it counts. */
bool ab_nodes_believes_state(struct ab_nodes *nodes, uint32_t owner,
		const char *origin, uint64_t version);
bool ab_nodes_believes_share(struct ab_nodes *nodes, uint32_t owner,
		const uint8_t id[static 4], const uint8_t boot[static 4]);

/* Cluster second of the last forgetting; 0: none. On every proxy what was counted
 * before it does not count any more. */
uint32_t ab_nodes_floor(struct ab_nodes *nodes, uint32_t owner);

/*
 * One more change by this origin has taken effect. Returns how many that makes in
 * this minute (of cluster time); with `count` false none is added.
 */
uint32_t ab_nodes_told(struct ab_nodes *nodes, const char *origin,
		uint64_t now_ms, bool count);

/*
 * Drops what a proxy has contributed: states of that origin and of a version up to
 * `at` (ms), and, since sums do not tell who counted, the counts of everything that
 * is not banned by somebody else: they begin anew, on every proxy from the same
 * moment. Adds to *out.
 */
struct ab_dropped
{
	uint32_t bans, unbans, allowed; /* states; of pairs, networks, users too */
	uint32_t counts;				/* entries that begin anew */
};

void ab_forget_in_table(const struct ab_table *t, const struct ab_settings *set,
		const struct ab_now *now, const char *name, uint64_t at,
		struct ab_dropped *out);

#endif
