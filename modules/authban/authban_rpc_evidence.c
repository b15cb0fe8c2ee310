/*
 * authban: authban.evidence and authban.evidence_get
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Records are copied one by one, each under its own lock, and printed after that. What
 * other programs read of an answer is described in the manual.
 */
#include "authban_rpc_row.h"

#include "ab_distinct.h"
#include "authban_privacy.h"
#include "authban_record.h"
#include "authban_shared.h"

#include "core/mem/shm_mem.h"

#include <stdlib.h>
#include <string.h>

static int add_methods(rpc_t *rpc, void *h, const struct ab_evidence_record *r)
{
	unsigned i;
	void *m;

	if(rpc->struct_add(h, "{", "methods", &m) < 0)
		return -1;
	for(i = 0; i < AB_METHOD_COUNT; i++)
		if(r->methods[i]
				&& rpc->struct_add(
						   m, "d", ab_method_name(i), (int)r->methods[i])
						   < 0)
			return -1;
	return 0;
}

/* Texts of a record are not ended when they are full. */
static const char *ended(char *out, const char *text, size_t size)
{
	memcpy(out, text, size);
	out[size] = '\0';
	return out;
}

static int add_sample(
		rpc_t *rpc, void *list, const struct ab_evidence_sample *sample)
{
	char time[AUTHBAN_TIME_TEXT], who[AB_EVIDENCE_NAME + 1];
	char agent[AB_EVIDENCE_AGENT + 1];
	void *s;

	if(sample->name[0])
		ended(who, sample->name, sizeof(sample->name));
	else if(sample->user)
		snprintf(who, sizeof(who), "%016llx", (unsigned long long)sample->user);
	else
		who[0] = '\0';
	if(rpc->array_add(list, "{", &s) < 0)
		return -1;
	return rpc->struct_add(s, "sssss", "time",
			authban_time_text(sample->time, time), "class",
			ab_guess_name(sample->guess), "method",
			ab_method_name(sample->method), "user", who, "user_agent",
			ended(agent, sample->agent, sizeof(sample->agent)));
}

static int add_samples(rpc_t *rpc, void *h, const struct ab_evidence_record *r)
{
	unsigned i;
	void *list;

	if(rpc->struct_add(h, "[", "samples", &list) < 0)
		return -1;
	for(i = 0; i < r->samples; i++)
		if(add_sample(rpc, list, &r->sample[i]) < 0)
			return -1;
	return 0;
}

static const char *print_addr(
		const struct ab_addr *addr, char out[static AB_PREFIX_TEXT])
{
	struct ab_prefix p = {*addr, 128};

	return ab_prefix_print(&p, out);
}

static int add_where(rpc_t *rpc, void *h, const struct ab_evidence_record *r)
{
	struct ab_prefix source = {r->source, r->source_len};
	char text[AB_PREFIX_TEXT], address[AB_PREFIX_TEXT], local[AB_PREFIX_TEXT];

	return rpc->struct_add(h, "ssdssds", "source",
			ab_prefix_print(&source, text), "address",
			print_addr(&r->address, address), "port", (int)r->port, "transport",
			ab_transport_name(r->transport), "local_address",
			print_addr(&r->local, local), "local_port", (int)r->local_port,
			"proof", ab_proof_name((enum ab_proof)r->proof));
}

static int add_counts(rpc_t *rpc, void *h, const struct ab_evidence_record *r)
{
	char first[AUTHBAN_TIME_TEXT], last[AUTHBAN_TIME_TEXT];

	return rpc->struct_add(h, "ssdddddd", "first",
			authban_time_text(r->first, first), "last",
			authban_time_text(r->last, last), "failures", (int)r->failures,
			ab_guess_name(AB_GUESS_PASSWORD),
			(int)r->guesses[AB_GUESS_PASSWORD], ab_guess_name(AB_GUESS_USER),
			(int)r->guesses[AB_GUESS_USER], ab_guess_name(AB_GUESS_MALFORMED),
			(int)r->guesses[AB_GUESS_MALFORMED], ab_guess_name(AB_GUESS_SCRIPT),
			(int)r->guesses[AB_GUESS_SCRIPT], "users",
			(int)ab_distinct_count(r->users));
}

