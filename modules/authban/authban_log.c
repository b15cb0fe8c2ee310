/*
 * authban: one line in the log for each ban and unban
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_log.h"

#include "authban_events.h"
#include "authban_shared.h"
#include "authban_stats.h"

#include "core/dprint.h"

static const char *event_name(uint8_t kind, uint8_t state)
{
	if(kind == AB_KIND_ALLOW)
		return state == AB_STATE_BANNED ? "allow" : "disallow";
	switch(state) {
		case AB_STATE_BANNED:
			return "ban";
		case AB_STATE_DRY_RUN:
			return "dry_run";
		default:
			return "unban";
	}
}

void authban_news(const struct ab_judgement *what)
{
	const struct ab_view *v = &what->view;
	struct ab_names *names = ab_table_names(authban_table());
	struct ab_prefix p = {v->key.addr, v->key.plen};
	char ip[AB_PREFIX_TEXT];

	if(!what->ok || !what->news || what->state == AB_STATE_NONE)
		return;
	if(v->key.kind != AB_KIND_ALLOW)
		counter_inc(what->state == AB_STATE_UNBANNED ? authban_counters.unbans
													 : authban_counters.bans);
	LM_NOTICE("ip=%s event=%s reason=%s failures=%u users=%u ttl=%d repeats=%u"
			  " proof=%s origin=%s\n",
			ab_prefix_print(&p, ip), event_name(v->key.kind, what->state),
			ab_names_text(names, v->reason), v->failures, v->users,
			authban_ttl(v), v->repeats, ab_proof_name((enum ab_proof)v->proof),
			ab_names_text(names, v->origin));
	if(v->key.kind == AB_KIND_SOURCE)
		authban_event(what->state == AB_STATE_UNBANNED ? AUTHBAN_EVENT_UNBAN
													   : AUTHBAN_EVENT_BAN,
				v, NULL);
}

int authban_ttl(const struct ab_view *v)
{
	bool ban = v->state == AB_STATE_BANNED || v->state == AB_STATE_DRY_RUN;

	return ban && v->key.kind != AB_KIND_ALLOW ? (int)v->ttl : 0;
}

const char *authban_state_name(const struct ab_view *v, int mode)
{
	switch(v->state) {
		case AB_STATE_BANNED:
			return mode == AB_MODE_BAN ? "banned" : "dry_run";
		case AB_STATE_DRY_RUN:
			return "dry_run";
		default:
			return v->failures ? "watched" : "none";
	}
}
