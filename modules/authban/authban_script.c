/*
 * authban: the functions of the routing script
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_script.h"

#include "authban_acts.h"
#include "authban_allow.h"
#include "authban_auth.h"
#include "authban_check.h"
#include "authban_backend.h"
#include "authban_count.h"
#include "authban_limit.h"
#include "authban_log.h"
#include "authban_mac.h"
#include "authban_params.h"
#include "authban_policies.h"
#include "authban_rc.h"
#include "authban_shared.h"
#include "authban_stats.h"
#include "authban_stream.h"

#include "core/dprint.h"
#include "core/mod_fix.h"

#include <string.h>

#define PASS 1
#define DENY (-1)
#define DENY_BANNED (-2)


static struct authban_request request;

struct authban_request *authban_request(sip_msg_t *msg)
{
	if(request.id != msg->id || request.pid != msg->pid) {
		memset(&request, 0, sizeof(request));
		request.id = msg->id;
		request.pid = msg->pid;
	}
	return &request;
}

enum ab_class authban_class_of(const sip_msg_t *msg)
{
	return request.id == msg->id && request.pid == msg->pid ? request.class
															: AB_CLASS_NONE;
}

int authban_source_of(sip_msg_t *msg, struct ab_addr *addr)
{
	/* before parsing the message is a fake one: ask for the real datagram */
	sr_net_info_t *net = ksr_evrt_rcvnetinfo_get();
	const struct ip_addr *ip = NULL;

	if(net && net->rcv)
		ip = &net->rcv->src_ip;
	else if(msg)
		ip = &msg->rcv.src_ip;
	if(!ip || (ip->af != AF_INET && ip->af != AF_INET6))
		return -1;
	authban_addr(addr, ip);
	return 0;
}

/* What the script functions return. */
static int result_of(enum authban_verdict verdict)
{
	switch(verdict) {
		case AUTHBAN_BLOCK:
			return DENY;
		case AUTHBAN_BLOCK_PAIR:
			return DENY_BANNED;
		default:
			return PASS;
	}
}

static int ki_check(sip_msg_t *msg)
{
	struct ab_addr addr;
	bool turn;
	int rc;

	/* no address: nothing to judge, so it passes */
	if(authban_source_of(msg, &addr) < 0)
		return PASS;
	rc = result_of(authban_check_message(msg, &addr, &turn));
	/* not where only strangers have to wait: others may be known-good over it */
	if(rc == DENY && authban_is_stream(msg) && !ksr_evrt_rcvnetinfo_get()
			&& authban_verdict(&addr) == AUTHBAN_BLOCK)
		authban_stream_close(msg);
	if(rc == PASS && !ksr_evrt_rcvnetinfo_get()) {
		authban_request(msg)->checked = true;
		authban_request(msg)->turn = turn;
	}
	return rc;
}

static int ki_check_ip(sip_msg_t *msg, str *ip)
{
	struct ab_addr addr;
	struct ab_prefix source;

	(void)msg;
	return authban_parse_address("authban_check", ip, &addr, &source) < 0
				   ? PASS
				   : result_of(authban_check_addr(&addr));
}

static int ki_proven(sip_msg_t *msg)
{
	struct authban_evidence ev;
	struct authban_request *req = authban_request(msg);

	authban_backend_asked(msg);
	/* the other modes have no proof that could be asked for again */
	if(authban_params.proof != AUTHBAN_PROOF_TOKEN
			|| authban_mode() == AB_MODE_OFF)
		return PASS;
	authban_evidence(msg, 0, &ev);
	req->proof = ev.proof;
	if(!ev.any_credentials || ev.proof != AB_PROOF_NONE)
		return PASS;
	req->class = AB_CLASS_UNPROVEN;
	counter_inc(authban_counters.unproven);
	return DENY;
}

/* The counter of a class; many classes have none. */
static void count_class(enum ab_class class)
{
	static const counter_handle_t *const counters[AB_CLASS_COUNT] = {
			[AB_CLASS_MALFORMED] = &authban_counters.malformed,
			[AB_CLASS_UNPROVEN] = &authban_counters.unproven,
			[AB_CLASS_BACKEND_ERROR] = &authban_counters.backend_errors,
			[AB_CLASS_MISMATCH] = &authban_counters.mismatches};

	if(counters[class])
		counter_inc(*counters[class]);
}

/* The number of a policy's name; one that is not known is the settings'. The name may
 * come out of a message, so it is told once a process, and not what it is. */
static unsigned policy_of(const str *name)
{
	static bool told;
	unsigned n;

	if(!name || name->len <= 0)
		return 0;
	n = ab_policies_find(authban_policies(), name->s, (size_t)name->len);
	if(n == 0 && !told) {
		told = true;
		LM_WARN("authban_result: there is no policy of such a name (%d"
				" characters); the settings are taken\n",
				name->len);
	}
	return n;
}

