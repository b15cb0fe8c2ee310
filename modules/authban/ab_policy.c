/*
 * authban: settings and the decision
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_policy.h"

#include <string.h>

#define DAY 86400

/* clang-format off */
#define SETTING(field, min, max, preset, help) \
	{#field, offsetof(struct ab_settings, field), min, max, preset, help}

const struct ab_setting ab_settings_table[] = {
	SETTING(mode, AB_MODE_OFF, AB_MODE_BAN, AB_MODE_BAN,
			"0 off, 1 dry_run, 2 ban"),
	SETTING(threshold, 1, 10000, 8,
			"failures of one source within the window that ban it"),
	SETTING(window, 1, DAY, 600,
			"seconds over which failures are counted"),
	SETTING(ban_time, 1, 7 * DAY, 600,
			"seconds of the first ban; each repeat doubles it"),
	SETTING(ban_time_max, 1, 30 * DAY, DAY,
			"seconds of the longest ban"),
	SETTING(memory, 0, 30 * DAY, DAY,
			"seconds during which an earlier ban doubles the next"),
	SETTING(grace, 1, DAY, 300,
			"seconds for which an unban is remembered at the least"),
	SETTING(max_users, 1, 80, 5,
			"distinct users that may fail at a source where others log in"),
	SETTING(net_sources, 1, 50, 8,
			"distinct failing sources that put a network under watch"),
	SETTING(net_threshold, 1, 10000, 2,
			"failures that ban a stranger while his network or user is"
			" under watch"),
	SETTING(user_sources, 1, 50, 20,
			"distinct failing sources that put a user under watch"),
	SETTING(long_window, 60, 7 * DAY, DAY,
			"seconds of the long window, for the low and slow"),
	SETTING(long_threshold, 1, 200, 20,
			"failures within the long window that ban"),
	SETTING(good_time, 60, 30 * DAY, DAY,
			"seconds for which a success makes a user known-good"),
	SETTING(pace, 1, 3600, 60,
			"seconds between two strangers that are let through to a shared"
			" source, network or user under attack"),
	SETTING(breaker, 0, 200, 10,
			"known-good sources failing within a minute that stop new bans;"
			" 0 never"),
};
/* clang-format on */

const size_t ab_settings_count =
		sizeof(ab_settings_table) / sizeof(ab_settings_table[0]);

static int setting_value(
		const struct ab_settings *set, const struct ab_setting *row)
{
	int value;

	memcpy(&value, (const char *)set + row->offset, sizeof(value));
	return value;
}

void ab_settings_preset(struct ab_settings *set)
{
	size_t i;

	for(i = 0; i < ab_settings_count; i++)
		memcpy((char *)set + ab_settings_table[i].offset,
				&ab_settings_table[i].preset, sizeof(int));
}

const struct ab_setting *ab_setting_find(const char *name)
{
	size_t i;

	for(i = 0; i < ab_settings_count; i++)
		if(strcmp(ab_settings_table[i].name, name) == 0)
			return &ab_settings_table[i];
	return NULL;
}

const struct ab_setting *ab_settings_check(const struct ab_settings *set)
{
	size_t i;

	for(i = 0; i < ab_settings_count; i++) {
		int value = setting_value(set, &ab_settings_table[i]);

		if(value < ab_settings_table[i].min || value > ab_settings_table[i].max)
			return &ab_settings_table[i];
	}
	if(set->ban_time > set->ban_time_max)
		return ab_setting_find("ban_time");
	return NULL;
}

uint32_t ab_policy_ban_seconds(
		const struct ab_settings *set, uint8_t repeats, uint32_t spread)
{
	uint64_t seconds = (uint64_t)set->ban_time << (repeats < 24 ? repeats : 24);
	uint64_t max = (uint64_t)set->ban_time_max;

	if(seconds > max)
		seconds = max;
	return (uint32_t)(seconds - spread % (seconds / 16 + 1));
}

/* Of a watched network or user: where it becomes restricted. */
static uint32_t restricted_from(int watched_from)
{
	return (uint32_t)(watched_from + watched_from / 2);
}

enum ab_level ab_policy_level(
		const struct ab_settings *set, const struct ab_counts *c)
{
	int limit =
			c->kind == AB_KIND_NETWORK ? set->net_sources : set->user_sources;

	if(c->things > restricted_from(limit))
		return AB_LEVEL_RESTRICTED;
	return c->things > (uint32_t)limit ? AB_LEVEL_WATCHED : AB_LEVEL_NONE;
}

/* Who allows many failures in the short window means more in the long one too.
 * Levels have eight bits; a limit that they cannot reach is none. */
static uint32_t slow_limit(const struct ab_settings *set)
{
	uint32_t limit = (uint32_t)set->threshold * 5 / 2;

	if(limit < (uint32_t)set->long_threshold)
		limit = (uint32_t)set->long_threshold;
	return limit;
}

static enum ab_reason judge_source(
		const struct ab_settings *set, const struct ab_counts *c)
{
	if(c->shared && c->things > (uint32_t)set->max_users)
		return AB_REASON_USERS;
	if(c->shared) /* its slow level counts strangers only */
		return c->slow >= slow_limit(set) ? AB_REASON_STRANGERS
										  : AB_REASON_NONE;
	if(c->failures >= (uint32_t)set->threshold)
		return AB_REASON_THRESHOLD;
	if(c->failures >= (uint32_t)set->net_threshold
			&& c->net_level != AB_LEVEL_NONE)
		return AB_REASON_NETWORK;
	if(c->failures >= (uint32_t)set->net_threshold
			&& c->user_level != AB_LEVEL_NONE)
		return AB_REASON_USER_ATTACK;
	if(c->failures >= (uint32_t)set->net_threshold && c->listed)
		return AB_REASON_FEED;
	return c->slow >= slow_limit(set) ? AB_REASON_SLOW : AB_REASON_NONE;
}

static enum ab_reason judge_pair(
		const struct ab_settings *set, const struct ab_counts *c)
{
	int limit = set->threshold;

	if(c->user_level != AB_LEVEL_NONE && !c->good && set->net_threshold < limit)
		limit = set->net_threshold;
	if(c->repeats > 0)
		limit = 1;
	if(c->failures >= (uint32_t)limit)
		return AB_REASON_PAIR;
	return c->slow >= slow_limit(set) ? AB_REASON_SLOW : AB_REASON_NONE;
}

static enum ab_reason judge_crowd(
		const struct ab_settings *set, const struct ab_counts *c)
{
	if(ab_policy_level(set, c) != AB_LEVEL_RESTRICTED)
		return AB_REASON_NONE;
	return c->kind == AB_KIND_NETWORK ? AB_REASON_CAMPAIGN
									  : AB_REASON_USER_ATTACK;
}

static enum ab_reason judge(
		const struct ab_settings *set, const struct ab_counts *c)
{
	switch(c->kind) {
		case AB_KIND_SOURCE:
			return judge_source(set, c);
		case AB_KIND_PAIR:
			return judge_pair(set, c);
		case AB_KIND_NETWORK:
		case AB_KIND_USER:
			return judge_crowd(set, c);
		default:
			return AB_REASON_NONE;
	}
}

/*
 * How long. The slow level leaks one in long_window / long_threshold seconds, so a
 * ban for it lasts that long and need not grow: then one guess passes, or the customer
 * with his new password. Nor does a pair wait longer than that; and one who has
 * logged in before waits half of ban_time, each time.
 */
static uint32_t length_of(const struct ab_settings *set,
		const struct ab_counts *c, enum ab_reason reason)
{
	uint32_t step = (uint32_t)(set->long_window / set->long_threshold);
	uint32_t grown = ab_policy_ban_seconds(set, c->repeats, c->spread);

	if(c->kind == AB_KIND_PAIR && c->good)
		return (uint32_t)(set->ban_time + 1) / 2;
	step += c->spread % (step / 16 + 1);
	if(step > (uint32_t)set->ban_time_max)
		step = (uint32_t)set->ban_time_max;
	if(reason == AB_REASON_SLOW || reason == AB_REASON_STRANGERS)
		return step > 0 ? step : 1;
	return c->kind == AB_KIND_PAIR && grown > step && step > 0 ? step : grown;
}

struct ab_decision ab_policy_decide(
		const struct ab_settings *set, const struct ab_counts *c)
{
	struct ab_decision d = {AB_VERDICT_PASS, AB_REASON_NONE, 0};

	if(set->mode == AB_MODE_OFF)
		return d;
	d.reason = judge(set, c);
	if(d.reason == AB_REASON_NONE)
		return d;
	d.verdict = set->mode == AB_MODE_BAN ? AB_VERDICT_BAN : AB_VERDICT_DRY_RUN;
	d.seconds = length_of(set, c, d.reason);
	return d;
}

uint32_t ab_policy_leak(
		const struct ab_settings *set, uint32_t level, uint32_t seconds)
{
	uint64_t leaked = (uint64_t)seconds * (uint32_t)set->long_threshold
					  / (uint32_t)set->long_window;

	return leaked < level ? level - (uint32_t)leaked : 0;
}

bool ab_policy_limit(const struct ab_settings *set, enum ab_kind kind,
		enum ab_reason reason, struct ab_limit *out)
{
	const struct ab_limit of[AB_REASON_COUNT] = {
			[AB_REASON_THRESHOLD] = {"threshold", set->threshold, set->window,
					"failures"},
			[AB_REASON_NETWORK] = {"net_threshold", set->net_threshold,
					set->window, "failures"},
			[AB_REASON_USER_ATTACK] = {"net_threshold", set->net_threshold,
					set->window, "failures"},
			[AB_REASON_FEED] = {"net_threshold", set->net_threshold,
					set->window, "failures"},
			[AB_REASON_SLOW] = {"long_threshold", (int)slow_limit(set),
					set->long_window, "failures"},
			[AB_REASON_USERS] = {"max_users", set->max_users, set->window,
					"users"},
			[AB_REASON_PAIR] = {"threshold", set->threshold, set->window,
					"failures"},
			[AB_REASON_STRANGERS] = {"long_threshold", (int)slow_limit(set),
					set->long_window, "failures"},
			[AB_REASON_CAMPAIGN] = {"net_sources",
					(int)restricted_from(set->net_sources), set->window,
					"sources"}};

	if((size_t)reason >= AB_REASON_COUNT || !of[reason].name)
		return false;
	*out = of[reason];
	if(kind == AB_KIND_USER && reason == AB_REASON_USER_ATTACK)
		*out = (struct ab_limit){"user_sources",
				(int)restricted_from(set->user_sources), set->window,
				"sources"};
	return true;
}

const char *ab_reason_name(enum ab_reason reason)
{
	static const char *const names[AB_REASON_COUNT] = {"none", "threshold",
			"operator", "script", "network", "user_attack", "slow", "users",
			"pair", "campaign", "strangers", "feed"};

	return (size_t)reason < AB_REASON_COUNT ? names[reason] : "none";
}
