/*
 * authban: what policy_rules.c and policy_events.c share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef POLICY_RULES_H
#define POLICY_RULES_H

#include "policy_model.h"

/* What else is known when a source or pair is judged. */
struct around
{
	bool good, shared;
	unsigned net_level, user_level;
};

/* Bans the row if its counts say so; whether they did. */
bool model_decide(struct model *m, struct model_row *w, const struct around *a);
unsigned model_level_around(
		const struct model *m, const struct model_row *w, uint32_t sources);

void model_state_changed(const struct model *m, struct model_row *w);

#endif
