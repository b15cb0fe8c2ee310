/*
 * authban: what the RPC commands share: arguments in, rows out
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_rpc_row.h"

#include "authban_blocked.h"
#include "authban_log.h"
#include "authban_shared.h"

#include <time.h>

#define LIST_LIMIT 100	/* rows of a list when none is asked for */
#define LIST_MAX 100000 /* rows that can be asked for */

int authban_rpc_number(const str *text)
{
	int n = 0, i;

	if(text->len < 1 || text->len > 9)
		return -1;
	for(i = 0; i < text->len; i++) {
		if(text->s[i] < '0' || text->s[i] > '9')
			return -1;
		n = n * 10 + (text->s[i] - '0');
	}
	return n;
}

int authban_rpc_page(rpc_t *rpc, void *ctx, int *limit, int *offset)
{
	str first = STR_NULL, second = STR_NULL;
	int given;

	*limit = LIST_LIMIT;
	*offset = 0;
	/* one after the other: a number that is read as text lives in one buffer */
	given = rpc->scan(ctx, "*.S", &first);
	if(given > 0) {
		*limit = authban_rpc_number(&first);
		if(rpc->scan(ctx, "*.S", &second) > 0)
			*offset = authban_rpc_number(&second);
	}
	if(*limit >= 1 && *limit <= LIST_MAX && *offset >= 0)
		return 0;
	rpc->fault(ctx, 400, "limit is a number from 1 to %d, offset one from 0 on",
			LIST_MAX);
	return -1;
}

void authban_rpc_failed(rpc_t *rpc, void *ctx)
{
	rpc->fault(ctx, 500, "Internal error building the answer");
}

int authban_rpc_source(rpc_t *rpc, void *ctx, struct authban_rpc_target *out)
{
	struct ab_prefix source;

	if(ab_prefix_parse(&out->p, out->text.s, (size_t)out->text.len, &out->full)
			< 0) {
		rpc->fault(ctx, 400,
				"%.*s is not an IP address or a network such as 192.0.2.0/24"
				" (no bits behind its length)",
				out->text.len < 64 ? out->text.len : 64, out->text.s);
		return -1;
	}
	out->addr = out->p.addr;
	source = authban_source(&out->addr);
	if(out->full)
		out->p = source;
	if(out->p.len > source.len) {
		rpc->fault(ctx, 400,
				"sources are counted by networks of %d bits (ipv6_prefix);"
				" %d bits are too many",
				(int)source.len, (int)out->p.len);
		return -1;
	}
	return 0;
}

int authban_rpc_network(rpc_t *rpc, void *ctx, const char *usage,
		struct authban_rpc_target *out)
{
	if(rpc->scan(ctx, ".S", &out->text) < 1 || out->text.len <= 0) {
		rpc->fault(ctx, 400, "%s", usage);
		return -1;
	}
	return authban_rpc_source(rpc, ctx, out);
}

const char *authban_rpc_when(uint32_t ago, char out[static 24])
{
	time_t t = time(NULL) - (time_t)ago;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}

int authban_rpc_add_row(
		rpc_t *rpc, void *h, const struct ab_judge *j, const struct ab_view *v)
{
	struct ab_names *names = ab_table_names(j->table);
	struct ab_prefix p = {v->key.addr, v->key.plen};
	char source[AB_PREFIX_TEXT], since[24];

	return rpc->struct_add(h, "sssddsdssdd", "source",
			ab_prefix_print(&p, source), "state",
			authban_state_name(v, j->set->mode), "reason",
			ab_names_text(names, v->reason), "failures", (int)v->failures,
			"users", (int)v->users, "since", authban_rpc_when(v->age, since),
			"ttl", authban_ttl(v), "origin", ab_names_text(names, v->origin),
			"proof", ab_proof_name((enum ab_proof)v->proof), "repeats",
			(int)v->repeats, "blocked", (int)authban_blocked_count(&p));
}
