/*
 * authban: what it needs of Kamailio's auth module
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The auth module makes and checks nonces; authban adds its token to the
 * challenge and looks at the credentials that come back. Only
 * build_challenge() and pre_auth() of auth's API are used: their signatures are
 * the same from Kamailio 5.6 to master.
 */
#ifndef AUTHBAN_AUTH_H
#define AUTHBAN_AUTH_H

#include "ab_classify.h"
#include "ab_entry.h"

#include "core/parser/digest/digest.h"
#include "core/parser/msg_parser.h"

/* The auth module's parameters as the configuration set them. */
struct authban_auth_settings
{
	int loaded;
	int checks_register, checks_no_dlg, checks_in_dlg;
	int nonce_count;
	int nonce_expire; /* seconds */
	int secret_len;	  /* 0: random at each start */
};

void authban_auth_settings(struct authban_auth_settings *out);

/* Binds auth and sl when they are loaded. 0, or -1 (logged). From mod_init. */
int authban_auth_init(void);

/* What a request brings to be judged by. */
struct authban_evidence
{
	enum ab_credentials credentials; /* those that the auth function judged */
	enum ab_proof proof;
	int any_credentials; /* of whatever realm */
	int nonce_ours;		 /* see struct ab_attempt */
	str user, realm;	 /* of the judged credentials; may be empty */
	uint64_t answer;	 /* a hash that tells this answer from any other */
};

/*
 * Looks at transport and credentials of a request. `judged`: an auth function
 * has run, look at the credentials that it has marked.
 */
void authban_evidence(sip_msg_t *msg, int judged, struct authban_evidence *out);

/* Whether the transport itself proves the sender's address. */
int authban_is_stream(const sip_msg_t *msg);

/* A hash of one answer to a challenge: the same for a retransmission and for a
 * replay of it. */
uint64_t authban_answer(const struct ab_addr *addr, const str *name,
		const str *nonce, const str *nc, const str *response);

/*
 * Asks auth again whether it accepts the nonce of the judged credentials.
 * `strict`: and that it was made for this source address; then a nonce that may
 * be used only once is not accepted. From a request that was judged already.
 */
int authban_nonce_accepted(sip_msg_t *msg, int strict);

/*
 * Sends 401 (REGISTER) or 407 with our token. flags as auth_challenge().
 * Returns 1, or -1 when nothing could be sent (logged).
 */
int authban_send_challenge(sip_msg_t *msg, str *realm, int flags, int stale);

#endif
