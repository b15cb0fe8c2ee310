/*
 * authban: docs/policy.md once more, slow and plain
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Lists that are searched from one end to the other, events that are kept and
 * added up each time they are asked for. Written from the text, not from the core.
 * What it shares with the core are formulas that are published: windows
 * (ab_window.h), distinct things (ab_distinct.h), the hash of a source in their
 * maps, and how often the time of a fact is renewed (ab_recent.c).
 */
#ifndef POLICY_MODEL_H
#define POLICY_MODEL_H

#include "ab_guard.h"

#define MODEL_ROWS 160
#define MODEL_EVENTS 400
#define MODEL_FACTS 256

/* The entry's name: a source (or network banned by hand), a source with a user, a
 * network that is counted, a user. */
struct model_name
{
	enum ab_found kind;
	struct ab_prefix at; /* users: all zero */
	uint64_t user;		 /* pairs and users, else 0 */
};

struct model_event
{
	uint32_t window; /* number of the window, in cluster time */
	uint32_t weight;
	uint32_t map; /* the bit of the thing, 0: none */
};

/* What other proxies counted in one window, as last heard. */
struct model_share
{
	uint32_t window, count, map;
};

struct model_row
{
	struct model_name name;
	unsigned policy; /* of the last failure */
	struct model_event event[MODEL_EVENTS];
	unsigned events;
	struct model_share share[MODEL_EVENTS];
	unsigned shares;
	uint32_t level, level_at; /* slow level at its last failure */
	enum ab_state state;
	enum ab_reason reason;
	bool by_hand;	 /* by an operator or the script */
	uint32_t until;	 /* end of the state, monotonic seconds */
	uint32_t window; /* in which a ban was made: its counts stand still */
	uint32_t bans;	 /* within memory */
	uint32_t ended;	 /* when the last ban did */
	uint32_t let_at; /* the last stranger that was let through */
	bool let;
	bool paired; /* a source: a stranger failed there while it was shared */
	bool voided; /* by its source's unban, and nothing since */
};

struct model_fact
{
	enum
	{
		MODEL_FACT_PAIR,
		MODEL_FACT_SOURCE,
		MODEL_FACT_FLOW,
		MODEL_FACT_FAILED /* a stranger's, at a banned source */
	} what;
	struct ab_party who; /* fields that do not matter are 0 */
	uint32_t at;
};

struct model_breaker
{
	bool open;
	struct
	{
		uint32_t at;
		uint64_t source; /* 0: a success */
		uint64_t user;
	} told[MODEL_EVENTS * 2];
	unsigned n;
};

struct model
{
	struct ab_settings set;
	const struct ab_policies *policies; /* what named policies change */
	uint8_t hash_key[16];
	uint32_t mono, cluster_s;
	struct model_row row[MODEL_ROWS];
	unsigned rows;
	struct model_fact fact[MODEL_FACTS];
	unsigned facts;
	struct ab_prefix allowed[8];
	unsigned n_allowed;
	struct model_breaker breaker;
};

/* What a failure does. `news`: by this very attempt. */
struct model_found
{
	bool touched, news;
	const struct model_row *row;
};

struct model_findings
{
	struct model_found entry[AB_FOUND_COUNT];
	bool good, shared, suspended, breaker_changed, banned;
};

/* What is known of a row, worked out now. */
struct model_counts
{
	uint32_t failures, things, level, repeats, ttl;
};

struct model_answer
{
	enum ab_guard_verdict verdict; /* PASS, SOURCE or PAIR */
	bool dry;
};

void model_begin(struct model *m, const struct ab_settings *set,
		const struct ab_policies *policies, const uint8_t hash_key[static 16]);

/* Sets the clocks; what is over ends. */
void model_time(struct model *m, uint32_t mono, uint32_t cluster_s);

void model_failure(struct model *m, const struct ab_failure *f,
		struct model_findings *out);
/* Returns whether the breaker closed. */
bool model_success(struct model *m, const struct ab_party *who);
bool model_tick(struct model *m);

/* Shares of others for the windows number `window` and the one before. */
struct model_found model_others(struct model *m, const struct model_name *name,
		uint32_t window, const uint32_t count[static 2],
		const uint32_t map[static 2], bool late);

void model_ban(struct model *m, const struct model_name *name, uint32_t seconds,
		enum ab_reason reason);
/* A ban that another proxy's policy made just now; `failures` and `map`: what for,
 * `bans`: within memory. */
struct model_heard
{
	enum ab_reason reason;
	uint32_t seconds, failures, map, bans;
};
void model_hear(struct model *m, const struct model_name *name,
		const struct model_heard *h);
/* False: nothing is known of it. */
bool model_unban(struct model *m, const struct model_name *name);
void model_allow(struct model *m, const struct ab_prefix *net);

/* `who` NULL: a message without credentials. */
struct model_answer model_message(struct model *m, const struct ab_addr *addr,
		const struct ab_prefix *source, const struct ab_party *who);

struct model_row *model_row(struct model *m, const struct model_name *name);
struct model_counts model_counts(
		const struct model *m, const struct model_row *w);

struct model_name model_source(const struct ab_prefix *source);
struct model_name model_pair(const struct ab_prefix *source, uint64_t user);
struct model_name model_user(uint64_t user);
/* False when the source is as wide as its network. */
bool model_network(const struct ab_prefix *source, struct model_name *out);

/* The longest and the shortest that this ban may be. */
struct model_length
{
	uint32_t min, max;
};
struct model_length model_length(
		const struct model *m, const struct model_row *w, bool good);

/* Whether the user of a pair is known-good there. */
bool model_good(struct model *m, const struct model_name *pair);

/* How long until no fact is so old that the text leaves open whether it holds. */
uint32_t model_doubt(const struct model *m);

/* --- between the files of the model --- */

bool model_allows(const struct model *m, const struct ab_addr *addr);
bool model_for_some_of_many(const struct model_row *w);
bool model_in_grace(struct model *m, const struct ab_prefix *source);

bool model_same_prefix(const struct ab_prefix *a, const struct ab_prefix *b);
struct model_row *model_row_made(
		struct model *m, const struct model_name *name);
bool model_is_banned(const struct model_row *w);
uint32_t model_window(const struct model *m);
void model_add_level(
		const struct model *m, struct model_row *w, uint32_t weight);
/* `slow`: of the weight, what the slow level grows by. */
void model_count(const struct model *m, struct model_row *w, uint32_t weight,
		uint32_t slow, uint32_t map);
uint64_t model_source_hash(const struct model *m, const struct ab_prefix *s);
bool model_knows(struct model *m, const struct ab_party *who, int what);
void model_learn(struct model *m, const struct ab_party *who, int what);
void model_forget_flow(struct model *m, const struct ab_party *who);
/* `source` 0: a success. Returns whether it opened or closed. */
bool model_tell_breaker(struct model *m, uint64_t source, uint64_t user);

#endif
