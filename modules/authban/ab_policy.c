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

struct ab_decision ab_policy_decide(
		const struct ab_settings *set, const struct ab_counts *counts)
{
	struct ab_decision d = {AB_VERDICT_PASS, AB_REASON_NONE, 0};

	if(set->mode == AB_MODE_OFF || counts->failures < (uint32_t)set->threshold)
		return d;
	d.verdict = set->mode == AB_MODE_BAN ? AB_VERDICT_BAN : AB_VERDICT_DRY_RUN;
	d.reason = AB_REASON_THRESHOLD;
	d.seconds = ab_policy_ban_seconds(set, counts->repeats, counts->spread);
	return d;
}

const char *ab_reason_name(enum ab_reason reason)
{
	static const char *const names[AB_REASON_COUNT] = {
			"none", "threshold", "operator", "script"};

	return (size_t)reason < AB_REASON_COUNT ? names[reason] : "none";
}
