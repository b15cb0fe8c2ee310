/*
 * authban: named policies, other limits for realms or carriers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A policy changes some of the settings for the attempts that the script judges
 * with its name. An entry remembers the number of the policy of its last failure,
 * so that shares of other proxies are judged by it too.
 */
#ifndef AB_POLICIES_H
#define AB_POLICIES_H

#include "ab_policy.h"

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
	int value[AB_POLICY_FIELDS]; /* 0: as the settings have it */
};

struct ab_policies
{
	unsigned count;
	struct ab_policy_row row[AB_POLICIES_MAX];
};

enum ab_policies_wrong
{
	AB_POLICIES_OK = 0,
	AB_POLICIES_SYNTAX,	 /* not "name: setting=number, setting=number" */
	AB_POLICIES_NAME,	 /* too long, given twice, or with odd characters */
	AB_POLICIES_SETTING, /* unknown, or one that a policy cannot change */
	AB_POLICIES_VALUE,	 /* out of the setting's range */
	AB_POLICIES_FULL
};

/*
 * Adds the policy that a text such as "carrier: threshold=50, ban_time=60" describes.
 * `*at` and `*at_len` tell the part of the text that is wrong; `*row` the setting
 * whose range was left (may be NULL otherwise).
 */
enum ab_policies_wrong ab_policies_add(struct ab_policies *p, const char *text,
		const char **at, size_t *at_len, const struct ab_setting **row);

/* The number of a name; 0: there is none. */
unsigned ab_policies_find(
		const struct ab_policies *p, const char *name, size_t len);

/*
 * The settings as policy `number` has them: `set` itself, or *room filled in.
 * p may be NULL; an unknown number is 0.
 */
const struct ab_settings *ab_policies_settings(const struct ab_policies *p,
		unsigned number, const struct ab_settings *set,
		struct ab_settings *room);

#endif
