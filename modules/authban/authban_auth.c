/*
 * authban: what it needs of Kamailio's auth module
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_auth.h"

#include "authban_mac.h"
#include "authban_params.h"
#include "authban_shared.h"
#include "authban_token.h"

#include "core/data_lump_rpl.h"
#include "core/dprint.h"
#include "core/mod_fix.h"
#include "core/sr_module.h"
#include "core/usr_avp.h"
#include "modules/auth/api.h"
#include "modules/sl/sl.h"

#include <string.h>

#define CREDENTIALS_MAX 8  /* of one message that are looked at */
#define CHALLENGE_MAX 2048 /* bytes of a challenge header */
#define PART_MAX 128	   /* bytes of a parameter that tell answers apart */
#define TOKEN_SLACK 30	   /* seconds a token outlives the nonce */
#define NONCE_EXPIRE 300   /* auth's default */
#define COMPLAIN_EVERY 60  /* seconds */
#define FLAG_QOP_AUTH 1	   /* flags of auth_challenge() */
#define FLAG_QOP_AUTH_INT 2
#define FLAG_NO_500 4
#define FLAG_STALE 16

static auth_api_s_t auth_api;
static sl_api_t sl_api;
static int bound;
static int nonce_expire = NONCE_EXPIRE;
static str *algorithm; /* auth's parameter; NULL or empty: MD5 */
static avp_ident_t challenge_avp;

/* --- the auth module's parameters --- */

static void *auth_param(const char *name, unsigned type)
{
	modparam_t found = 0;
	sr_module_t *auth = find_module_by_name("auth");
	void *p = auth ? find_param_export(auth, (char *)name, type, &found) : NULL;

	return p && !(found & PARAM_USE_FUNC) ? p : NULL;
}

static int auth_int(const char *name, int preset)
{
	int *p = auth_param(name, PARAM_INT);

	return p ? *p : preset;
}

/* NULL: auth draws a random one at each start. */
static const char *auth_secret(void)
{
	char **secret = auth_param("secret", PARAM_STRING);

	return secret ? *secret : NULL;
}

void authban_auth_settings(struct authban_auth_settings *out)
{
	const char *secret = auth_secret();

	out->loaded = module_loaded("auth");
	out->checks_register = auth_int("auth_checks_register", 0);
	out->checks_no_dlg = auth_int("auth_checks_no_dlg", 0);
	out->checks_in_dlg = auth_int("auth_checks_in_dlg", 0);
	out->nonce_count = auth_int("nonce_count", 0);
	out->nonce_expire = auth_int("nonce_expire", NONCE_EXPIRE);
	out->secret_len = secret ? (int)strlen(secret) : 0;
}

static int find_challenge_avp(void)
{
	str *attr = auth_param("challenge_attr", PARAM_STR);
	str name = STR_STATIC_INIT("digest_challenge");

	if(attr && attr->len > 1) {
		name.s = attr->s + 1; /* behind the $ */
		name.len = attr->len - 1;
	}
	if(parse_avp_ident(&name, &challenge_avp) < 0) {
		LM_ERR("auth's challenge_attr is no AVP\n");
		return -1;
	}
	return 0;
}

int authban_auth_init(void)
{
	struct authban_auth_settings auth;

	authban_auth_settings(&auth);
	if(!auth.loaded || !module_loaded("sl")) {
		LM_NOTICE("the modules auth and sl are not both loaded before authban:"
				  " authban_challenge() is not available, only senders over"
				  " stream transports can prove their address\n");
		return 0;
	}
	if(auth_load_api(&auth_api) < 0 || sl_load_api(&sl_api) < 0)
		return -1;
	nonce_expire = auth.nonce_expire;
	algorithm = auth_param("algorithm", PARAM_STR);
	if(find_challenge_avp() < 0 || authban_nonce_key_init(auth_secret()) < 0)
		return -1;
	bound = 1;
	return 0;
}

/* --- evidence --- */

int authban_is_stream(const sip_msg_t *msg)
{
	switch(msg->rcv.proto) {
		case PROTO_TCP:
		case PROTO_TLS:
		case PROTO_SCTP:
		case PROTO_WS:
		case PROTO_WSS:
			return 1;
		default:
			return 0;
	}
}

