/*
 * authban: the pseudo-variable $authban(field)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_pv.h"

#include "authban_allow.h"
#include "authban_events.h"
#include "authban_explain.h"
#include "authban_feed.h"
#include "authban_log.h"
#include "authban_params.h"
#include "authban_script.h"
#include "authban_shared.h"

#include "core/dprint.h"
#include "core/pvapi.h"

#include <string.h>

enum field
{
	FIELD_STATE,
	FIELD_REASON,
	FIELD_CLASS,
	FIELD_PROOF,
	FIELD_FAILURES,
	FIELD_USERS,
	FIELD_TTL,
	FIELD_ORIGIN,
	FIELD_NET,
	FIELD_IP,
	FIELD_EVENT,
	FIELD_DETAIL,
	FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT] = {"state", "reason", "class",
		"proof", "failures", "users", "ttl", "origin", "net", "ip", "event",
		"detail"};

static int parse_field(pv_spec_p sp, str *in)
{
	int i;

	for(i = 0; sp && in && i < FIELD_COUNT; i++) {
		if(in->len == (int)strlen(field_names[i])
				&& strncmp(in->s, field_names[i], in->len) == 0) {
			sp->pvp.pvn.type = PV_NAME_INTSTR;
			sp->pvp.pvn.u.isname.type = 0;
			sp->pvp.pvn.u.isname.name.n = i;
			return 0;
		}
	}
	LM_ERR("$authban(%.*s) does not exist; allowed are state, reason, class,"
		   " proof, failures, users, ttl, origin, net, ip, event and detail\n",
			in ? in->len : 0, in ? in->s : "");
	return -1;
}

static int give_text(
		sip_msg_t *msg, pv_param_t *param, pv_value_t *res, const char *text)
{
	str s = {(char *)text, (int)strlen(text)};

	return pv_get_strval(msg, param, res, &s);
}

/* What is known of the source, or of the banned network it lies in. */
static int lookup(const struct ab_addr *addr, struct ab_view *v)
{
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	struct ab_prefix source = authban_source(addr);
	struct ab_hit hit = ab_table_check(j.table, addr, &source, j.now.mono);
	struct ab_key key = ab_key_source(&hit.net);

	return ab_table_get(j.table, &key, &set, &j.now, v) == 1;
}

static int give_prefix(sip_msg_t *msg, pv_param_t *param, pv_value_t *res,
		const struct ab_prefix *p)
{
	/* one text lives until the next but one is asked for: a script may compare */
	static char text[2][AB_PREFIX_TEXT];
	static unsigned turn;

	return give_text(msg, param, res, ab_prefix_print(p, text[turn++ % 2]));
}

/* The fields that an entry has, whoever is asked about. */
static int get_of_view(sip_msg_t *msg, pv_param_t *param, pv_value_t *res,
		enum field field, const struct ab_view *v)
{
	static char why[AUTHBAN_EXPLAIN_MAX]; /* lives until the next call */
	struct ab_names *names = ab_table_names(authban_table());

	switch(field) {
		case FIELD_STATE:
			return give_text(
					msg, param, res, authban_state_name(v, authban_mode()));
		case FIELD_REASON:
			return give_text(msg, param, res, authban_explain(v, why));
		case FIELD_ORIGIN:
			return give_text(msg, param, res, ab_names_text(names, v->origin));
		case FIELD_FAILURES:
			return pv_get_sintval(msg, param, res, (int)v->failures);
		case FIELD_USERS:
			return pv_get_sintval(msg, param, res, (int)v->users);
		case FIELD_TTL:
			return pv_get_sintval(msg, param, res, authban_ttl(v));
		default:
			return pv_get_null(msg, param, res);
	}
}

/* Of the source of a message. */
static int get_known(sip_msg_t *msg, pv_param_t *param, pv_value_t *res,
		enum field field, const struct ab_addr *addr)
{
	struct ab_prefix net = authban_source(addr), host = {*addr, 128};
	struct ab_view v;

	if(field == FIELD_IP)
		return give_prefix(msg, param, res, &host);
	if(field == FIELD_STATE && authban_allowed(addr, NULL))
		return give_text(msg, param, res, "allowed");
	memset(&v, 0, sizeof(v));
	if(lookup(addr, &v) || authban_feed_view(&net, &v))
		net = (struct ab_prefix){v.key.addr, v.key.plen};
	return field == FIELD_NET ? give_prefix(msg, param, res, &net)
							  : get_of_view(msg, param, res, field, &v);
}

/* Of the subject of an event, as it was when the event was raised. */
static int get_raised(sip_msg_t *msg, pv_param_t *param, pv_value_t *res,
		enum field field, const struct authban_raised *ev)
{
	struct ab_prefix p = {ev->view.key.addr, ev->view.key.plen};

	if(field == FIELD_EVENT)
		return give_text(msg, param, res, authban_event_name(ev->which));
	if(field == FIELD_DETAIL)
		return give_text(msg, param, res, ev->detail);
	if(!ev->has_view)
		return pv_get_null(msg, param, res);
	if(field == FIELD_PROOF)
		return give_text(
				msg, param, res, ab_proof_name((enum ab_proof)ev->view.proof));
	if(field != FIELD_IP && field != FIELD_NET)
		return get_of_view(msg, param, res, field, &ev->view);
	/* a user has no address */
	return p.len > 0 ? give_prefix(msg, param, res, &p)
					 : pv_get_null(msg, param, res);
}

static int get_authban(sip_msg_t *msg, pv_param_t *param, pv_value_t *res)
{
	enum field field = (enum field)param->pvn.u.isname.name.n;
	const struct authban_raised *ev = authban_event_current();
	struct authban_request *req;
	struct ab_addr addr;

	if(!msg)
		return pv_get_null(msg, param, res);
	if(ev)
		return get_raised(msg, param, res, field, ev);
	req = authban_request(msg);
	if(field == FIELD_CLASS)
		return give_text(msg, param, res, ab_class_name(req->class));
	if(field == FIELD_PROOF)
		return give_text(msg, param, res, ab_proof_name(req->proof));
	if(field == FIELD_EVENT || field == FIELD_DETAIL
			|| authban_source_of(msg, &addr) < 0)
		return pv_get_null(msg, param, res);
	return get_known(msg, param, res, field, &addr);
}

/* clang-format off */
pv_export_t authban_pvs[] = {
	{{"authban", sizeof("authban") - 1}, PVT_OTHER, get_authban, 0,
		parse_field, 0, 0, 0},
	{{0, 0}, 0, 0, 0, 0, 0, 0, 0}
};
/* clang-format on */