/* An old nonce, say, was no guess: the next stranger need not wait for it. */
static void give_turn_back(sip_msg_t *msg, struct authban_request *req,
		const struct ab_addr *addr, const struct authban_evidence *ev)
{
	struct ab_party who = {authban_source(addr),
			authban_user_hash(&ev->user, &ev->realm), authban_flow(&msg->rcv)};

	if(req->turn)
		ab_guard_refund(authban_guard(), &who);
	req->turn = false;
}

static enum ab_guess guess_of(enum ab_class class)
{
	if(class == AB_CLASS_MALFORMED)
		return AB_GUESS_MALFORMED;
	return class == AB_CLASS_UNKNOWN_USER ? AB_GUESS_USER : AB_GUESS_PASSWORD;
}

static int judge_result(sip_msg_t *msg, int rc, str *name, str *policy)
{
	struct authban_request *req = authban_request(msg);
	struct authban_evidence ev;
	struct authban_failure failure = {.weight = 1};
	struct ab_attempt attempt;
	struct ab_addr addr;

	authban_evidence(msg, 1, &ev);
	attempt = authban_backend_attempt(msg, rc, &ev, &req->proof);
	req->class = ab_classify(authban_backend_map(), &attempt);
	if(authban_mode() == AB_MODE_OFF)
		return rc > 0 ? PASS : DENY;
	count_class(req->class);
	if(req->class == AB_CLASS_SUCCESS && authban_source_of(msg, &addr) == 0)
		authban_count_success(&addr, authban_user_hash(&ev.user, &ev.realm),
				req->proof, authban_flow(&msg->rcv));
	if(rc > 0)
		return PASS;
	if(authban_source_of(msg, &failure.addr) < 0)
		return DENY;
	if(!ab_class_is_failure(req->class)) {
		give_turn_back(msg, req, &failure.addr, &ev);
		return DENY;
	}
	/* a success is known by the name in the credentials, so a failure is too */
	if(ev.user.len <= 0 && name && name->len > 0)
		ev.user = *name;
	failure.user = authban_user_hash(&ev.user, &ev.realm);
	failure.answer = ev.answer;
	failure.flow = authban_flow(&msg->rcv);
	failure.policy = policy_of(policy);
	failure.proof = failure.shown = req->proof;
	failure.msg = msg;
	failure.guess = guess_of(req->class);
	failure.name = ev.user;
	req->banned = authban_count_failure(&failure) == AUTHBAN_COUNTED_BANNED;
	return req->banned ? DENY_BANNED : DENY;
}

static int ki_result(sip_msg_t *msg, int rc)
{
	return judge_result(msg, rc, NULL, NULL);
}

static int ki_result_user(sip_msg_t *msg, int rc, str *name)
{
	return judge_result(msg, rc, name, NULL);
}

static int ki_result_policy(sip_msg_t *msg, int rc, str *name, str *policy)
{
	return judge_result(msg, rc, name, policy);
}

static int ki_challenge(sip_msg_t *msg, str *realm, int flags)
{
	struct authban_request *req = authban_request(msg);
	struct ab_addr addr;

	/* these two cannot be challenged */
	if(msg->REQ_METHOD & (METHOD_ACK | METHOD_CANCEL))
		return PASS;
	if(req->banned
			|| (authban_source_of(msg, &addr) == 0
					&& ((!req->checked
								&& authban_verdict(&addr) == AUTHBAN_BLOCK)
							|| authban_limit_reached(msg, req, &addr))))
		return DENY;
	return authban_send_challenge(
			msg, realm, flags, ab_class_is_stale(req->class));
}

/* --- kamailio.cfg --- */

static int get_str(sip_msg_t *msg, char *param, str *out)
{
	return get_str_fparam(out, msg, (fparam_t *)param);
}

static int get_int(sip_msg_t *msg, char *param, int *out)
{
	return get_int_fparam(out, msg, (fparam_t *)param);
}

static int w_check(sip_msg_t *msg, char *p1, char *p2)
{
	(void)p1;
	(void)p2;
	return ki_check(msg);
}

static int w_check_ip(sip_msg_t *msg, char *p1, char *p2)
{
	str ip;

	(void)p2;
	return get_str(msg, p1, &ip) < 0 ? PASS : ki_check_ip(msg, &ip);
}

static int w_proven(sip_msg_t *msg, char *p1, char *p2)
{
	(void)p1;
	(void)p2;
	return ki_proven(msg);
}

/* "$rc" may come as a number or as text, as the parameter was written. */
static int w_result3(sip_msg_t *msg, char *p1, char *p2, char *p3)
{
	str name = STR_NULL, policy = STR_NULL;
	int rc;

	if(get_int(msg, p1, &rc) < 0) {
		LM_ERR("authban_result: the first parameter is no number\n");
		return DENY;
	}
	/* $rc within an expression is always 0: see authban_rc.h */
	if(rc == 0)
		rc = authban_rc_last(msg);
	if(rc == 0) {
		LM_ERR("authban_result: the first parameter is 0, which no"
			   " authentication function of the backend %s returns\n",
				authban_backend_name(authban_params.backend));
		return DENY;
	}
	if(p2 && get_str(msg, p2, &name) < 0)
		name.len = 0;
	if(p3 && get_str(msg, p3, &policy) < 0)
		policy.len = 0;
	return judge_result(msg, rc, &name, &policy);
}