/* Length of a response by the algorithm that auth uses. */
static int response_length(void)
{
	return algorithm && algorithm->len == 7
						   && strncmp(algorithm->s, "SHA-256", 7) == 0
				   ? 64
				   : 32;
}

static enum ab_credentials shape_of(dig_cred_t *cred)
{
	return check_dig_cred(cred) == E_DIG_OK
						   && cred->response.len == response_length()
				   ? AB_CREDENTIALS_WELL_FORMED
				   : AB_CREDENTIALS_MALFORMED;
}

/* Whether credentials show a token that was made for the sender's address. */
static bool has_token(
		sip_msg_t *msg, const dig_cred_t *cred, struct ab_token *token)
{
	/* of most requests the same token is asked for twice */
	static struct
	{
		unsigned int id;
		int pid;
		const char *opaque;
		struct ab_token token;
	} good;
	struct ab_addr addr;

	if(good.opaque == cred->opaque.s && good.id == msg->id
			&& good.pid == msg->pid && good.opaque) {
		*token = good.token;
		return true;
	}
	authban_addr(&addr, &msg->rcv.src_ip);
	if(authban_token_check(
			   &addr, cred->opaque.s, (size_t)cred->opaque.len, token)
			!= AB_TOKEN_OK)
		return false;
	good.id = msg->id;
	good.pid = msg->pid;
	good.opaque = cred->opaque.s;
	good.token = *token;
	return true;
}

/* Whether the nonce that was judged is one that we gave to this address. In token
 * mode each goes out with a token of its own; the other modes cannot know. */
static bool nonce_is_ours(sip_msg_t *msg, const dig_cred_t *cred)
{
	struct ab_token token;

	return authban_params.proof != AUTHBAN_PROOF_TOKEN
		   || (cred->nonce.len > 0 && has_token(msg, cred, &token)
				   && ab_token_has_nonce(authban_nonce_key(token.old), &token,
						   cred->nonce.s, (size_t)cred->nonce.len));
}

/* All credentials of one kind, until one proves the address. */
static void look_at_headers(
		sip_msg_t *msg, struct hdr_field *h, struct authban_evidence *out)
{
	struct ab_token token;
	int n;

	for(n = 0; h && n < CREDENTIALS_MAX; h = next_sibling_hdr(h), n++) {
		out->any_credentials = 1;
		if(authban_params.proof != AUTHBAN_PROOF_TOKEN
				|| out->proof != AB_PROOF_NONE)
			return;
		if(parse_credentials(h) == 0
				&& has_token(msg, &((auth_body_t *)h->parsed)->digest, &token))
			out->proof = AB_PROOF_TOKEN;
	}
}

/* The header whose credentials the auth function has marked; NULL: none. */
static struct hdr_field *judged_header(sip_msg_t *msg)
{
	struct hdr_field *first = msg->authorization, *second = msg->proxy_auth;
	struct hdr_field *h = NULL;

	if(msg->REQ_METHOD != METHOD_REGISTER) {
		first = msg->proxy_auth;
		second = msg->authorization;
	}
	get_authorized_cred(first, &h);
	if(!h)
		get_authorized_cred(second, &h);
	return h && h->parsed ? h : NULL;
}

/* Credentials with our token, else the first that can be read. */
static dig_cred_t *likely_credentials(sip_msg_t *msg)
{
	struct hdr_field *h = msg->authorization;
	dig_cred_t *first = NULL;
	struct ab_token token;
	int n;

	if(!h || (msg->REQ_METHOD != METHOD_REGISTER && msg->proxy_auth))
		h = msg->proxy_auth;
	for(n = 0; h && n < CREDENTIALS_MAX; h = next_sibling_hdr(h), n++) {
		dig_cred_t *cred;

		if(parse_credentials(h) != 0)
			continue;
		cred = &((auth_body_t *)h->parsed)->digest;
		if(has_token(msg, cred, &token))
			return cred;
		if(!first)
			first = cred;
	}
	return first;
}

/* What was judged. A back end that does without auth marks nothing. */
static dig_cred_t *judged_credentials(sip_msg_t *msg)
{
	struct hdr_field *h = judged_header(msg);

	if(h)
		return &((auth_body_t *)h->parsed)->digest;
	return authban_params.backend == AB_BACKEND_CUSTOM
						   || authban_params.backend == AB_BACKEND_DIAMETER
				   ? likely_credentials(msg)
				   : NULL;
}

