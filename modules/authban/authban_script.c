/*
 * authban: the functions of the routing script
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_script.h"

#include "authban_allow.h"
#include "authban_auth.h"
#include "authban_count.h"
#include "authban_log.h"
#include "authban_mac.h"
#include "authban_params.h"
#include "authban_rc.h"
#include "authban_shared.h"
#include "authban_stats.h"

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

enum authban_verdict authban_verdict(const struct ab_addr *addr)
{
	struct ab_prefix source;
	struct ab_hit hit;
	enum ab_mode mode = authban_mode();

	if(mode == AB_MODE_OFF)
		return AUTHBAN_PASS;
	source = authban_source(addr);
	hit = ab_table_check(authban_table(), addr, &source, authban_now_mono());
	/* the allow-list is asked last, and wins */
	if(hit.state == AB_STATE_NONE || authban_allowed(addr, NULL))
		return AUTHBAN_PASS;
	return mode == AB_MODE_BAN && hit.state == AB_STATE_BANNED
				   ? AUTHBAN_BLOCK
				   : AUTHBAN_WOULD_BLOCK;
}

static int check_addr(const struct ab_addr *addr)
{
	enum authban_verdict verdict = authban_verdict(addr);

	counter_inc(authban_counters.checked);
	if(verdict == AUTHBAN_WOULD_BLOCK)
		counter_inc(authban_counters.would_block);
	if(verdict != AUTHBAN_BLOCK)
		return PASS;
	counter_inc(authban_counters.blocked);
	return DENY;
}

static int ki_check(sip_msg_t *msg)
{
	struct ab_addr addr;

	/* no address: nothing to judge, so it passes */
	return authban_source_of(msg, &addr) < 0 ? PASS : check_addr(&addr);
}

/* An address out of the script. 0, or -1 (logged). */
static int parse_address(const char *function, const str *ip,
		struct ab_addr *addr, struct ab_prefix *prefix)
{
	bool full = false;

	if(ip->len > 0
			&& ab_prefix_parse(prefix, ip->s, (size_t)ip->len, &full) == 0
			&& full) {
		*addr = prefix->addr;
		*prefix = authban_source(addr);
		return 0;
	}
	LM_ERR("%s: not an IP address\n", function);
	return -1;
}

static int ki_check_ip(sip_msg_t *msg, str *ip)
{
	struct ab_addr addr;
	struct ab_prefix source;

	(void)msg;
	return parse_address("authban_check", ip, &addr, &source) < 0
				   ? PASS
				   : check_addr(&addr);
}