/* What became of it: the ban of now is the table's word. */
static int add_fate(rpc_t *rpc, void *h, const struct ab_evidence_record *r)
{
	const struct ab_table *t = authban_table();
	struct ab_names *names = ab_table_names(t);
	struct ab_prefix source = {r->source, r->source_len}, net;
	struct ab_hit hit =
			ab_table_check(t, &r->address, &source, authban_now_mono());
	char incident[17], text[AB_PREFIX_TEXT] = "";

	if(ab_guard_network(&source, &net))
		ab_prefix_print(&net, text);
	snprintf(incident, sizeof(incident), "%016llx",
			(unsigned long long)r->incident);
	return rpc->struct_add(h, "ddsdsdsds", "banned",
			hit.state == AB_STATE_BANNED, "bans", (int)r->bans, "reason",
			ab_names_text(names, r->reason), "ban_time", (int)r->ban_seconds,
			"network", text, "campaign", (r->flags & AB_EVIDENCE_CAMPAIGN) != 0,
			"origin", ab_names_text(names, r->origin), "imported",
			(r->flags & AB_EVIDENCE_IMPORTED) != 0, "incident", incident);
}

static int add_record(rpc_t *rpc, void *ctx, const struct ab_evidence_record *r)
{
	void *h;

	return rpc->add(ctx, "{", &h) < 0 || add_where(rpc, h, r) < 0
						   || add_counts(rpc, h, r) < 0
						   || add_methods(rpc, h, r) < 0
						   || add_fate(rpc, h, r) < 0
						   || add_samples(rpc, h, r) < 0
				   ? -1
				   : 0;
}

static int newest_first(const void *a, const void *b)
{
	const struct ab_evidence_place *x = a, *y = b;

	if(x->last != y->last)
		return x->last < y->last ? 1 : -1;
	return x->place < y->place ? -1 : x->place > y->place;
}

static bool fault_when_off(rpc_t *rpc, void *ctx, const struct ab_evidence *e)
{
	if(e->head)
		return false;
	rpc->fault(ctx, 404, "no evidence is kept (parameter evidence is 0)");
	return true;
}

void authban_rpc_evidence(rpc_t *rpc, void *ctx)
{
	struct ab_evidence e = authban_records();
	uint32_t places = ab_evidence_places(&e), mono = authban_now_mono();
	struct ab_evidence_place *at;
	struct ab_evidence_record r;
	int limit, offset;
	size_t n, i;

	if(authban_rpc_page(rpc, ctx, &limit, &offset) < 0
			|| fault_when_off(rpc, ctx, &e))
		return;
	/* up to 1 MB, more than a process may have of its own */
	at = shm_malloc(places * sizeof(*at));
	if(!at) {
		authban_rpc_failed(rpc, ctx);
		return;
	}
	n = ab_evidence_list(&e, mono, at, places);
	qsort(at, n, sizeof(*at), newest_first);
	for(i = (size_t)offset; i < n && i < (size_t)offset + (size_t)limit; i++)
		if(ab_evidence_at(&e, at[i].place, mono, &r)
				&& add_record(rpc, ctx, &r) < 0) {
			authban_rpc_failed(rpc, ctx);
			break;
		}
	shm_free(at);
}

void authban_rpc_evidence_get(rpc_t *rpc, void *ctx)
{
	struct ab_evidence e = authban_records();
	struct authban_rpc_target at;
	struct ab_evidence_record r;

	if(authban_rpc_network(rpc, ctx, "which address? authban.evidence_get ip",
			   &at) < 0
			|| fault_when_off(rpc, ctx, &e))
		return;
	if(!ab_evidence_get(&e, &at.p, authban_now_mono(), &r))
		rpc->fault(ctx, 404, "there is no evidence of %.*s", at.text.len,
				at.text.s);
	else if(add_record(rpc, ctx, &r) < 0)
		authban_rpc_failed(rpc, ctx);
}
