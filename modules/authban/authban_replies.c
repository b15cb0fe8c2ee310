/*
 * authban: attempts that others judge, read from the replies
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where a registrar or PBX behind this proxy checks the passwords, its replies
 * tell the outcome. What is looked at is the final reply in the form in which it
 * goes to the sender: of several branches only the one that tm has picked, so a
 * 407 of one branch and a 200 of another are a success.
 *
 * TMCB_REQUEST_IN      a new transaction, its request not cloned yet: our token is
 *                      taken out of the credentials (authban_opaque.h)
 * TMCB_RESPONSE_IN     a reply came: its challenges get the token
 * TMCB_RESPONSE_READY  runs once for a final reply, in the process that sends it,
 *                      just before it is sent: authban_outcome() judges
 * So a ban is there before the attacker reads his answer, and one who hangs up in
 * between is counted too (TMCB_RESPONSE_OUT is not called for him). No lock of tm
 * is held. There the request is a clone in shared memory, which no parser may
 * change: only its text is read. A relayed reply is read from the message that
 * came; one that was made here (t_reply, several challenges in one) from the
 * buffer, which nobody changes once it is final. Replies of sl are seen by
 * SLCB_REPLY_READY. forward() has no transaction, so no request to a reply.
 */
#include "authban_replies.h"

#include "authban_allow.h"
#include "authban_outcome.h"
#include "authban_opaque.h"
#include "authban_params.h"
#include "authban_shared.h"

#include "core/dprint.h"
#include "modules/sl/sl.h"
#include "modules/tm/tm_load.h"

static bool is_watched(const sip_msg_t *req)
{
	return IS_SIP(req) && authban_mode() != AB_MODE_OFF
		   && (req->rcv.src_ip.af == AF_INET || req->rcv.src_ip.af == AF_INET6)
		   && !(req->REQ_METHOD & (METHOD_ACK | METHOD_CANCEL | METHOD_PRACK));
}

/* False when the reply does not go to the request's source (reply_to_via=1 sends
 * it where Via says): then it tells nothing of that source. */
static bool ask_of(const sip_msg_t *req, const struct dest_info *dst,
		struct authban_ask *ask)
{
	struct ip_addr ip;
	struct ab_addr to;

	su2ip_addr(&ip, (union sockaddr_union *)&dst->to);
	if(ip.af != AF_INET && ip.af != AF_INET6)
		return false;
	authban_addr(&to, &ip);
	authban_addr(&ask->addr, &req->rcv.src_ip);
	ask->msg = req;
	ask->now = authban_now_mono();
	return ab_addr_equal(&ask->addr, &to);
}

static void on_tm_reply(const struct cell *t, struct tmcb_params *p)
{
	bool made = !p->rpl || p->rpl == FAKED_REPLY;
	struct authban_answer answer;
	struct authban_ask ask;

	if(!p->req || !p->dst)
		return;
	answer = (struct authban_answer){p->send_buf.s, (size_t)p->send_buf.len,
			p->code,
			/* not the challenges of several branches in one reply */
			made && t->relayed_reply_branch < 0};
	if(!made) {
		answer.text = p->rpl->buf;
		answer.len = p->rpl->len;
		answer.code = p->rpl->REPLY_STATUS;
	}
	if(answer.code >= 200 && answer.text && answer.len && is_watched(p->req)
			&& ask_of(p->req, p->dst, &ask))
		authban_outcome(&ask, &answer);
}

/* A reply to a relayed request. The parameter is not NULL when the credentials
 * were taken out. */
static void on_tm_event(struct cell *t, int type, struct tmcb_params *p)
{
	struct ab_addr addr;

	if(type == TMCB_RESPONSE_READY) {
		on_tm_reply(t, p);
	} else if(p->req && p->rpl && p->rpl != FAKED_REPLY
			  && (p->code == 401 || p->code == 407)) {
		authban_addr(&addr, &p->req->rcv.src_ip);
		authban_opaque_down(p->rpl, &addr, *p->param != NULL);
	}
}

static tm_api_t tm;

static void on_tm_request(struct cell *t, int type, struct tmcb_params *p)
{
	static char taken_out;
	struct ab_addr addr;
	bool taken;

	(void)type;
	if(!is_watched(p->req))
		return;
	authban_addr(&addr, &p->req->rcv.src_ip);
	/* nobody can harm those on the allow-list, so they need prove nothing */
	if(authban_allowed(&addr, NULL))
		return;
	taken = authban_opaque_up(p->req, &addr);
	if(tm.register_tmcb(p->req, t, TMCB_RESPONSE_IN | TMCB_RESPONSE_READY,
			   on_tm_event, taken ? &taken_out : NULL, NULL)
			<= 0)
		LM_DBG("a transaction is not watched\n");
}

static void on_sl_reply(sl_cbp_t *p)
{
	struct authban_answer answer = {
			p->reply->s, (size_t)p->reply->len, p->code, true};
	struct authban_ask ask;

	if(p->code >= 200 && is_watched(p->req) && ask_of(p->req, p->dst, &ask))
		authban_outcome(&ask, &answer);
}

static int hook_tm(void)
{
	if(!module_loaded("tm")) {
		LM_NOTICE("parameter watch_replies is 1, but the module tm is not"
				  " loaded: only replies that this proxy makes itself are"
				  " watched\n");
		return 0;
	}
	if(load_tm_api(&tm) < 0
			|| tm.register_tmcb(
					   NULL, NULL, TMCB_REQUEST_IN, on_tm_request, NULL, NULL)
					   <= 0) {
		LM_ERR("parameter watch_replies is 1, but the module tm is not ready;"
			   " load tm.so before authban.so\n");
		return -1;
	}
	return 0;
}

static int hook_sl(void)
{
	sl_cbelem_t hook = {.type = SLCB_REPLY_READY, .cbf = on_sl_reply};
	sl_api_t sl;

	if(!module_loaded("sl"))
		return 0;
	if(sl_load_api(&sl) < 0 || sl.register_cb(&hook) < 0) {
		LM_ERR("cannot watch the replies of sl\n");
		return -1;
	}
	return 0;
}

int authban_replies_init(void)
{
	if(!authban_params.watch_replies) {
		if(!authban_params.watch_403)
			return 0;
		LM_ERR("parameter watch_403 is 1, but watch_replies is 0; allowed is"
			   " watch_403 with watch_replies 1\n");
		return -1;
	}
	if(authban_outcome_init() < 0)
		return -1;
	return hook_tm() < 0 ? -1 : hook_sl();
}
