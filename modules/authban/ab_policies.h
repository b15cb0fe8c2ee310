/*
 * authban: named policies, other limits for realms or carriers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A policy changes some of the settings for the attempts that the script judges
 * with its name. An entry remembers the number of the policy of its last failure,
 * so that shares of other proxies are judged by it too.
 *
 * In shared memory one process writes at a time (the caller sees to it) and all read
 * without a lock: a name stays where it is once it is counted, values are atomic one
 * by one. So a number means the same policy until the restart, and a policy that is
 * taken away keeps its place.
 */
#ifndef AB_POLICIES_H
#define AB_POLICIES_H

#include "ab_policy.h"

#include <stdatomic.h>
#include <stdbool.h>

#define AB_POLICIES_MAX 7 /* numbers 1..7; 0 are the settings themselves */
#define AB_POLICY_NAME_LEN 31

/* What a policy may change; in this order in ab_policy_row.value. */
enum ab_policy_field
{
	AB_POLICY_THRESHOLD = 0,
	AB_POLICY_MAX_USERS,
	AB_POLICY_NET_THRESHOLD,
	AB_POLICY_LONG_THRESHOLD,
	AB_POLICY_BAN_TIME,
	AB_POLICY_BAN_TIME_MAX,
	AB_POLICY_FIELDS
};

struct ab_policy_row
{
	char name[AB_POLICY_NAME_LEN + 1];
	_Atomic int value[AB_POLICY_FIELDS]; /* 0: as the settings have it */
	_Atomic bool gone;					 /* taken away: found no more */
	unsigned reading; /* the last that had it; 0: of the configuration */
};

struct ab_policies
{
	_Atomic unsigned count;
	unsigned reading; /* of the file, under way or the last; 0: none yet */
	struct ab_policy_row row[AB_POLICIES_MAX];
};

enum ab_policies_wrong
{
	AB_POLICIES_OK = 0,
	AB_POLICIES_SYNTAX,	 /* not "name: setting=number, setting=number" */
	AB_POLICIES_NAME,	 /* too long, given twice, or with odd characters */
	AB_POLICIES_SETTING, /* unknown, or one that a policy cannot change */
	AB_POLICIES_VALUE,	 /* out of the setting's range */
	AB_POLICIES_FULL,
	AB_POLICIES_WRONGS
};

/*
 * Adds the policy that a text such as "carrier: threshold=50, ban_time=60" describes.
 * `*at` and `*at_len` tell the part of the text that is wrong; `*row` the setting
 * whose range was left (may be NULL otherwise).
 */
enum ab_policies_wrong ab_policies_add(struct ab_policies *p, const char *text,
		const char **at, size_t *at_len, const struct ab_setting **row);

/*
 * A file is read again: begin, each text by ab_policies_add(), end. A name that an
 * earlier reading had gets the new values, one that comes twice or stands in the
 * configuration (what was added before the first begin) is AB_POLICIES_NAME, and one
 * whose text is wrong otherwise keeps what it had.
 * The end takes away what the file has no more, and returns how many policies the
 * file has.
 */
void ab_policies_begin(struct ab_policies *p);
unsigned ab_policies_end(struct ab_policies *p);

/* The number of a name; 0: there is none. */
unsigned ab_policies_find(
		const struct ab_policies *p, const char *name, size_t len);

/* The name of a number; "": there is no such policy, or no more. */
const char *ab_policies_name(const struct ab_policies *p, unsigned number);

/*
 * The settings as policy `number` has them: `set` itself, or *room filled in.
 * p may be NULL; an unknown number is 0. A policy that was taken away changes nothing.
 */
const struct ab_settings *ab_policies_settings(const struct ab_policies *p,
		unsigned number, const struct ab_settings *set,
		struct ab_settings *room);

#endif