static int w_result2(sip_msg_t *msg, char *p1, char *p2)
{
	return w_result3(msg, p1, p2, NULL);
}

static int w_result(sip_msg_t *msg, char *p1, char *p2)
{
	(void)p2;
	return w_result3(msg, p1, NULL, NULL);
}

static int w_challenge(sip_msg_t *msg, char *p1, char *p2)
{
	str realm;
	int flags;

	if(get_str(msg, p1, &realm) < 0 || get_int(msg, p2, &flags) < 0) {
		LM_ERR("authban_challenge: cannot get realm and flags\n");
		return DENY;
	}
	return ki_challenge(msg, &realm, flags);
}

static int fixup_result(void **param, int no)
{
	return no == 1 ? fixup_var_int_1(param, 1) : fixup_var_str_12(param, 1);
}

static int fixup_challenge(void **param, int no)
{
	return no == 1 ? fixup_var_str_1(param, 1) : fixup_var_int_2(param, 2);
}

/* clang-format off */
cmd_export_t authban_cmds[] = {
	{"authban_check", (cmd_function)w_check, 0, 0, 0, ANY_ROUTE},
	{"authban_check", (cmd_function)w_check_ip, 1,
		fixup_var_str_1, 0, ANY_ROUTE},
	{"authban_proven", (cmd_function)w_proven, 0, 0, 0, REQUEST_ROUTE},
	{"authban_result", (cmd_function)w_result, 1,
		fixup_result, 0, REQUEST_ROUTE},
	{"authban_result", (cmd_function)w_result2, 2,
		fixup_result, 0, REQUEST_ROUTE},
	{"authban_result", (cmd_function)w_result3, 3,
		fixup_result, 0, REQUEST_ROUTE},
	{"authban_fail", (cmd_function)authban_w_fail0, 0, 0, 0, ANY_ROUTE},
	{"authban_fail", (cmd_function)authban_w_fail1, 1, authban_fixup_fail, 0, ANY_ROUTE},
	{"authban_fail", (cmd_function)authban_w_fail2, 2, authban_fixup_fail, 0, ANY_ROUTE},
	{"authban_fail", (cmd_function)authban_w_fail3, 3, authban_fixup_fail, 0, ANY_ROUTE},
	{"authban_challenge", (cmd_function)w_challenge, 2,
		fixup_challenge, 0, REQUEST_ROUTE},
	{"authban_ban", (cmd_function)authban_w_ban, 3, authban_fixup_ban, 0, ANY_ROUTE},
	{"authban_unban", (cmd_function)authban_w_unban, 1,
		fixup_var_str_1, 0, ANY_ROUTE},
	{0, 0, 0, 0, 0, 0}
};

#define KEMI(name, func, p1, p2, p3) \
	{ str_init("authban"), str_init(name), SR_KEMIP_INT, func, \
		{ p1, p2, p3, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE } }
#define NONE SR_KEMIP_NONE
#define STR SR_KEMIP_STR
#define INT SR_KEMIP_INT

/* Under both names: KSR.authban.check() and, for those who look for the name
 * that kamailio.cfg has, KSR.authban.authban_check(). */
#define KEMI2(name, func, p1, p2, p3) \
	KEMI(name, func, p1, p2, p3), \
	KEMI("authban_" name, func, p1, p2, p3)

sr_kemi_t authban_kemi_exports[] = {
	KEMI2("check", ki_check, NONE, NONE, NONE),
	KEMI2("check_ip", ki_check_ip, STR, NONE, NONE),
	KEMI2("proven", ki_proven, NONE, NONE, NONE),
	KEMI2("result", ki_result, INT, NONE, NONE),
	KEMI2("result_user", ki_result_user, INT, STR, NONE),
	KEMI2("result_policy", ki_result_policy, INT, STR, STR),
	KEMI2("fail", authban_ki_fail, NONE, NONE, NONE),
	KEMI2("fail_ip", authban_ki_fail_ip, STR, NONE, NONE),
	KEMI2("fail_user", authban_ki_fail_user, STR, STR, NONE),
	KEMI2("fail_weight", authban_ki_fail_weight, STR, STR, INT),
	KEMI2("challenge", ki_challenge, STR, INT, NONE),
	KEMI2("ban", authban_ki_ban, STR, INT, STR),
	KEMI2("unban", authban_ki_unban, STR, NONE, NONE),
	{ {0, 0}, {0, 0}, 0, NULL, { 0, 0, 0, 0, 0, 0 } }
};
/* clang-format on */
