/*
 * authban: authban.report, one offender as an abuse report
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * XARF v4, connection / login_attack, made with Kamailio's own JSON. It names the exact
 * address and port, never a prefix. Nothing is sent anywhere. The same incident has the
 * same report_id each time it is asked for.
 *
 * A report may be passed on to the attacker: users are numbers within it, and whether a
 * guess met a user that exists is not told.
 */
#include "authban_rpc_row.h"

#include "ab_distinct.h"
#include "authban_mac.h"
#include "authban_params.h"
#include "authban_privacy.h"
#include "authban_record.h"
#include "authban_shared.h"

#include "core/basex.h"
#include "core/crypto/sha256.h"
#include "core/mem/mem.h"
#include "core/utils/srjson.h"

#include <string.h>

#define XARF_VERSION "4.0.0"
#define SAMPLE_LINE 320 /* one sample as a line of the attachment */
#define SAMPLE_LOG (AB_EVIDENCE_SAMPLES * SAMPLE_LINE)

static void add_text(
		srjson_doc_t *doc, srjson_t *to, const char *name, const char *text)
{
	srjson_AddStringToObject(doc, to, name, text);
}

static void add_number(
		srjson_doc_t *doc, srjson_t *to, const char *name, double n)
{
	srjson_AddNumberToObject(doc, to, name, n);
}

static void add_party(srjson_doc_t *doc, srjson_t *to, const char *name)
{
	srjson_t *who = srjson_CreateObject(doc);

	add_text(doc, who, "org", authban_params.report_org);
	add_text(doc, who, "contact", authban_params.report_contact);
	add_text(doc, who, "domain", authban_params.report_domain);
	srjson_AddItemToObject(doc, to, name, who);
}

/* A UUID (of version 4 by its form) that stays the incident's. */
static void print_id(const struct ab_evidence_record *r, char out[static 37])
{
	uint64_t id[2] = {r->incident, r->first};
	uint64_t low = authban_keyed_hash(id, sizeof(id));

	snprintf(out, 37, "%08llx-%04llx-4%03llx-%04llx-%012llx",
			(unsigned long long)(r->incident >> 32),
			(unsigned long long)(r->incident >> 16 & 0xffff),
			(unsigned long long)(r->incident & 0xfff),
			(unsigned long long)(low >> 48 & 0x3fff) | 0x8000,
			(unsigned long long)(low & 0xffffffffffffULL));
}

/* TLS and WS are TCP to a network's operator. */
static const char *protocol_of(const struct ab_evidence_record *r)
{
	if(r->transport == AB_TRANSPORT_UDP || r->transport == AB_TRANSPORT_SCTP)
		return ab_transport_name(r->transport);
	return "tcp";
}

/* --- the attachment --- */

static const char *guess_words(enum ab_guess guess)
{
	return guess == AB_GUESS_PASSWORD || guess == AB_GUESS_USER
				   ? "wrong_credentials"
				   : ab_guess_name(guess);
}

/* The number of a sample's user within the report, from 1 on; 0: it has none. */
static unsigned user_number(const struct ab_evidence_record *r, unsigned sample)
{
	unsigned i, k, n = 0;

	for(i = 0; i <= sample; i++) {
		for(k = 0; k < i && r->sample[k].user != r->sample[i].user; k++)
			;
		n += k == i && r->sample[i].user != 0;
		if(r->sample[i].user == r->sample[sample].user)
			break;
	}
	return r->sample[sample].user != 0 ? n : 0;
}

static size_t write_log(
		const struct ab_evidence_record *r, char out[static SAMPLE_LOG])
{
	size_t len = 0;
	unsigned i;

	for(i = 0; i < r->samples; i++) {
		const struct ab_evidence_sample *s = &r->sample[i];
		char time[AUTHBAN_TIME_TEXT];

		len += (size_t)snprintf(out + len, SAMPLE_LINE,
				"%s method=%s class=%s user=%u user_agent=\"%.*s\"\n",
				authban_time_text(s->time, time), ab_method_name(s->method),
				guess_words(s->guess), user_number(r, i),
				(int)strnlen(s->agent, sizeof(s->agent)), s->agent);
	}
	return len;
}

static void print_hash(const char *text, size_t len, char out[static 72])
{
	uint8_t hash[SHA256_DIGEST_LENGTH];
	SHA256_CTX ctx;
	int i;

	sr_SHA256_Init(&ctx);
	sr_SHA256_Update(&ctx, (const uint8_t *)text, len);
	sr_SHA256_Final(hash, &ctx);
	memcpy(out, "sha256:", 8);
	for(i = 0; i < SHA256_DIGEST_LENGTH; i++)
		snprintf(out + 7 + 2 * i, 3, "%02x", hash[i]);
}

static void add_log(
		srjson_doc_t *doc, srjson_t *to, const struct ab_evidence_record *r)
{
	static char text[SAMPLE_LOG];
	static unsigned char coded[SAMPLE_LOG / 3 * 4 + 8];
	srjson_t *list = srjson_CreateArray(doc), *item = srjson_CreateObject(doc);
	size_t len = write_log(r, text);
	char hash[72];
	int n = base64_enc(
			(unsigned char *)text, (int)len, coded, (int)sizeof(coded) - 1);

	print_hash(text, len, hash);
	coded[n > 0 ? n : 0] = '\0';
	add_text(doc, item, "content_type", "text/plain");
	add_text(doc, item, "description",
			"Samples of the failed authentications; users are numbered");
	add_text(doc, item, "payload", (char *)coded);
	add_text(doc, item, "hash", hash);
	add_number(doc, item, "size", (double)len);
	srjson_AddItemToArray(doc, list, item);
	srjson_AddItemToObject(doc, to, "evidence", list);
}

