/*
 * authban: settings that change while running
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The integer settings (ab_settings_table) are in Kamailio's cfg framework:
 *   kamcmd cfg.set_now_int authban threshold 12
 */
#ifndef AUTHBAN_SETTINGS_H
#define AUTHBAN_SETTINGS_H

#include "ab_policy.h"

/* Declares the settings to the cfg framework. 0, or -1 (logged). From mod_init. */
int authban_settings_declare(void);

/*
 * What the settings are set to before the start, with their defaults where
 * nothing was set. Only while parameters are read.
 */
struct ab_settings *authban_settings_preset(void);

/* The settings as this process sees them now (after cfg_update()). */
void authban_settings(struct ab_settings *set);

/* The same without a copy; good until the next cfg_update() of this process. */
const struct ab_settings *authban_settings_now(void);

/* Only the mode; cheap, for the path of every message. */
enum ab_mode authban_mode(void);

#endif