int authban_nonce_accepted(sip_msg_t *msg, int strict)
{
	struct hdr_field *h = judged_header(msg), *found = NULL;
	auth_result_t result;
	str realm;

	if(!bound || !h)
		return 0;
	realm = ((auth_body_t *)h->parsed)->digest.realm;
	result = auth_api.pre_auth(msg, &realm, h->type, &found, NULL);
	if(found != h)
		return 0;
	/* the first look may have used up a nonce that is good once */
	return result == DO_AUTHENTICATION
		   || (!strict && (result == NONCE_REUSED || result == STALE_NONCE));
}

/* A piece of a hash's input, cut where nobody honest goes. */
static size_t put_part(char *out, const str *part)
{
	size_t n = part->len > 0 ? (size_t)part->len : 0;

	if(n > PART_MAX)
		n = PART_MAX;
	if(n > 0)
		memcpy(out, part->s, n);
	out[n] = '\0';
	return n + 1;
}

uint64_t authban_answer(const struct ab_addr *addr, const str *name,
		const str *nonce, const str *nc, const str *response)
{
	const str *parts[] = {name, nonce, nc, response};
	char data[sizeof(*addr) + 4 * (PART_MAX + 1)];
	size_t n = sizeof(*addr), i;

	memcpy(data, addr, sizeof(*addr));
	for(i = 0; i < 4; i++)
		n += put_part(data + n, parts[i]);
	return authban_keyed_hash(data, n);
}

static uint64_t answer_of(const sip_msg_t *msg, const dig_cred_t *cred)
{
	struct ab_addr addr;

	authban_addr(&addr, &msg->rcv.src_ip);
	return authban_answer(&addr, &cred->username.whole, &cred->nonce, &cred->nc,
			&cred->response);
}

/* What all credentials of a request tell of the sender's address. Asked for twice of
 * most requests, before and after the auth function, so it is remembered. */
static void look_at_address(sip_msg_t *msg, struct authban_evidence *out)
{
	static struct authban_evidence last;
	static unsigned int last_id;
	static int last_pid;

	if(last_id != msg->id || last_pid != msg->pid) {
		memset(&last, 0, sizeof(last));
		look_at_headers(msg, msg->authorization, &last);
		look_at_headers(msg, msg->proxy_auth, &last);
		if(authban_is_stream(msg))
			last.proof = AB_PROOF_STREAM;
		last_id = msg->id;
		last_pid = msg->pid;
	}
	out->any_credentials = last.any_credentials;
	out->proof = last.proof;
}

void authban_evidence(sip_msg_t *msg, int judged, struct authban_evidence *out)
{
	dig_cred_t *cred;

	memset(out, 0, sizeof(*out));
	/* to the end: there may be credentials for several realms */
	if(parse_headers(msg, HDR_EOH_F, 0) < 0)
		LM_DBG("cannot parse all headers\n");
	if(!msg->authorization && !msg->proxy_auth) {
		out->proof = authban_is_stream(msg) ? AB_PROOF_STREAM : AB_PROOF_NONE;
		return;
	}
	look_at_address(msg, out);
	cred = judged ? judged_credentials(msg) : NULL;
	if(!cred)
		return;
	out->credentials = shape_of(cred);
	out->nonce_ours = nonce_is_ours(msg, cred);
	out->user = cred->username.whole;
	out->realm = cred->realm;
	out->answer = answer_of(msg, cred);
}

/* --- the challenge --- */

/* auth_challenge() takes qop from flags, build_challenge() from auth's own
 * parameter: it is lent the flags' for one call. */
static int build_with_qop(
		sip_msg_t *msg, str *realm, int flags, int stale, int hftype)
{
	struct qp saved = *auth_api.qop;
	struct qp qop = {STR_STATIC_INIT(""), QOP_UNSPEC};
	str *alg = algorithm && algorithm->len ? algorithm : NULL;
	int rc;

	if(flags & FLAG_QOP_AUTH_INT)
		qop = (struct qp){STR_STATIC_INIT("auth-int"), QOP_AUTHINT};
	else if(flags & FLAG_QOP_AUTH)
		qop = (struct qp){STR_STATIC_INIT("auth"), QOP_AUTH};
	*auth_api.qop = qop;
	rc = auth_api.build_challenge(msg, stale, realm, NULL, alg, hftype);
	*auth_api.qop = saved;
	return rc;
}

