/*
 * authban: what a reply tells of the credentials in its request
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A refusal counts when
 * - the reply is a 401 or 407 without stale=true and the request carried
 *   credentials for that realm in the header for that challenge (401:
 *   Authorization, 407: Proxy-Authorization), or it is a 403 and watch_403 is 1;
 * - the sender has proved its address: by the token that the challenge got on its
 *   way down (authban_opaque.h), or by a stream transport.
 *
 * Some registrars do not say stale=true when a nonce has expired. The phone
 * answers the new challenge and nobody was guessing. So
 * - a nonce that has brought this user in from this address before (`accepted`)
 *   is let pass a few times: whoever has it knew the password. Its 403 is about
 *   something else, every time;
 * - a nonce that is older than its token, over a stream, is let pass once for a
 *   user, and not for more than some users of a source.
 *
 * A success is a 2xx to a REGISTER that differs from one that was challenged only
 * by its credentials (`asked`: the nonce went out in answer to the same request
 * URI, From and To). Else anybody could have names of others noted as successes,
 * with a request that needs no password at all. A 2xx to any other request may
 * come from somebody who is called, and say nothing of the password.
 * The two sets may forget when there is more than there is room for: then a
 * success is not noted, or an expired nonce is counted.
 */
#include "authban_outcome.h"

#include "ab_digest.h"
#include "authban_auth.h"
#include "authban_check.h"
#include "authban_count.h"
#include "authban_mac.h"
#include "authban_opaque.h"
#include "authban_params.h"
#include "authban_rc.h"
#include "authban_script.h"
#include "authban_shared.h"
#include "authban_stats.h"

#include "core/dprint.h"
#include "core/mem/shm_mem.h"

#include <string.h>

#define CHALLENGES_MAX 16	   /* of one reply that are looked at */
#define ACCEPTED_SECONDS 86400 /* longer than registrars let a nonce live */
#define ACCEPTED_TIMES 4	   /* requests that a phone sends at once */
#define LET_PASS_SECONDS 300
#define OLD_BUCKETS 64	  /* of users of one source, so many let pass */
#define ASKED_SLOTS 65536 /* half a megabyte */
#define ACCEPTED_SLOTS 65536

static struct ab_recent *asked, *accepted;

enum tag_kind
{
	TAG_ASKED = 1,
	TAG_ACCEPTED,
	TAG_LET_PASS,
	TAG_OLD
};

/* Distinct uses never share a tag; nobody outside can choose one. */
static uint64_t tag(enum tag_kind kind, const struct authban_ask *ask,
		const struct ab_span *nonce, uint64_t more)
{
	struct
	{
		struct ab_addr addr;
		uint64_t kind, nonce, more;
	} t = {ask->addr, kind, 0, more};

	if(nonce)
		t.nonce = authban_keyed_hash(nonce->s, nonce->len);
	return authban_keyed_hash(&t, sizeof(t));
}

static bool has(struct ab_recent *set, enum tag_kind kind,
		const struct authban_ask *ask, const struct ab_span *nonce,
		uint64_t more)
{
	return ab_recent_has(
			set, tag(kind, ask, nonce, more), ask->now, ACCEPTED_SECONDS);
}

static void touch(struct ab_recent *set, enum tag_kind kind,
		const struct authban_ask *ask, const struct ab_span *nonce,
		uint64_t more)
{
	ab_recent_touch(
			set, tag(kind, ask, nonce, more), ask->now, ACCEPTED_SECONDS);
}

static str to_str(const struct ab_span *s)
{
	return (str){(char *)s->s, (int)s->len};
}

static uint64_t user_of(const struct ab_digest *cred)
{
	str name = to_str(&cred->username), realm = to_str(&cred->realm);

	return authban_user_hash(&name, &realm);
}

/* What a REGISTER asks for, apart from its credentials; 0: it is none, or that
 * cannot be told. */
static uint64_t request_of(const struct authban_ask *ask)
{
	struct ab_request r;
	uint64_t parts[3];

	if(ask->msg->REQ_METHOD != METHOD_REGISTER
			|| !ab_request_read(&r, ask->msg->buf, ask->msg->len)
			|| r.in_dialog)
		return 0;
	parts[0] = authban_keyed_hash(r.uri.s, r.uri.len);
	parts[1] = authban_keyed_hash(r.from.s, r.from.len);
	parts[2] = authban_keyed_hash(r.to.s, r.to.len);
	return authban_keyed_hash(parts, sizeof(parts));
}

