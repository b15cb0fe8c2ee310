/*
 * authban: what a judged attempt does to the table
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_count.h"

#include "authban_allow.h"
#include "authban_log.h"
#include "authban_params.h"
#include "authban_record.h"
#include "authban_shared.h"
#include "authban_stats.h"

static void tell(const struct ab_findings *found)
{
	unsigned i;

	for(i = 0; i < AB_FOUND_COUNT; i++)
		authban_news(&found->entry[i]);
	if(found->breaker_changed)
		authban_breaker_news();
	authban_wake();
}

enum authban_counted authban_count_failure(const struct authban_failure *f)
{
	struct ab_failure failure = {{authban_source(&f->addr), f->user, f->flow},
			f->weight, f->proof, f->policy};
	struct ab_findings found;

	if(authban_mode() == AB_MODE_OFF || f->proof == AB_PROOF_NONE
			|| authban_allowed(&f->addr, NULL))
		return AUTHBAN_NOT_COUNTED;
	if(f->answer != 0
			&& ab_recent_seen(authban_attempts(), f->answer, authban_now_mono(),
					AB_ATTEMPT_SECONDS)) {
		counter_inc(authban_counters.retransmissions);
		return AUTHBAN_NOT_COUNTED;
	}
	counter_inc(authban_counters.failures);
	ab_guard_failure(authban_guard(), &failure, &found);
	authban_record_failure(f, &found);
	tell(&found);
	return found.banned ? AUTHBAN_COUNTED_BANNED : AUTHBAN_COUNTED;
}

void authban_count_success(const struct ab_addr *addr, uint64_t user_hash,
		enum ab_proof proof, uint64_t flow)
{
	struct ab_party who = {authban_source(addr), user_hash, flow};
	const struct ab_guard *g = authban_guard();

	counter_inc(authban_counters.successes);
	if(authban_mode() == AB_MODE_OFF || proof == AB_PROOF_NONE)
		return;
	if(ab_guard_success(g, &who))
		authban_breaker_news();
	/* the other proxies are told */
	if(g->good.tell && ab_tell_is_waiting(g->good.tell))
		authban_wake();
}