/* The value of nonce="..." in a header that we have just built. */
static str nonce_of(const char *hf, int len)
{
	static const char mark[] = "nonce=\"";
	const int n = sizeof(mark) - 1;
	const char *p = hf, *past = hf + len, *end;

	/* memmem() prepares more than there is to search */
	while((p = memchr(p, 'n', (size_t)(past - p)))) {
		if(past - p > n && memcmp(p, mark, (size_t)n) == 0) {
			end = memchr(p + n, '"', (size_t)(past - p - n));
			if(end)
				return (str){(char *)p + n, (int)(end - p - n)};
		}
		p++;
	}
	return (str)STR_NULL;
}

/* Header with our token before its CRLF; returns the length, -1: too long. */
static int add_token(sip_msg_t *msg, const str *hf, char *out, int size)
{
	static const char open[] = ", opaque=\"", close[] = "\"\r\n";
	str nonce = nonce_of(hf->s, hf->len);
	struct ab_addr addr;
	char *p = out;
	int len = hf->len;

	while(len > 0 && (hf->s[len - 1] == '\n' || hf->s[len - 1] == '\r'))
		len--;
	if(len + (int)sizeof(open) + AB_TOKEN_LEN + (int)sizeof(close) > size)
		return -1;
	memcpy(p, hf->s, len);
	p += len;
	memcpy(p, open, sizeof(open) - 1);
	p += sizeof(open) - 1;
	authban_addr(&addr, &msg->rcv.src_ip);
	authban_token_make(&addr, (uint32_t)nonce_expire + TOKEN_SLACK,
			authban_nonce_key(false), nonce.s ? nonce.s : "", (size_t)nonce.len,
			p);
	p += AB_TOKEN_LEN;
	memcpy(p, close, sizeof(close) - 1);
	return (int)(p - out) + (int)sizeof(close) - 1;
}

static int attach_challenge(
		sip_msg_t *msg, str *realm, int flags, int stale, int hftype)
{
	char header[CHALLENGE_MAX];
	avp_value_t val;
	avp_t *avp;
	int len;

	if(build_with_qop(msg, realm, flags, stale, hftype) < 0)
		return -1;
	avp = search_first_avp(
			challenge_avp.flags | AVP_VAL_STR, challenge_avp.name, &val, NULL);
	if(!avp)
		return -1;
	len = add_token(msg, &val.s, header, sizeof(header));
	destroy_avp(avp);
	return len > 0 && add_lump_rpl(msg, header, len, LUMP_RPL_HDR) ? 0 : -1;
}

/* Whoever asks could fill the log with it: one line a minute and worker. */
static void complain(void)
{
	static uint32_t next;
	uint32_t now = authban_now_mono();

	if(now < next)
		return;
	next = now + COMPLAIN_EVERY;
	LM_ERR("cannot build a challenge: there is no memory left, or the realm is"
		   " too long\n");
}

int authban_send_challenge(sip_msg_t *msg, str *realm, int flags, int stale)
{
	int reg = msg->REQ_METHOD == METHOD_REGISTER;
	int hftype = reg ? HDR_AUTHORIZATION_T : HDR_PROXYAUTH_T;
	str unauthorized = STR_STATIC_INIT("Unauthorized");
	str proxy = STR_STATIC_INIT("Proxy Authentication Required");
	str error = STR_STATIC_INIT("Internal Server Error");

	if(!bound || realm->len <= 0) {
		LM_ERR("authban_challenge() needs the modules auth and sl, loaded"
			   " before authban, and a realm\n");
		return -1;
	}
	if(attach_challenge(
			   msg, realm, flags, stale || (flags & FLAG_STALE), hftype)
			< 0) {
		complain();
		if(!(flags & FLAG_NO_500))
			sl_api.freply(msg, 500, &error);
		return -1;
	}
	if(sl_api.freply(msg, reg ? 401 : 407, reg ? &unauthorized : &proxy) < 0) {
		LM_DBG("cannot send a challenge\n");
		return -1;
	}
	return 1;
}