static void begin_credentials(
		struct ab_digest_scan *scan, const struct authban_ask *ask)
{
	ab_digest_begin(scan, AB_DIGEST_CREDENTIALS, ask->msg->buf, ask->msg->len);
}

static bool next_credentials(struct ab_digest_scan *scan,
		const struct authban_ask *ask, struct ab_digest *cred)
{
	while(ab_digest_next(scan, cred))
		if(!authban_opaque_is_deleted(ask->msg, cred))
			return true;
	return false;
}

static int read_challenges(const struct authban_answer *answer,
		struct ab_digest all[CHALLENGES_MAX])
{
	struct ab_digest_scan scan;
	int n = 0;

	ab_digest_begin(&scan, AB_DIGEST_CHALLENGE, answer->text, answer->len);
	while(n < CHALLENGES_MAX && ab_digest_next(&scan, &all[n]))
		n++;
	return n;
}

static void remember(const struct authban_ask *ask,
		const struct ab_digest *challenges, int n)
{
	uint64_t request = n > 0 ? request_of(ask) : 0;
	int i;

	for(i = 0; i < n && request; i++)
		if(challenges[i].nonce.len)
			touch(asked, TAG_ASKED, ask, &challenges[i].nonce, request);
}

/* --- refusals --- */

/* Whether these credentials are what a challenge turns down. */
static bool is_turned_down(
		const struct ab_digest *cred, const struct ab_digest *challenges, int n)
{
	bool found = false;
	int i;

	for(i = 0; i < n; i++) {
		if(challenges[i].proxy != cred->proxy
				|| !ab_digest_same_realm(cred, &challenges[i]))
			continue;
		if(ab_digest_is_stale(&challenges[i]))
			return false;
		found = true;
	}
	return found;
}

/* Our own auth function may have said why: a nonce that has expired, a database
 * that is down and a request without need of a password are no refusals. */
static bool own_reason_counts(
		const struct authban_ask *ask, const struct ab_digest *cred)
{
	switch(authban_rc_last(ask->msg)) {
		case 0: /* none has run, or not by that way */
		case -2:
		case -3:
			return true;
		case -1:
			return !ab_digest_is_well_formed(cred);
		default:
			return false;
	}
}

/* How the sender has proved its address: by any of its credentials. */
static enum ab_proof proof_of(
		const struct authban_ask *ask, const struct authban_answer *answer)
{
	int rc = authban_rc_last(ask->msg);
	bool any;

	if(authban_is_stream(ask->msg))
		return AB_PROOF_STREAM;
	if(authban_params.proof == AUTHBAN_PROOF_TOKEN
			&& authban_opaque_proves(ask->msg, &ask->addr, &any))
		return AB_PROOF_TOKEN;
	/* our own auth has checked that the nonce was made for this address */
	if(authban_params.proof == AUTHBAN_PROOF_NONCE && answer->own
			&& (rc == -2 || rc == -3))
		return AB_PROOF_NONCE;
	return AB_PROOF_NONE;
}

/* True so many times in LET_PASS_SECONDS. */
static bool let_pass(enum tag_kind kind, const struct authban_ask *ask,
		const struct ab_span *nonce, uint64_t who, unsigned times)
{
	unsigned i;

	for(i = 0; i < times; i++)
		if(!ab_recent_seen(accepted, tag(kind, ask, nonce, who + i), ask->now,
				   LET_PASS_SECONDS))
			return true;
	return false;
}

/* Whether the nonce may have expired, as far as we can know. */
static bool is_expired(const struct authban_ask *ask,
		const struct authban_answer *answer, const struct ab_digest *cred,
		uint64_t who)
{
	if(answer->own && authban_rc_last(ask->msg) != 0)
		return false; /* auth would have said so */
	if(has(accepted, TAG_ACCEPTED, ask, &cred->nonce, who))
		return answer->code == 403
			   || let_pass(
					   TAG_LET_PASS, ask, &cred->nonce, who, ACCEPTED_TIMES);
	return answer->code != 403 && authban_opaque_is_old(&ask->addr, cred)
		   && let_pass(TAG_OLD, ask, NULL, who % OLD_BUCKETS, 1);
}

static enum ab_guess guess_of(
		const struct authban_ask *ask, const struct ab_digest *cred)
{
	if(!ab_digest_is_well_formed(cred))
		return AB_GUESS_MALFORMED;
	return authban_rc_last(ask->msg) == -3 ? AB_GUESS_USER : AB_GUESS_PASSWORD;
}

