/*
 * authban: one line in the log for each ban and unban
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_log.h"

#include "authban_explain.h"
#include "authban_params.h"
#include "authban_privacy.h"
#include "authban_events.h"
#include "authban_record.h"
#include "authban_shared.h"
#include "authban_stats.h"

#include "ab_text.h"

#include "core/dprint.h"

#include <string.h>

/* In the order of enum ab_state: none, banned, dry run, unbanned. */
static const char *const events[AB_KIND_MAX][4] = {
		[AB_KIND_SOURCE] = {"watch", "ban", "dry_run", "unban"},
		[AB_KIND_ALLOW] = {"none", "allow", "none", "disallow"},
		[AB_KIND_PAIR] = {"watch", "pair_ban", "pair_dry_run", "pair_unban"},
		[AB_KIND_NETWORK] = {"campaign", "campaign_restricted",
				"campaign_dry_run", "campaign_over"},
		[AB_KIND_USER] = {"user_attack", "user_attack_restricted",
				"user_attack_dry_run", "user_attack_over"}};

static bool is_ban(const struct ab_judgement *what)
{
	return what->state == AB_STATE_BANNED || what->state == AB_STATE_DRY_RUN;
}

static void count(const struct ab_judgement *what)
{
	uint8_t kind = what->view.key.kind;

	if(kind == AB_KIND_NETWORK && what->crossed)
		counter_inc(authban_counters.campaigns);
	if(kind == AB_KIND_USER && what->crossed)
		counter_inc(authban_counters.user_attacks);
	if(!what->news)
		return;
	if(kind == AB_KIND_PAIR && is_ban(what))
		counter_inc(authban_counters.pair_bans);
	if(kind == AB_KIND_SOURCE)
		counter_inc(
				is_ban(what) ? authban_counters.bans : authban_counters.unbans);
}

/* A phone with an old password is banned for ever and ever, a line each time would
 * hide the others. */
static bool is_old_story(const struct ab_judgement *what)
{
	return what->view.key.kind == AB_KIND_PAIR && is_ban(what)
		   && what->view.repeats > 1 && what->view.ttl < 3600;
}

/* A user has no address: his hash is the detail. */
static void raise_user_attack(const struct ab_view *v)
{
	struct ab_view subject = *v;
	char hash[17];

	subject.key.plen = 0;
	authban_event(AUTHBAN_EVENT_USER_ATTACK, &subject,
			authban_user_text(authban_user_of(&v->key), hash));
}

/* Scripts hear of a source's ban and unban, and of a network or user that comes under
 * watch, here or on another proxy. */
static void raise_event(const struct ab_judgement *what)
{
	const struct ab_view *v = &what->view;
	bool watched = what->crossed
				   || (is_ban(what) && v->origin != authban_node_origin());

	if(v->key.kind == AB_KIND_SOURCE && what->news)
		authban_event(what->state == AB_STATE_UNBANNED ? AUTHBAN_EVENT_UNBAN
													   : AUTHBAN_EVENT_BAN,
				v, NULL);
	else if(v->key.kind == AB_KIND_NETWORK && watched)
		authban_event(AUTHBAN_EVENT_CAMPAIGN, v, NULL);
	else if(v->key.kind == AB_KIND_USER && watched)
		raise_user_attack(v);
}

/* The function's name stands in the line, and filters know it. */
void authban_news(const struct ab_judgement *what)
{
	const struct ab_view *v = &what->view;
	struct ab_names *names;
	struct ab_prefix p;
	char ip[AB_PREFIX_TEXT], hash[17];
	uint64_t who;

	if(!what->ok || !(what->crossed || what->news)
			|| (what->state == AB_STATE_NONE && !what->crossed))
		return;
	names = ab_table_names(authban_table());
	p = (struct ab_prefix){v->key.addr, v->key.plen};
	strcpy(ip, "-");
	hash[0] = '\0';
	count(what);
	authban_record_news(what);
	if(is_old_story(what))
		return;
	who = authban_user_of(&v->key);
	if(v->key.kind != AB_KIND_USER)
		ab_prefix_print(&p, ip);
	if(who != 0)
		authban_user_text(who, hash);
	LM_NOTICE("ip=%s event=%s reason=%s failures=%u users=%u ttl=%d repeats=%u"
			  " proof=%s origin=%s%s%s\n",
			ip, events[v->key.kind % AB_KIND_MAX][what->state & 3],
			v->reason ? ab_names_text(names, v->reason) : "watched",
			v->failures, v->users, authban_ttl(v), v->repeats,
			ab_proof_name((enum ab_proof)v->proof),
			v->origin ? ab_names_text(names, v->origin) : authban_params.node,
			who ? " user=" : "", hash);
	raise_event(what);
}

void authban_breaker_news(void)
{
	const struct ab_guard *g = authban_guard_quick();
	struct ab_breaker_view v;

	ab_breaker_look(g->breaker, g->judge.now.mono, &v);
	authban_event(AUTHBAN_EVENT_BREAKER, NULL, v.open ? "open" : "closed");
	if(v.open)
		LM_WARN("breaker: %u known-good sources failed within a minute (%u"
				" failures, %u successes): no new bans; look at the user"
				" database\n",
				v.sources, v.failures, v.successes);
	else
		LM_NOTICE("breaker: known-good sources succeed again (%u failures, %u"
				  " successes): bans go on\n",
				v.failures, v.successes);
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

void authban_forgot(
		const struct ab_forgotten *f, const struct ab_dropped *dropped)
{
	char name[4 * AB_NAME_LEN + 1], by[4 * AB_NAME_LEN + 1];

	ab_text_escape(name, sizeof(name), f->name, strlen(f->name), AB_NAME_LEN);
	ab_text_escape(by, sizeof(by), f->by, strlen(f->by), AB_NAME_LEN);
	LM_NOTICE("node=%s event=forget by=%s bans=%u unbans=%u allowed=%u"
			  " counts=%u\n",
			name, by, dropped->bans, dropped->unbans, dropped->allowed,
			dropped->counts);
}
