/*
 * authban: settings and the decision
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Pure functions: settings and counts in, verdict and reason out. They know
 * nothing of SIP, of the table, or of other proxies: their failures are in the
 * counts already. The whole policy in words: docs/policy.md.
 */
#ifndef AB_POLICY_H
#define AB_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ab_mode
{
	AB_MODE_OFF = 0, /* ban nobody; the glue does not even count */
	AB_MODE_DRY_RUN, /* count and decide everything, block nothing */
	AB_MODE_BAN
};

/* The widest networks that an operator may ban, or allow: prefix lengths. */
#define AB_WIDEST_BAN_V4 16
#define AB_WIDEST_BAN_V6 32
#define AB_WIDEST_ALLOW_V4 8
#define AB_WIDEST_ALLOW_V6 16

/* The networks that sources are counted in together: prefix lengths. */
#define AB_NETWORK_V4 24
#define AB_NETWORK_V6 48

/* All times in seconds. */
struct ab_settings
{
	int mode;		  /* enum ab_mode */
	int threshold;	  /* failures of one source that ban it */
	int window;		  /* over how long they are counted */
	int ban_time;	  /* the first ban */
	int ban_time_max; /* no ban is longer */
	int memory;		  /* a ban within this time of the last one doubles */
	int grace;		  /* how long an unban is remembered at the least */
	int max_users;	  /* distinct users that may fail at a shared source */
	int net_sources; /* distinct failing sources that put a network under watch */
	int net_threshold; /* threshold of strangers while something is under watch */
	int user_sources; /* distinct failing sources that put a user under watch */
	int long_window;  /* the second window, for the low and slow */
	int long_threshold; /* failures in it that ban */
	int good_time;		/* how long a success makes known-good */
	int pace; /* of strangers where a shared source, network or user is banned:
					one in so many seconds */
	int breaker; /* known-good sources that fail at once and stop new bans; 0: never */
};

/* One row a setting: its name, where it lies, and what it may be. */
struct ab_setting
{
	const char *name;
	size_t offset; /* of an int in struct ab_settings */
	int min, max, preset;
	const char *help;
};

extern const struct ab_setting ab_settings_table[];
extern const size_t ab_settings_count;

/* Fills in the defaults. */
void ab_settings_preset(struct ab_settings *set);

/* The row of a name, or NULL. */
const struct ab_setting *ab_setting_find(const char *name);

/*
 * Checks what one row alone cannot: ban_time <= ban_time_max.
 * Returns NULL, or the row that is wrong together with the others.
 */
const struct ab_setting *ab_settings_check(const struct ab_settings *set);

enum ab_kind
{
	AB_KIND_FREE = 0,
	AB_KIND_SOURCE,	 /* an address, or a network that an operator banned */
	AB_KIND_ALLOW,	 /* an address or network that is never banned; its state
						AB_STATE_BANNED means: in force, _UNBANNED: taken back */
	AB_KIND_PAIR,	 /* a user at a source */
	AB_KIND_NETWORK, /* what the sources of one /24 or /48 do together */
	AB_KIND_USER,	 /* what all sources do to one user */
	AB_KIND_MAX
};

/* How far a network or a user is from peace. */
enum ab_level
{
	AB_LEVEL_NONE = 0,
	AB_LEVEL_WATCHED,	/* strangers have only net_threshold tries */
	AB_LEVEL_RESTRICTED /* and come one by one, each `pace` seconds */
};

/* What is known of an entry when it is judged. */
struct ab_counts
{
	enum ab_kind kind;
	uint32_t failures; /* in the sliding window, all proxies */
	uint32_t own;	   /* of these, counted here */
	uint32_t
			things; /* distinct users of a source; sources of a network, a user */
	uint32_t slow;	 /* level of the leaky bucket over long_window */
	uint8_t repeats; /* bans within `memory` before this one */
	uint32_t spread; /* any number that is the same for this entry on every
						  proxy: gives its bans their jitter */
	/* of the attempt that is judged, not of the entry */
	bool shared;			 /* somebody has logged in from this source */
	bool good;				 /* this very user has */
	enum ab_level net_level; /* of the source's network */
	enum ab_level user_level;
	bool listed; /* the source stands on an imported list */
};

enum ab_verdict
{
	AB_VERDICT_PASS = 0,
	AB_VERDICT_BAN,
	AB_VERDICT_DRY_RUN /* a ban that blocks nobody */
};

/* Why somebody was banned. Texts: ab_reason_name(). */
enum ab_reason
{
	AB_REASON_NONE = 0,
	AB_REASON_THRESHOLD, /* the source reached `threshold` */
	AB_REASON_OPERATOR,	 /* by RPC, without a text of its own */
	AB_REASON_SCRIPT,	 /* by the script, without a text of its own */
	AB_REASON_NETWORK,	 /* net_threshold, in a network under watch */
	AB_REASON_USER_ATTACK, /* the same for a user under watch; a user restricted */
	AB_REASON_SLOW,		   /* `long_threshold` over `long_window` */
	AB_REASON_USERS,	   /* a shared source: more than `max_users` users */
	AB_REASON_PAIR,		   /* a user at a shared source */
	AB_REASON_CAMPAIGN,	   /* a network restricted */
	AB_REASON_STRANGERS, /* a shared source: SLOW, by users who never logged in */
	AB_REASON_FEED,		 /* net_threshold, at an address of an imported list */
	AB_REASON_COUNT
};

/* Reasons and names of proxies are numbers of a table (ab_names.h); entries have
 * 9 bits for one. */
#define AB_NAME_NUMBERS 512u

struct ab_decision
{
	enum ab_verdict verdict;
	enum ab_reason reason;
	uint32_t seconds; /* of the ban */
};

/* docs/policy.md, the table "is banned when". */
struct ab_decision ab_policy_decide(
		const struct ab_settings *set, const struct ab_counts *counts);

/* How near a network or a user is, by its counts alone. */
enum ab_level ab_policy_level(
		const struct ab_settings *set, const struct ab_counts *counts);

/*
 * The limit that a reason speaks of, its name, and the seconds over which was
 * counted: "8 failures in 600 s, limit threshold 8". False for reasons without one.
 */
struct ab_limit
{
	const char *name; /* of the setting */
	int value;
	int window;		  /* seconds */
	const char *unit; /* what is counted: "failures", "users", "sources" */
};

bool ab_policy_limit(const struct ab_settings *set, enum ab_kind kind,
		enum ab_reason reason, struct ab_limit *out);

/* A level of the leaky bucket, `seconds` after the last failure. */
uint32_t ab_policy_leak(
		const struct ab_settings *set, uint32_t level, uint32_t seconds);

/*
 * Length of a ban: ban_time doubled `repeats` times, at most ban_time_max, less
 * up to a sixteenth by `spread` so that a botnet does not come back in one
 * second. The same arguments give the same length on every proxy.
 */
uint32_t ab_policy_ban_seconds(
		const struct ab_settings *set, uint8_t repeats, uint32_t spread);

const char *ab_reason_name(enum ab_reason reason);

#endif