static void count(const struct authban_ask *ask, const struct ab_digest *cred,
		uint64_t who, enum ab_proof proof)
{
	str name = to_str(&cred->username), nonce = to_str(&cred->nonce);
	str nc = to_str(&cred->nc), response = to_str(&cred->response);
	struct authban_failure f = {.addr = ask->addr,
			.user = who,
			.weight = 1,
			.proof = proof,
			.flow = authban_flow(&ask->msg->rcv),
			.msg = ask->msg,
			.shown = proof,
			.guess = guess_of(ask, cred),
			.name = name};

	f.answer = authban_answer(&ask->addr, &name, &nonce, &nc, &response);
	authban_count_failure(&f);
}

/* One attempt: the first credentials that count. A phone sends one header for a
 * realm; one who sends several may not hide behind the harmless ones. */
static void judge_refusal(const struct authban_ask *ask,
		const struct authban_answer *answer, const struct ab_digest *challenges,
		int n)
{
	enum ab_proof proof = proof_of(ask, answer);
	counter_handle_t *harmless = NULL;
	struct ab_digest_scan scan;
	struct ab_digest cred;
	uint64_t who;

	begin_credentials(&scan, ask);
	while(next_credentials(&scan, ask, &cred)) {
		if((answer->code != 403 && !is_turned_down(&cred, challenges, n))
				|| (answer->own && !own_reason_counts(ask, &cred)))
			continue;
		who = user_of(&cred);
		if(proof == AB_PROOF_NONE) {
			harmless = &authban_counters.unproven;
			break;
		}
		if(!is_expired(ask, answer, &cred, who)) {
			count(ask, &cred, who, proof);
			return;
		}
		harmless = &authban_counters.expired_nonces;
	}
	if(harmless)
		counter_inc(*harmless);
}

/* --- successes --- */

/* Whether every header of credentials answers a challenge to this very request,
 * all in one name: it is one of them that was accepted. */
static bool is_success(const struct authban_ask *ask, uint64_t request,
		struct ab_digest *first)
{
	struct ab_digest_scan scan;
	struct ab_digest cred;
	bool found = false;

	begin_credentials(&scan, ask);
	while(next_credentials(&scan, ask, &cred)) {
		if(!found)
			*first = cred;
		found = true;
		if(!ab_span_equal(&cred.username, &first->username)
				|| !has(asked, TAG_ASKED, ask, &cred.nonce, request))
			return false;
	}
	return found;
}

static void judge_success(
		const struct authban_ask *ask, const struct authban_answer *answer)
{
	uint64_t request = request_of(ask);
	struct ab_digest_scan scan;
	struct ab_digest cred;
	int rc = answer->own ? authban_rc_last(ask->msg) : 0;

	if((rc != 0 && rc != 1) || !request || !is_success(ask, request, &cred))
		return;
	authban_count_success(&ask->addr, user_of(&cred), proof_of(ask, answer),
			authban_flow(&ask->msg->rcv));
	begin_credentials(&scan, ask);
	while(next_credentials(&scan, ask, &cred)) {
		touch(asked, TAG_ASKED, ask, &cred.nonce, request);
		touch(accepted, TAG_ACCEPTED, ask, &cred.nonce, user_of(&cred));
	}
}

/* --- both --- */

void authban_outcome(
		const struct authban_ask *ask, const struct authban_answer *answer)
{
	struct ab_digest challenges[CHALLENGES_MAX];
	int n = 0;
	/* authban_result() knows more than the reply of the same script */
	bool judged = answer->own && authban_class_of(ask->msg) != AB_CLASS_NONE;

	if(answer->code == 401 || answer->code == 407) {
		n = read_challenges(answer, challenges);
		if(!judged)
			judge_refusal(ask, answer, challenges, n);
		/* only now: an answer to this very challenge cannot be there yet */
		remember(ask, challenges, n);
	} else if(judged) {
		return;
	} else if(answer->code == 403 && authban_params.watch_403) {
		judge_refusal(ask, answer, NULL, 0);
	} else if(answer->code >= 200 && answer->code < 300) {
		judge_success(ask, answer);
	}
}

static struct ab_recent *make_set(uint32_t slots)
{
	struct ab_recent *set = shm_malloc(ab_recent_bytes(slots));

	if(set)
		ab_recent_init(set, slots);
	else
		SHM_MEM_ERROR;
	return set;
}

int authban_outcome_init(void)
{
	asked = make_set(ASKED_SLOTS);
	accepted = make_set(ACCEPTED_SLOTS);
	return asked && accepted ? 0 : -1;
}
