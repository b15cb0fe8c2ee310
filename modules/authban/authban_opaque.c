/*
 * authban: our token in the challenges of others
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_opaque.h"

#include "authban_auth.h"
#include "authban_mac.h"
#include "authban_params.h"
#include "authban_shared.h"
#include "authban_stats.h"
#include "authban_token.h"

#include "core/data_lump.h"
#include "core/dprint.h"
#include "core/mem/mem.h"

#include <string.h>

#define TOKEN_SECONDS 600 /* registrars forget a nonce sooner */
#define CREDENTIALS_MAX 8 /* of one message whose tokens are checked */
#define DELETED_MAX 256	  /* changes of a message that are looked at */
#define CHALLENGES_MAX 16 /* of one reply that get a token */

static enum ab_token_result token_of(const struct ab_addr *addr,
		const struct ab_digest *cred, struct ab_token *token)
{
	/* what follows is the registrar's own */
	if(cred->opaque.len < AB_TOKEN_LEN)
		return AB_TOKEN_MALFORMED;
	return authban_token_check(addr, cred->opaque.s, AB_TOKEN_LEN, token);
}

bool authban_opaque_is_old(
		const struct ab_addr *addr, const struct ab_digest *cred)
{
	struct ab_token token;

	return token_of(addr, cred, &token) == AB_TOKEN_EXPIRED
		   && ab_token_has_nonce(authban_upstream_key(token.old), &token,
				   cred->nonce.s, cred->nonce.len);
}

bool authban_opaque_is_deleted(
		const sip_msg_t *msg, const struct ab_digest *cred)
{
	long at = cred->header.s - msg->buf;
	const struct lump *l = msg->add_rm;
	int n;

	for(n = 0; l && n < DELETED_MAX; l = l->next, n++)
		if(l->op == LUMP_DEL && at >= l->u.offset && at < l->u.offset + l->len)
			return true;
	return false;
}

bool authban_opaque_proves(
		const sip_msg_t *msg, const struct ab_addr *addr, bool *any)
{
	struct ab_digest_scan scan;
	struct ab_digest cred;
	struct ab_token token;
	int n = 0;

	*any = false;
	ab_digest_begin(&scan, AB_DIGEST_CREDENTIALS, msg->buf, msg->len);
	while(n < CREDENTIALS_MAX && ab_digest_next(&scan, &cred)) {
		if(authban_opaque_is_deleted(msg, &cred))
			continue;
		*any = true;
		n++;
		if(token_of(addr, &cred, &token) == AB_TOKEN_OK)
			return true;
	}
	return false;
}

static void cut(sip_msg_t *msg, const char *s, size_t len)
{
	if(!del_lump(msg, (int)(s - msg->buf), (int)len, HDR_OTHER_T))
		LM_DBG("cannot change a header\n");
}

/* Text behind a change of the message, which may be a mere place in it. */
static void put(struct lump *where, const char *text, size_t len)
{
	char *copy = where ? pkg_malloc(len) : NULL;

	if(!copy) {
		PKG_MEM_ERROR;
		return;
	}
	memcpy(copy, text, len);
	if(!insert_new_lump_after(where, copy, (int)len, HDR_OTHER_T))
		pkg_free(copy);
}

static struct lump *place(sip_msg_t *msg, const char *at)
{
	return anchor_lump(msg, (int)(at - msg->buf), 0, HDR_OTHER_T);
}

/* --- requests --- */

/* Whether the address is proved, or needs no proof. */
static bool may_pass(const sip_msg_t *req, const struct ab_addr *addr)
{
	bool any;

	return authban_is_stream(req) || authban_mode() != AB_MODE_BAN
		   || authban_opaque_proves(req, addr, &any) || !any;
}

static void take_token(sip_msg_t *req, const struct ab_addr *addr,
		const struct ab_digest *cred)
{
	struct ab_token token;
	enum ab_token_result r = token_of(addr, cred, &token);

	if(r != AB_TOKEN_OK && r != AB_TOKEN_EXPIRED)
		return;
	if(cred->opaque.len == AB_TOKEN_LEN)
		cut(req, cred->opaque_cut.s, cred->opaque_cut.len);
	else
		cut(req, cred->opaque.s, AB_TOKEN_LEN);
}

bool authban_opaque_up(sip_msg_t *req, const struct ab_addr *addr)
{
	struct ab_digest_scan scan;
	struct ab_digest cred;
	bool pass;

	if(authban_params.proof != AUTHBAN_PROOF_TOKEN)
		return false;
	pass = may_pass(req, addr);
	ab_digest_begin(&scan, AB_DIGEST_CREDENTIALS, req->buf, req->len);
	while(ab_digest_next(&scan, &cred)) {
		if(authban_opaque_is_deleted(req, &cred))
			continue;
		if(pass)
			take_token(req, addr, &cred);
		else
			cut(req, cred.header.s, cred.header.len);
	}
	if(!pass)
		counter_inc(authban_counters.unproven);
	return !pass;
}

/* --- replies --- */

/* At the end of a challenge, or in front of the opaque that is there. */
static void put_token(sip_msg_t *rpl, const struct ab_addr *addr,
		const struct ab_digest *challenge)
{
	static const char open[] = ", opaque=\"";
	char text[sizeof(open) + AB_TOKEN_LEN];
	char *token = text + sizeof(open) - 1;

	memcpy(text, open, sizeof(open) - 1);
	authban_token_make(addr, TOKEN_SECONDS, authban_upstream_key(false),
			challenge->nonce.s, challenge->nonce.len, token);
	token[AB_TOKEN_LEN] = '"';
	if(challenge->opaque.s)
		put(place(rpl, challenge->opaque.s), token, AB_TOKEN_LEN);
	else
		put(place(rpl, challenge->value.s + challenge->value.len), text,
				sizeof(text));
}

static void put_stale(sip_msg_t *rpl, const struct ab_digest *challenge)
{
	static const char first[] = " stale=true,";
	const struct ab_span *stale = &challenge->stale;

	if(stale->len)
		put(del_lump(rpl, (int)(stale->s - rpl->buf), (int)stale->len,
					HDR_OTHER_T),
				"true", 4);
	else
		put(place(rpl, challenge->value.s + sizeof("Digest") - 1), first,
				sizeof(first) - 1);
}

void authban_opaque_down(sip_msg_t *rpl, const struct ab_addr *addr, bool stale)
{
	struct ab_digest_scan scan;
	struct ab_digest challenge;
	int n = 0;

	if(authban_params.proof != AUTHBAN_PROOF_TOKEN)
		return;
	ab_digest_begin(&scan, AB_DIGEST_CHALLENGE, rpl->buf, rpl->len);
	while(n++ < CHALLENGES_MAX && ab_digest_next(&scan, &challenge)) {
		if(challenge.nonce.len == 0)
			continue;
		put_token(rpl, addr, &challenge);
		if(stale)
			put_stale(rpl, &challenge);
	}
}