static int ki_proven(sip_msg_t *msg)
{
	struct authban_evidence ev;
	struct authban_request *req = authban_request(msg);

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

static int is_free_method(const sip_msg_t *msg)
{
	return (msg->REQ_METHOD & (METHOD_ACK | METHOD_CANCEL | METHOD_PRACK)) != 0;
}

/* With proof=nonce an accepted nonce is the proof: auth has checked that it
 * was made for this source address. */
static enum ab_proof proof_of(const struct authban_evidence *ev, int rc)
{
	int accepted = rc == 1 || rc == -2 || rc == -3 || rc == -8;

	return ev->proof == AB_PROOF_NONE
						   && authban_params.proof == AUTHBAN_PROOF_NONCE
						   && ev->credentials == AB_CREDENTIALS_WELL_FORMED
						   && accepted
				   ? AB_PROOF_NONCE
				   : ev->proof;
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

static int judge_result(sip_msg_t *msg, int rc, str *name)
{
	struct authban_request *req = authban_request(msg);
	struct authban_evidence ev;
	struct authban_failure failure = {.weight = 1};
	struct ab_attempt attempt;
	struct ab_addr addr;

	authban_evidence(msg, 1, &ev);
	req->proof = proof_of(&ev, rc);
	attempt = (struct ab_attempt){rc, ev.credentials, is_free_method(msg),
			req->proof != AB_PROOF_NONE, ev.nonce_ours};
	req->class = ab_classify(&attempt);
	if(authban_mode() == AB_MODE_OFF)
		return rc > 0 ? PASS : DENY;
	count_class(req->class);
	if(req->class == AB_CLASS_SUCCESS && authban_source_of(msg, &addr) == 0)
		authban_count_success(&addr, authban_user_hash(&ev.user, &ev.realm));
	if(rc > 0)
		return PASS;
	if(!ab_class_is_failure(req->class)
			|| authban_source_of(msg, &failure.addr) < 0)
		return DENY;
	if(name && name->len > 0)
		ev.user = *name;
	failure.user = authban_user_hash(&ev.user, &ev.realm);
	failure.answer = ev.answer;
	failure.proof = req->proof;
	return authban_count_failure(&failure) == AUTHBAN_COUNTED_BANNED
				   ? DENY_BANNED
				   : DENY;
}

static int ki_result(sip_msg_t *msg, int rc)
{
	return judge_result(msg, rc, NULL);
}

static int ki_result_user(sip_msg_t *msg, int rc, str *name)
{
	return judge_result(msg, rc, name);
}

static int ki_challenge(sip_msg_t *msg, str *realm, int flags)
{
	struct authban_request *req = authban_request(msg);
	struct ab_addr addr;

	/* these two cannot be challenged */
	if(msg->REQ_METHOD & (METHOD_ACK | METHOD_CANCEL))
		return PASS;
	if(authban_source_of(msg, &addr) == 0
			&& authban_verdict(&addr) == AUTHBAN_BLOCK)
		return DENY;
	return authban_send_challenge(
			msg, realm, flags, ab_class_is_stale(req->class));
}

static int ki_ban(sip_msg_t *msg, str *ip, int seconds, str *reason)
{
	const struct ab_table *t = authban_table();
	struct ab_settings set;
	struct ab_judge judge = authban_judge(&set);
	struct ab_judgement out;
	struct ab_prefix source;
	struct ab_addr addr;
	struct ab_key key;
	uint16_t why;

	(void)msg;
	if(parse_address("authban_ban", ip, &addr, &source) < 0)
		return DENY;
	if(seconds < 1 || seconds > ab_setting_find("ban_time_max")->max) {
		LM_ERR("authban_ban: %d seconds; allowed is 1 to %d\n", seconds,
				ab_setting_find("ban_time_max")->max);
		return DENY;
	}
	if(authban_allowed(&addr, NULL))
		return DENY;
	why = ab_names_intern(
			ab_table_names(t), t->owner, reason->s, (size_t)reason->len);
	key = ab_key_source(&source);
	ab_judge_ban(&judge, &key, (uint32_t)seconds, why ? why : AB_REASON_SCRIPT,
			&out);
	authban_news(&out);
	authban_wake();
	return out.ok ? PASS : DENY;
}

static int ki_unban(sip_msg_t *msg, str *ip)
{
	struct ab_settings set;
	struct ab_judge judge = authban_judge(&set);
	struct ab_judgement out;
	struct ab_prefix source;
	struct ab_addr addr;
	struct ab_key key;

	(void)msg;
	if(parse_address("authban_unban", ip, &addr, &source) < 0)
		return DENY;
	key = ab_key_source(&source);
	ab_judge_unban(&judge, &key, AB_REASON_SCRIPT, &out);
	authban_news(&out);
	authban_wake();
	return out.ok ? PASS : DENY;
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
static int w_result2(sip_msg_t *msg, char *p1, char *p2)
{
	str name = STR_NULL;
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
			   " authentication function returns\n");
		return DENY;
	}
	if(p2 && get_str(msg, p2, &name) < 0)
		name.len = 0;
	return judge_result(msg, rc, &name);
}

static int w_result(sip_msg_t *msg, char *p1, char *p2)
{
	(void)p2;
	return w_result2(msg, p1, NULL);
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

static int w_ban(sip_msg_t *msg, char *p1, char *p2, char *p3)
{
	str ip, reason;
	int seconds;

	if(get_str(msg, p1, &ip) < 0 || get_int(msg, p2, &seconds) < 0
			|| get_str(msg, p3, &reason) < 0) {
		LM_ERR("authban_ban: cannot get ip, seconds and reason\n");
		return DENY;
	}
	return ki_ban(msg, &ip, seconds, &reason);
}

static int w_unban(sip_msg_t *msg, char *p1, char *p2)
{
	str ip;

	(void)p2;
	if(get_str(msg, p1, &ip) < 0) {
		LM_ERR("authban_unban: cannot get ip\n");
		return DENY;
	}
	return ki_unban(msg, &ip);
}

static int fixup_result(void **param, int no)
{
	return no == 1 ? fixup_var_int_1(param, 1) : fixup_var_str_2(param, 2);
}

static int fixup_challenge(void **param, int no)
{
	return no == 1 ? fixup_var_str_1(param, 1) : fixup_var_int_2(param, 2);
}

static int fixup_ban(void **param, int no)
{
	return no == 2 ? fixup_var_int_2(param, 2) : fixup_var_str_12(param, 1);
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
	{"authban_challenge", (cmd_function)w_challenge, 2,
		fixup_challenge, 0, REQUEST_ROUTE},
	{"authban_ban", (cmd_function)w_ban, 3, fixup_ban, 0, ANY_ROUTE},
	{"authban_unban", (cmd_function)w_unban, 1,
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
	KEMI2("challenge", ki_challenge, STR, INT, NONE),
	KEMI2("ban", ki_ban, STR, INT, STR),
	KEMI2("unban", ki_unban, STR, NONE, NONE),
	{ {0, 0}, {0, 0}, 0, NULL, { 0, 0, 0, 0, 0, 0 } }
};
/* clang-format on */
