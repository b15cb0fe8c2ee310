/*
 * authban: why somebody is banned, in one sentence
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_explain.h"

#include "authban_params.h"
#include "authban_policies.h"
#include "authban_shared.h"

#include <stdio.h>

static const struct ab_settings *limits_of(
		const struct ab_view *v, struct ab_settings *room)
{
	return ab_policies_settings(
			authban_policies(), v->policy, authban_settings_now(), room);
}

static uint32_t counted(const struct ab_view *v, const struct ab_limit *limit)
{
	if(limit->unit[0] != 'f')
		return v->users;
	return v->reason == AB_REASON_SLOW || v->reason == AB_REASON_STRANGERS
				   ? v->slow
				   : v->failures;
}

/* A pair may have had a lower limit than the one of its reason (docs/policy.md). */
static void limit_of_pair(const struct ab_view *v,
		const struct ab_settings *set, struct ab_limit *limit)
{
	if(v->key.kind != AB_KIND_PAIR || v->reason != AB_REASON_PAIR
			|| v->failures >= (uint32_t)limit->value)
		return;
	limit->name = v->repeats > 1 ? "banned before, limit" : "net_threshold";
	limit->value = v->repeats > 1 ? 1 : set->net_threshold;
}

const char *authban_explain(
		const struct ab_view *v, char out[static AUTHBAN_EXPLAIN_MAX])
{
	const char *reason =
			ab_names_text(ab_table_names(authban_table()), v->reason);
	struct ab_settings room;
	const struct ab_settings *set = limits_of(v, &room);
	struct ab_limit limit;

	/* who is blocked because he is listed need not have failed */
	if((v->reason != AB_REASON_FEED || v->failures > 0)
			&& ab_policy_limit(set, (enum ab_kind)v->key.kind,
					(enum ab_reason)v->reason, &limit)) {
		limit_of_pair(v, set, &limit);
		snprintf(out, AUTHBAN_EXPLAIN_MAX, "%s: %u %s in %d s (%s %d)", reason,
				counted(v, &limit), limit.unit, limit.window, limit.name,
				limit.value);
	} else {
		snprintf(out, AUTHBAN_EXPLAIN_MAX, "%s", reason);
	}
	return out;
}

const char *authban_explain_watched(
		const struct ab_view *v, char out[static AUTHBAN_EXPLAIN_MAX])
{
	struct ab_settings room;
	const struct ab_settings *set = limits_of(v, &room);

	if(v->state == AB_STATE_UNBANNED)
		snprintf(out, AUTHBAN_EXPLAIN_MAX,
				"unbanned lately: what failed before that does not count");
	else if(v->key.kind == AB_KIND_NETWORK || v->key.kind == AB_KIND_USER)
		snprintf(out, AUTHBAN_EXPLAIN_MAX, "%u sources in %d s (%s %d)",
				v->users, set->window,
				v->key.kind == AB_KIND_USER ? "user_sources" : "net_sources",
				v->key.kind == AB_KIND_USER ? set->user_sources
											: set->net_sources);
	else if(v->failures == 0 && v->slow == 0)
		snprintf(out, AUTHBAN_EXPLAIN_MAX, "nothing failed within %d s",
				set->window);
	else
		snprintf(out, AUTHBAN_EXPLAIN_MAX,
				"%u failures in %d s (threshold %d), %u in %d s"
				" (long_threshold %d)",
				v->failures, set->window, set->threshold, v->slow,
				set->long_window, set->long_threshold);
	return out;
}

uint64_t authban_user_of(const struct ab_key *key)
{
	uint64_t hash = 0;
	unsigned i;

	if(key->kind != AB_KIND_USER)
		return key->user;
	for(i = 0; i < 8; i++)
		hash = hash << 8 | key->addr.b[i];
	return hash;
}
