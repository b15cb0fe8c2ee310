/*
 * authban: evidence of offenders is written down
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_record.h"

#include "authban_erase.h"
#include "authban_mac.h"
#include "authban_params.h"
#include "authban_privacy.h"
#include "authban_shared.h"

#include "core/dprint.h"
#include "core/mem/shm_mem.h"

#include <string.h>

#define SWEEP_PLACES 8192 /* looked at in a second */

static struct ab_evidence_head *arena;

int authban_record_init(void)
{
	uint32_t offenders = (uint32_t)authban_params.evidence;
	size_t bytes = ab_evidence_bytes(offenders);
	uint8_t key[16];
	char *mem;

	if(offenders == 0)
		return 0;
	if(authban_random(key, sizeof(key)) < 0)
		return -1;
	/* never given back, so where the block began does not matter */
	mem = shm_malloc(bytes + 64);
	if(!mem) {
		LM_ERR("parameter evidence is %d, which takes %zu MB of shared memory;"
			   " there is not as much: start Kamailio with a larger -m, or set"
			   " a smaller evidence\n",
				authban_params.evidence, bytes >> 20);
		return -1;
	}
	mem += 63 - ((uintptr_t)mem + 63) % 64;
	ab_evidence_init(mem, offenders, key);
	arena = (struct ab_evidence_head *)(void *)mem;
	return *authban_params.redis ? authban_erase_init() : 0;
}

struct ab_evidence authban_records(void)
{
	struct ab_evidence e = {arena, authban_table()->owner,
			(uint32_t)authban_params.evidence_ttl};

	return e;
}

static enum ab_transport transport_of(const struct receive_info *rcv)
{
	switch(rcv->proto) {
		case PROTO_UDP:
			return AB_TRANSPORT_UDP;
		case PROTO_TCP:
			return AB_TRANSPORT_TCP;
		case PROTO_TLS:
			return AB_TRANSPORT_TLS;
		case PROTO_WS:
			return AB_TRANSPORT_WS;
		case PROTO_WSS:
			return AB_TRANSPORT_WSS;
		case PROTO_SCTP:
			return AB_TRANSPORT_SCTP;
		default:
			return AB_TRANSPORT_OTHER;
	}
}

static enum ab_method method_of(const sip_msg_t *msg)
{
	switch(msg->REQ_METHOD) {
		case METHOD_REGISTER:
			return AB_METHOD_REGISTER;
		case METHOD_INVITE:
			return AB_METHOD_INVITE;
		case METHOD_OPTIONS:
			return AB_METHOD_OPTIONS;
		case METHOD_SUBSCRIBE:
			return AB_METHOD_SUBSCRIBE;
		case METHOD_PUBLISH:
			return AB_METHOD_PUBLISH;
		case METHOD_MESSAGE:
			return AB_METHOD_MESSAGE;
		case METHOD_REFER:
			return AB_METHOD_REFER;
		case METHOD_NOTIFY:
			return AB_METHOD_NOTIFY;
		case METHOD_INFO:
			return AB_METHOD_INFO;
		case METHOD_UPDATE:
			return AB_METHOD_UPDATE;
		case METHOD_BYE:
			return AB_METHOD_BYE;
		default:
			return AB_METHOD_OTHER;
	}
}

/* Mostly Kamailio has found it already. */
static struct ab_span agent_of(const sip_msg_t *msg)
{
	const struct hdr_field *h = msg->user_agent;

	if(!h || h->body.len <= 0)
		return (struct ab_span){NULL, 0};
	return (struct ab_span){h->body.s, (size_t)h->body.len};
}

void authban_record_failure(
		const struct authban_failure *f, const struct ab_findings *found)
{
	const sip_msg_t *msg = f->msg;
	bool readable = authban_params.privacy == AUTHBAN_PRIVACY_OFF;
	struct ab_evidence_event ev;
	struct ab_evidence e;

	/* the breaker may have kept it from being counted */
	if(!arena || !msg || f->shown == AB_PROOF_NONE
			|| !found->entry[AB_FOUND_SOURCE].ok)
		return;
	e = authban_records();
	ev = (struct ab_evidence_event){.source = authban_source(&f->addr),
			.address = f->addr,
			.port = msg->rcv.src_port,
			.local_port = msg->rcv.dst_port,
			.origin = authban_node_origin(),
			.transport = transport_of(&msg->rcv),
			.proof = f->shown,
			.guess = f->guess,
			.method = method_of(msg),
			.weight = f->weight,
			.user = f->user,
			.agent = agent_of(msg),
			.wall_ms = authban_wall_ms(),
			.mono = authban_now_mono(),
			.banned = found->banned,
			.campaign = found->entry[AB_FOUND_NETWORK].level != AB_LEVEL_NONE};
	if(!(msg->parsed_flag & HDR_EOH_F))
		ev.message = (struct ab_span){msg->buf, msg->len};
	authban_addr(&ev.local, &msg->rcv.dst_ip);
	if(readable)
		ev.name = (struct ab_span){f->name.s, (size_t)f->name.len};
	else
		ev.user_key = authban_privacy_key(ev.wall_ms);
	ab_evidence_failure(&e, &ev);
}

void authban_record_news(const struct ab_judgement *what)
{
	const struct ab_view *v = &what->view;
	struct ab_prefix source = {v->key.addr, v->key.plen};
	struct ab_evidence e;

	if(!arena || v->key.kind != AB_KIND_SOURCE || !what->news)
		return;
	e = authban_records();
	if(what->state == AB_STATE_UNBANNED)
		ab_evidence_unban(&e, &source);
	/* an operator's or script's word is no evidence */
	else if(what->state == AB_STATE_BANNED && v->proof != AB_PROOF_OPERATOR)
		ab_evidence_ban(&e, &source, authban_now_mono(), v->ttl, v->reason);
}

void authban_record_sweep(void)
{
	static uint32_t part;
	struct ab_evidence e = authban_records();

	ab_evidence_sweep(&e, part++,
			ab_evidence_places(&e) / (SWEEP_PLACES + 1) + 1, authban_wall_ms(),
			authban_now_mono());
}
