/*
 * authban: settings and the decision
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A pure function: settings and counts in, verdict and reason out. It knows
 * nothing of SIP, of the table, or of other proxies: their failures are in the
 * counts already.
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

/* What is known of a source when it is judged. */
struct ab_counts
{
	uint32_t failures; /* in the sliding window, all proxies */
	uint32_t own;	   /* of these, counted here */
	uint32_t users;	   /* distinct users that failed */
	uint8_t repeats;   /* bans within `memory` before this one */
	uint32_t spread;   /* any number that is the same for this source on every
						  proxy: gives its bans their jitter */
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
	AB_REASON_COUNT
};

struct ab_decision
{
	enum ab_verdict verdict;
	enum ab_reason reason;
	uint32_t seconds; /* of the ban */
};

struct ab_decision ab_policy_decide(
		const struct ab_settings *set, const struct ab_counts *counts);

/*
 * Length of a ban: ban_time doubled `repeats` times, at most ban_time_max, less
 * up to a sixteenth by `spread` so that a botnet does not come back in one
 * second. The same arguments give the same length on every proxy.
 */
uint32_t ab_policy_ban_seconds(
		const struct ab_settings *set, uint8_t repeats, uint32_t spread);

const char *ab_reason_name(enum ab_reason reason);

#endif
