/*
 * authban: what the script does by its own word: ban, unban, count a failure
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_acts.h"

#include "authban_allow.h"
#include "authban_auth.h"
#include "authban_count.h"
#include "authban_log.h"
#include "authban_mac.h"
#include "authban_script.h"
#include "authban_shared.h"

#include "core/dprint.h"
#include "core/mod_fix.h"

#define PASS 1
#define DENY (-1)

#define WEIGHT_MAX 1000 /* of one failure that the script counts */

/* An address out of the script. 0, or -1 (logged). */
int authban_parse_address(const char *function, const str *ip,
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

int authban_ki_ban(sip_msg_t *msg, str *ip, int seconds, str *reason)
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
	if(authban_parse_address("authban_ban", ip, &addr, &source) < 0)
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

int authban_ki_unban(sip_msg_t *msg, str *ip)
{
	struct ab_judgement out;
	struct ab_prefix source;
	struct ab_addr addr;
	struct ab_key key;

	(void)msg;
	if(authban_parse_address("authban_unban", ip, &addr, &source) < 0)
		return DENY;
	key = ab_key_source(&source);
	ab_guard_unban(authban_guard(), &key, AB_REASON_SCRIPT, &out);
	authban_news(&out);
	authban_wake();
	return out.ok ? PASS : DENY;
}

/* The script's word counts, and is no evidence: only what the sender of this message
 * has shown itself is. Before parsing there is no message. */
static void show_proof(sip_msg_t *msg, struct authban_failure *f)
{
	if(!msg || ksr_evrt_rcvnetinfo_get())
		return;
	f->msg = msg;
	f->shown = authban_is_stream(msg) ? AB_PROOF_STREAM
									  : authban_request(msg)->proof;
}

/* The script vouches for this failure. Without an address it is the message's; then
 * the user may be missing too. */
int authban_ki_fail_weight(sip_msg_t *msg, str *ip, str *name, int weight)
{
	struct authban_failure f = {.proof = AB_PROOF_SCRIPT};
	struct ab_prefix source;

	if(weight < 1 || weight > WEIGHT_MAX) {
		LM_ERR("authban_fail: the weight is %d; allowed is 1 to %d\n", weight,
				WEIGHT_MAX);
		return DENY;
	}
	f.weight = (uint32_t)weight;
	if(ip && ip->len > 0) {
		if(authban_parse_address("authban_fail", ip, &f.addr, &source) < 0)
			return DENY;
	} else if(authban_source_of(msg, &f.addr) < 0) {
		return DENY;
	}
	f.user = authban_user_hash(name, NULL);
	f.guess = AB_GUESS_SCRIPT;
	if(name)
		f.name = *name;
	if(!ip || ip->len <= 0)
		show_proof(msg, &f);
	return authban_count_failure(&f) == AUTHBAN_NOT_COUNTED ? DENY : PASS;
}

int authban_ki_fail_user(sip_msg_t *msg, str *ip, str *name)
{
	return authban_ki_fail_weight(msg, ip, name, 1);
}

int authban_ki_fail_ip(sip_msg_t *msg, str *ip)
{
	return authban_ki_fail_weight(msg, ip, NULL, 1);
}

int authban_ki_fail(sip_msg_t *msg)
{
	return authban_ki_fail_weight(msg, NULL, NULL, 1);
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

int authban_w_fail3(sip_msg_t *msg, char *p1, char *p2, char *p3)
{
	str ip = STR_NULL, name = STR_NULL;
	int weight = 1;

	if((p1 && get_str(msg, p1, &ip) < 0) || (p2 && get_str(msg, p2, &name) < 0)
			|| (p3 && get_int(msg, p3, &weight) < 0)) {
		LM_ERR("authban_fail: cannot get ip, user and weight\n");
		return DENY;
	}
	return authban_ki_fail_weight(msg, &ip, &name, weight);
}

int authban_w_fail2(sip_msg_t *msg, char *p1, char *p2)
{
	return authban_w_fail3(msg, p1, p2, NULL);
}

int authban_w_fail1(sip_msg_t *msg, char *p1, char *p2)
{
	(void)p2;
	return authban_w_fail3(msg, p1, NULL, NULL);
}

int authban_w_fail0(sip_msg_t *msg, char *p1, char *p2)
{
	(void)p1;
	(void)p2;
	return authban_w_fail3(msg, NULL, NULL, NULL);
}

int authban_w_ban(sip_msg_t *msg, char *p1, char *p2, char *p3)
{
	str ip, reason;
	int seconds;

	if(get_str(msg, p1, &ip) < 0 || get_int(msg, p2, &seconds) < 0
			|| get_str(msg, p3, &reason) < 0) {
		LM_ERR("authban_ban: cannot get ip, seconds and reason\n");
		return DENY;
	}
	return authban_ki_ban(msg, &ip, seconds, &reason);
}

int authban_w_unban(sip_msg_t *msg, char *p1, char *p2)
{
	str ip;

	(void)p2;
	if(get_str(msg, p1, &ip) < 0) {
		LM_ERR("authban_unban: cannot get ip\n");
		return DENY;
	}
	return authban_ki_unban(msg, &ip);
}

int authban_fixup_fail(void **param, int no)
{
	return no == 3 ? fixup_var_int_12(param, 1) : fixup_var_str_12(param, 1);
}

int authban_fixup_ban(void **param, int no)
{
	return no == 2 ? fixup_var_int_2(param, 2) : fixup_var_str_12(param, 1);
}
