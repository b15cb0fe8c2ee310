/*
 * authban: what is to be done with a message
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_check.h"

#include "authban_allow.h"
#include "authban_auth.h"
#include "authban_blocked.h"
#include "authban_mac.h"
#include "authban_params.h"
#include "authban_shared.h"
#include "authban_stats.h"

#include "core/events.h"
#include "core/parser/digest/digest.h"

#include <string.h>

#define CREDENTIALS_MAX 8 /* of one kind that are looked at */

/* A ban is in force only in mode ban, and dry_run may follow a ban. */
static enum authban_verdict by_answer(
		struct ab_guard_answer a, enum authban_verdict block)
{
	return authban_mode() == AB_MODE_BAN && !a.dry ? block
												   : AUTHBAN_WOULD_BLOCK;
}

/* Whether the last one that this process looked at was banned. A flood is under way
 * then: what only banned sources are asked for is loaded at once, for most of a look is
 * waiting for memory. */
static bool flooded;

enum authban_verdict authban_verdict(const struct ab_addr *addr)
{
	const struct ab_guard *g = authban_guard_quick();
	struct ab_guard_answer a;
	struct ab_prefix source;

	if(authban_mode() == AB_MODE_OFF)
		return AUTHBAN_PASS;
	source = authban_source(addr);
	if(flooded)
		ab_good_expect_source(&g->good, &source);
	a = ab_guard_check(g, addr, &source);
	flooded = a.verdict == AB_GUARD_SOURCE;
	/* the allow-list is asked last, and wins */
	if(a.verdict == AB_GUARD_PASS || authban_allowed(addr, NULL))
		return AUTHBAN_PASS;
	return a.verdict == AB_GUARD_LOOK ? AUTHBAN_LOOK
									  : by_answer(a, AUTHBAN_BLOCK);
}

/* The sender of the datagram that this process has just let pass. The script comes
 * next, in the same process, and need not ask again. */
static struct ab_addr passed;
static bool has_passed;

enum authban_verdict authban_check_datagram(const struct ab_addr *addr)
{
	enum authban_verdict verdict = authban_verdict(addr);

	has_passed = verdict == AUTHBAN_PASS;
	passed = *addr;
	return verdict;
}

/* Good for one question. */
static bool passed_just_now(const struct ab_addr *addr)
{
	bool same = has_passed && ab_addr_equal(&passed, addr);

	has_passed = false;
	return same;
}

uint64_t authban_flow(const struct receive_info *rcv)
{
	uint8_t data[sizeof(struct ab_addr) + 3];
	struct ab_addr addr;

	authban_addr(&addr, &rcv->src_ip);
	memcpy(data, &addr, sizeof(addr));
	data[sizeof(addr)] = (uint8_t)(rcv->src_port >> 8);
	data[sizeof(addr) + 1] = (uint8_t)rcv->src_port;
	data[sizeof(addr) + 2] = (uint8_t)rcv->proto;
	return authban_keyed_hash(data, sizeof(data));
}

/* One header's credentials before the guard. */
static enum authban_verdict look_at(
		struct hdr_field *h, struct ab_party *who, bool *turn)
{
	struct ab_guard_answer a;
	const dig_cred_t *cred;

	who->user = 0;
	if(parse_credentials(h) == 0 && h->parsed) {
		cred = &((auth_body_t *)h->parsed)->digest;
		who->user = authban_user_hash(&cred->username.whole, &cred->realm);
	}
	a = ab_guard_look(authban_guard(), who);
	*turn |= a.turn;
	switch(a.verdict) {
		case AB_GUARD_SOURCE:
			return by_answer(a, AUTHBAN_BLOCK);
		case AB_GUARD_PAIR:
			return by_answer(a, AUTHBAN_BLOCK_PAIR);
		default:
			return AUTHBAN_PASS;
	}
}

static enum authban_verdict look_at_all(
		struct hdr_field *h, struct ab_party *who, bool *turn)
{
	enum authban_verdict worst = AUTHBAN_PASS;
	int n;

	for(n = 0; h && n < CREDENTIALS_MAX; h = next_sibling_hdr(h), n++) {
		enum authban_verdict v = look_at(h, who, turn);

		if(v > worst)
			worst = v;
	}
	return worst;
}

/* Credentials without proof are challenged again, and no password is looked at: a
 * forged packet must not take the place of a stranger who waits for his turn. */
static bool is_unproven(sip_msg_t *msg)
{
	struct authban_evidence ev;

	if(authban_params.proof != AUTHBAN_PROOF_TOKEN)
		return false;
	authban_evidence(msg, 0, &ev);
	return ev.any_credentials && ev.proof == AB_PROOF_NONE;
}

/* Of several credentials the worst counts: nobody hides a guess behind a user who
 * is known-good. */
static enum authban_verdict second_look(
		sip_msg_t *msg, const struct ab_addr *addr, bool *turn)
{
	struct ab_party who = {.source = authban_source(addr)};
	enum authban_verdict a, b;

	if(!msg || msg->first_line.type != SIP_REQUEST || ksr_evrt_rcvnetinfo_get()
			|| parse_headers(msg, HDR_EOH_F, 0) < 0)
		return AUTHBAN_PASS;
	if(is_unproven(msg))
		return AUTHBAN_PASS;
	who.flow = authban_flow(&msg->rcv);
	a = look_at_all(msg->authorization, &who, turn);
	b = look_at_all(msg->proxy_auth, &who, turn);
	return a > b ? a : b;
}

/* In dry run: would this have hit somebody who has logged in from there? */
static void count_would_block(const struct ab_addr *addr)
{
	const struct ab_guard *g = authban_guard_quick();
	struct ab_prefix source = authban_source(addr);

	counter_inc(authban_counters.would_block);
	if(ab_guard_shared(g, &source))
		counter_inc(authban_counters.would_block_good);
}

static enum authban_verdict count(
		enum authban_verdict verdict, const struct ab_addr *addr)
{
	counter_inc(authban_counters.checked);
	if(verdict == AUTHBAN_WOULD_BLOCK)
		count_would_block(addr);
	else if(verdict > AUTHBAN_LOOK)
		authban_blocked(addr);
	return verdict;
}

enum authban_verdict authban_check_addr(const struct ab_addr *addr)
{
	return count(authban_verdict(addr), addr);
}

enum authban_verdict authban_check_message(
		sip_msg_t *msg, const struct ab_addr *addr, bool *turn)
{
	enum authban_verdict verdict =
			passed_just_now(addr) ? AUTHBAN_PASS : authban_verdict(addr);

	*turn = false;
	if(verdict == AUTHBAN_LOOK)
		verdict = second_look(msg, addr, turn);
	return count(verdict, addr);
}
