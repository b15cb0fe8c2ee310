/*
 * authban: settings that change while running
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_settings.h"

#include "core/cfg/cfg.h"
#include "core/cfg/cfg_struct.h"
#include "core/dprint.h"

#include <string.h>

/* The framework finds members by their order in the table of definitions, so
 * these stand as in ab_settings_table. */
struct cfg_group_authban
{
	int mode, threshold, window, ban_time, ban_time_max, memory, grace,
			max_users, net_sources, net_threshold, user_sources, long_window,
			long_threshold, good_time, pace, breaker;
};

#define SETTINGS 16

_Static_assert(sizeof(struct cfg_group_authban) == sizeof(struct ab_settings),
		"a setting is missing here or in ab_settings");

static struct cfg_group_authban authban_cfg_preset;
static void *authban_cfg = &authban_cfg_preset;
static cfg_def_t authban_cfg_defs[SETTINGS + 1];
static int authban_cfg_ready;

/* The presets of the settings are needed before the first parameter is read. */
struct ab_settings *authban_settings_preset(void)
{
	struct ab_settings *set = (struct ab_settings *)&authban_cfg_preset;

	if(!authban_cfg_ready) {
		ab_settings_preset(set);
		authban_cfg_ready = 1;
	}
	return set;
}

int authban_settings_declare(void)
{
	size_t i;

	authban_settings_preset();
	for(i = 0; i < ab_settings_count; i++) {
		const struct ab_setting *row = &ab_settings_table[i];

		authban_cfg_defs[i].name = (char *)row->name;
		authban_cfg_defs[i].type = CFG_VAR_INT | CFG_ATOMIC;
		authban_cfg_defs[i].min = row->min;
		authban_cfg_defs[i].max = row->max;
		authban_cfg_defs[i].descr = (char *)row->help;
	}
	if(cfg_declare("authban", authban_cfg_defs, &authban_cfg_preset,
			   cfg_sizeof(authban), &authban_cfg)) {
		LM_ERR("cannot declare the settings\n");
		return -1;
	}
	return 0;
}

void authban_settings(struct ab_settings *set)
{
	memcpy(set, authban_cfg, sizeof(*set));
}

const struct ab_settings *authban_settings_now(void)
{
	return (const struct ab_settings *)authban_cfg;
}

enum ab_mode authban_mode(void)
{
	return (enum ab_mode)cfg_get(authban, authban_cfg, mode);
}
