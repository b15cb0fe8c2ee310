/*
 * authban: authban.erase and authban.erase_user
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What this proxy keeps of one address or one user is forgotten. Where a ban is known
 * to others it is lifted for all of them, and the trace of that lasts as long as any
 * unban's. See docs/privacy.md for what cannot be found.
 */
#include "authban_rpc_row.h"

#include "authban_log.h"
#include "authban_mac.h"
#include "authban_params.h"
#include "authban_privacy.h"
#include "authban_record.h"
#include "authban_shared.h"

#include <string.h>

struct erased
{
	int entries, samples, facts;
	bool evidence;
};

/* An entry of the table: others may hold its state, and then have to hear. */
static void erase_entry(
		const struct ab_judge *j, const struct ab_view *v, struct erased *out)
{
	bool ban = v->state == AB_STATE_BANNED || v->state == AB_STATE_DRY_RUN;
	struct ab_judgement lifted;

	out->entries++;
	if(ban) {
		ab_judge_unban(j, &v->key, AB_REASON_OPERATOR, &lifted);
		authban_news(&lifted);
	}
	if(!ban || !ab_table_clustered(j->table))
		ab_table_remove(j->table, &v->key, j->set, &j->now);
}

typedef bool (*is_meant_f)(const struct ab_view *v, const void *what);

static void erase_entries(const struct ab_guard *g, is_meant_f is_meant,
		const void *what, struct erased *out)
{
	const struct ab_judge *j = &g->judge;
	struct ab_view row[AUTHBAN_RPC_ROWS];
	struct ab_cursor at = {0};
	size_t n, i;

	while((n = ab_table_walk(
				   j->table, &at, j->set, &j->now, row, AUTHBAN_RPC_ROWS))
			> 0)
		for(i = 0; i < n; i++) {
			struct ab_prefix source = {row[i].key.addr, row[i].key.plen};

			if(!is_meant(&row[i], what))
				continue;
			if(row[i].key.kind == AB_KIND_PAIR)
				out->facts += ab_good_forget(&g->good, &source, row[i].key.user,
						j->now.mono, (uint32_t)j->set->good_time);
			erase_entry(j, &row[i], out);
		}
}

/* --- an address --- */

static bool is_of_source(const struct ab_view *v, const void *what)
{
	const struct ab_prefix *p = what;

	return (v->key.kind == AB_KIND_SOURCE || v->key.kind == AB_KIND_PAIR)
		   && v->key.plen == p->len && ab_addr_equal(&v->key.addr, &p->addr);
}

void authban_rpc_erase(rpc_t *rpc, void *ctx)
{
	struct ab_guard g = *authban_guard();
	struct ab_evidence e = authban_records();
	struct authban_rpc_target at;
	struct erased out = {0};
	char net[AB_PREFIX_TEXT];
	void *h;

	if(authban_rpc_network(rpc, ctx, "which address? authban.erase ip", &at)
			< 0)
		return;
	erase_entries(&g, is_of_source, &at.p, &out);
	out.facts += ab_good_forget(&g.good, &at.p, 0, g.judge.now.mono,
			(uint32_t)g.judge.set->good_time);
	/* last: an unban would still have found it */
	out.evidence = ab_evidence_erase(&e, &at.p);
	authban_record_erased();
	authban_wake();
	if(rpc->add(ctx, "{", &h) < 0
			|| rpc->struct_add(h, "sddd", "source", ab_prefix_print(&at.p, net),
					   "entries", out.entries, "evidence", out.evidence,
					   "logins", out.facts)
					   < 0)
		authban_rpc_failed(rpc, ctx);
}

/* --- a user --- */

static bool is_of_user(const struct ab_view *v, const void *what)
{
	uint64_t hash = *(const uint64_t *)what;
	struct ab_key key = ab_key_user(hash);

	if(v->key.kind == AB_KIND_PAIR)
		return v->key.user == hash;
	return v->key.kind == AB_KIND_USER
		   && ab_addr_equal(&v->key.addr, &key.addr);
}

static bool is_sample_of(void *arg, const struct ab_evidence_sample *s)
{
	uint64_t hash = *(uint64_t *)arg;

	return s->user == hash || s->user == authban_pseudonym(hash, s->time);
}

/* Where he may have logged in: every source that anything is kept of. */
static void forget_logins(
		const struct ab_guard *g, uint64_t hash, struct erased *out)
{
	const struct ab_judge *j = &g->judge;
	struct ab_view row[AUTHBAN_RPC_ROWS];
	struct ab_cursor at = {0};
	size_t n, i;

	while((n = ab_table_walk(
				   j->table, &at, j->set, &j->now, row, AUTHBAN_RPC_ROWS))
			> 0)
		for(i = 0; i < n; i++) {
			struct ab_prefix source = {row[i].key.addr, row[i].key.plen};

			if(row[i].key.kind == AB_KIND_SOURCE)
				out->facts += ab_good_forget(&g->good, &source, hash,
						j->now.mono, (uint32_t)j->set->good_time);
		}
}

void authban_rpc_erase_user(rpc_t *rpc, void *ctx)
{
	struct ab_guard g = *authban_guard();
	struct ab_evidence e = authban_records();
	struct erased out = {0};
	str name = STR_NULL;
	uint64_t hash;
	void *h;

	if(rpc->scan(ctx, ".S", &name) < 1 || name.len <= 0) {
		rpc->fault(ctx, 400, "which user? authban.erase_user user@realm");
		return;
	}
	hash = authban_user_hash(&name, NULL);
	erase_entries(&g, is_of_user, &hash, &out);
	forget_logins(&g, hash, &out);
	out.samples = (int)ab_evidence_erase_user(&e, is_sample_of, &hash);
	authban_wake();
	if(rpc->add(ctx, "{", &h) < 0
			|| rpc->struct_add(h, "ddd", "entries", out.entries, "samples",
					   out.samples, "logins", out.facts)
					   < 0)
		authban_rpc_failed(rpc, ctx);
}
