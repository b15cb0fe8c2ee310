/*
 * authban: what a judged attempt does to the table
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_count.h"

#include "authban_allow.h"
#include "authban_log.h"
#include "authban_params.h"
#include "authban_shared.h"
#include "authban_stats.h"

enum authban_counted authban_count_failure(const struct authban_failure *f)
{
	struct ab_settings set;
	struct ab_judge judge;
	struct ab_judgement out;
	struct ab_prefix source;
	struct ab_key key;

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
	judge = authban_judge(&set);
	source = authban_source(&f->addr);
	key = ab_key_source(&source);
	ab_judge_failure(&judge, &key, f->user, f->weight, f->proof, &out);
	authban_news(&out);
	authban_wake();
	return out.ok && out.news && out.state == AB_STATE_BANNED
				   ? AUTHBAN_COUNTED_BANNED
				   : AUTHBAN_COUNTED;
}

void authban_count_success(const struct ab_addr *addr, uint64_t user)
{
	(void)addr;
	(void)user;
	counter_inc(authban_counters.successes);
}