/* --- the report --- */

static void add_tags(
		srjson_doc_t *doc, srjson_t *to, const struct ab_evidence_record *r)
{
	srjson_t *tags = srjson_CreateArray(doc);

	srjson_AddItemToArray(doc, tags, srjson_CreateString(doc, "protocol:sip"));
	if(r->flags & AB_EVIDENCE_CAMPAIGN)
		srjson_AddItemToArray(
				doc, tags, srjson_CreateString(doc, "attack:campaign"));
	srjson_AddItemToObject(doc, to, "tags", tags);
}

static void add_attack(
		srjson_doc_t *doc, srjson_t *to, const struct ab_evidence_record *r)
{
	struct ab_prefix source = {r->address, 128}, local = {r->local, 128};
	char text[AB_PREFIX_TEXT], first[AUTHBAN_TIME_TEXT];
	char last[AUTHBAN_TIME_TEXT], words[256];

	add_text(doc, to, "source_identifier", ab_prefix_print(&source, text));
	add_number(doc, to, "source_port", r->port);
	add_text(doc, to, "category", "connection");
	add_text(doc, to, "type", "login_attack");
	add_text(doc, to, "protocol", protocol_of(r));
	add_text(doc, to, "destination_ip", ab_prefix_print(&local, text));
	add_number(doc, to, "destination_port", r->local_port);
	add_text(doc, to, "first_seen", authban_time_text(r->first, first));
	add_text(doc, to, "last_seen", authban_time_text(r->last, last));
	add_text(doc, to, "evidence_source", "automated_filter");
	/* the address was proved, not that its owner knows */
	add_number(doc, to, "confidence", 0.95);
	snprintf(words, sizeof(words),
			"%u failed SIP authentications over %s (%u wrong"
			" credentials, %u malformed, %u other) for about %u users; the"
			" sender has proved that it receives at this address (%s)",
			r->failures, ab_transport_name(r->transport),
			(unsigned)r->guesses[AB_GUESS_PASSWORD] + r->guesses[AB_GUESS_USER],
			r->guesses[AB_GUESS_MALFORMED], r->guesses[AB_GUESS_SCRIPT],
			ab_distinct_count(r->users),
			ab_proof_name((enum ab_proof)r->proof));
	add_text(doc, to, "description", words);
}

static char *make_report(srjson_doc_t *doc, const struct ab_evidence_record *r)
{
	char id[37], time[AUTHBAN_TIME_TEXT];

	doc->root = srjson_CreateObject(doc);
	if(!doc->root)
		return NULL;
	print_id(r, id);
	add_text(doc, doc->root, "xarf_version", XARF_VERSION);
	add_text(doc, doc->root, "report_id", id);
	add_text(doc, doc->root, "timestamp", authban_time_text(r->last, time));
	add_party(doc, doc->root, "reporter");
	add_party(doc, doc->root, "sender");
	add_attack(doc, doc->root, r);
	add_tags(doc, doc->root, r);
	if(r->samples > 0)
		add_log(doc, doc->root, r);
	return srjson_PrintUnformatted(doc, doc->root);
}

/* False: with a fault that says why there is nothing to report. */
static bool may_be_reported(rpc_t *rpc, void *ctx,
		const struct authban_rpc_target *at, bool known,
		const struct ab_evidence_record *r)
{
	if(!*authban_params.report_org)
		rpc->fault(ctx, 409,
				"who reports? report_org, report_contact and report_domain are"
				" not set");
	else if(!known)
		rpc->fault(ctx, 404, "there is no evidence of %.*s", at->text.len,
				at->text.s);
	else if(r->flags & AB_EVIDENCE_IMPORTED)
		rpc->fault(ctx, 409,
				"%.*s was seen by other nodes only: the report is theirs",
				at->text.len, at->text.s);
	else if(r->bans == 0)
		rpc->fault(ctx, 409, "%.*s has not been banned for its failures",
				at->text.len, at->text.s);
	else
		return true;
	return false;
}

void authban_rpc_report(rpc_t *rpc, void *ctx)
{
	struct ab_evidence e = authban_records();
	struct authban_rpc_target at;
	struct ab_evidence_record r = {.failures = 0};
	srjson_doc_t doc;
	char *text;

	if(authban_rpc_network(rpc, ctx, "which address? authban.report ip", &at)
					< 0
			|| !may_be_reported(rpc, ctx, &at,
					ab_evidence_get(&e, &at.p, authban_now_mono(), &r), &r))
		return;
	srjson_InitDoc(&doc, NULL);
	text = make_report(&doc, &r);
	if(!text || rpc->add(ctx, "s", text) < 0)
		authban_rpc_failed(rpc, ctx);
	if(text)
		doc.free_fn(text);
	srjson_DestroyDoc(&doc);
}
