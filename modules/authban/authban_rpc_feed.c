/*
 * authban: RPC commands for imported lists
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_feed.h"

#include "authban_params.h"
#include "authban_rpc_row.h"
#include "authban_shared.h"

#include <string.h>
#include <unistd.h>

#define PAIRS_MAX 100 /* of one call */

/* What a call is about. A word of JSON-RPC may lie in a buffer that the next one is
 * written to, so the name is a copy. */
struct call
{
	struct ab_feeds *feeds;
	char list[AB_FEEDS_NAME + 1];
	size_t len;
	struct ab_prefix net[PAIRS_MAX];
	uint32_t ttl[PAIRS_MAX];
	int n;
};

static const char *action(void)
{
	return authban_params.feed_ban ? "ban" : "strict";
}

static int shown(const str *text)
{
	return text->len < 64 ? text->len : 64;
}

/* Reads the list's name. 0, or -1 with a fault set. */
static int scan_list(
		rpc_t *rpc, void *ctx, const char *usage, struct call *call)
{
	str text = STR_NULL;

	call->n = 0;
	call->feeds = authban_guard_quick()->feeds;
	if(!call->feeds) {
		rpc->fault(ctx, 409, "feed_size is 0: there is no room for lists");
		return -1;
	}
	if(rpc->scan(ctx, "*.S", &text) < 1 || text.len <= 0) {
		rpc->fault(ctx, 400, "%s", usage);
		return -1;
	}
	if(!ab_feeds_name_ok(text.s, (size_t)text.len)) {
		rpc->fault(ctx, 400,
				"%.*s is no name of a list: a-z, 0-9, and . _ - after the"
				" first, at most %u characters",
				shown(&text), text.s, AB_FEEDS_NAME);
		return -1;
	}
	call->len = (size_t)text.len;
	memcpy(call->list, text.s, call->len);
	return 0;
}

/* The next network. 1, 0 when there is none, -1 with a fault set. */
static int scan_net(rpc_t *rpc, void *ctx, struct call *call)
{
	struct ab_prefix *p = call->net + call->n, source;
	str text = STR_NULL;

	if(rpc->scan(ctx, "*.S", &text) < 1)
		return 0;
	if(call->n >= PAIRS_MAX) {
		rpc->fault(ctx, 400, "a call takes at most %d networks", PAIRS_MAX);
		return -1;
	}
	if(text.len <= 0
			|| ab_prefix_parse(p, text.s, (size_t)text.len, NULL) < 0) {
		rpc->fault(ctx, 400,
				"%.*s is not an IP address or a network such as 192.0.2.0/24"
				" (no bits behind its length)",
				shown(&text), text.s);
		return -1;
	}
	if(!ab_feeds_width_ok(p)) {
		rpc->fault(ctx, 400,
				"%.*s is too wide: a list may name at the widest a /%d of IPv4"
				" or a /%d of IPv6",
				shown(&text), text.s, AB_FEEDS_WIDEST_V4, AB_FEEDS_WIDEST_V6);
		return -1;
	}
	/* an address stands for its source, as in a ban */
	source = authban_source(&p->addr);
	if(p->len > source.len)
		*p = source;
	return 1;
}

/* The end of the network just read. 0, or -1 with a fault set. */
static int scan_ttl(rpc_t *rpc, void *ctx, struct call *call)
{
	char net[AB_PREFIX_TEXT];
	str text = STR_NULL;
	int ttl;

	if(rpc->scan(ctx, "*.S", &text) < 1) {
		rpc->fault(ctx, 400, "%s has no time to live: a pair is CIDR TTL",
				ab_prefix_print(&call->net[call->n], net));
		return -1;
	}
	ttl = authban_rpc_number(&text);
	if(ttl < 1 || ttl > AB_FEEDS_TTL_MAX) {
		rpc->fault(ctx, 400,
				"%.*s is not a time to live: seconds, from 1 to %d",
				shown(&text), text.s, AB_FEEDS_TTL_MAX);
		return -1;
	}
	call->ttl[call->n] = (uint32_t)ttl;
	return 0;
}

static void answer(rpc_t *rpc, void *ctx, const struct call *call,
		const char *first, int n, const char *second, int m)
{
	void *h;

	if(rpc->add(ctx, "{", &h) < 0
			|| rpc->struct_add(h, "dd", "entries",
					   (int)atomic_load(&call->feeds->used), first, n)
					   < 0
			|| (second && rpc->struct_add(h, "d", second, m) < 0))
		authban_rpc_failed(rpc, ctx);
}

static void refuse_add(rpc_t *rpc, void *ctx, const struct call *call,
		enum ab_feeds_result why, int done)
{
	if(why == AB_FEEDS_BUSY)
		rpc->fault(ctx, 503, "the lists are busy; try again");
	else if(why == AB_FEEDS_TOO_MANY)
		rpc->fault(ctx, 409,
				"%s would be one list too many; allowed are %u: drop one",
				call->list, AB_FEEDS_LISTS);
	else
		rpc->fault(ctx, 409,
				"there is no room for more than feed_size (%d) entries; %d of"
				" the %d in this call were taken",
				authban_params.feed_size, done, call->n);
}

/* All is read before anything is done: a call with a slip changes nothing. */
void authban_rpc_feed_add(rpc_t *rpc, void *ctx)
{
	static const char usage[] =
			"which? authban.feed_add source cidr ttl [cidr ttl]...";
	uint32_t now = authban_now_mono();
	struct call call = {.feeds = NULL};
	int rc, i, renewed = 0;

	if(scan_list(rpc, ctx, usage, &call) < 0)
		return;
	while((rc = scan_net(rpc, ctx, &call)) > 0) {
		if(scan_ttl(rpc, ctx, &call) < 0)
			return;
		call.n++;
	}
	if(rc < 0)
		return;
	if(call.n == 0) {
		rpc->fault(ctx, 400, "%s", usage);
		return;
	}
	for(i = 0; i < call.n; i++) {
		enum ab_feeds_result r = ab_feeds_add(call.feeds, call.list, call.len,
				&call.net[i], call.ttl[i], now, (uint32_t)getpid());

		if(r > AB_FEEDS_RENEWED) {
			refuse_add(rpc, ctx, &call, r, i);
			return;
		}
		renewed += r == AB_FEEDS_RENEWED;
	}
	answer(rpc, ctx, &call, "added", call.n - renewed, "renewed", renewed);
}

void authban_rpc_feed_drop(rpc_t *rpc, void *ctx)
{
	struct call call = {.feeds = NULL};
	long n, dropped = 0;
	int rc, i = 0;

	if(scan_list(rpc, ctx, "which? authban.feed_drop source [cidr]...", &call)
			< 0)
		return;
	while((rc = scan_net(rpc, ctx, &call)) > 0)
		call.n++;
	if(rc < 0)
		return;
	do {
		n = ab_feeds_drop(call.feeds, call.list, call.len,
				call.n ? &call.net[i] : NULL, (uint32_t)getpid());
		if(n > 0)
			dropped += n;
	} while(n != -2 && ++i < call.n);
	if(n == -2)
		rpc->fault(ctx, 503, "the lists are busy; try again");
	else if(n == -1 && call.n == 0)
		rpc->fault(ctx, 404, "there is no list %s", call.list);
	else
		answer(rpc, ctx, &call, "dropped", (int)dropped, NULL, 0);
}

void authban_rpc_feed_list(rpc_t *rpc, void *ctx)
{
	const struct ab_feeds *feeds = authban_guard_quick()->feeds;
	struct ab_feeds_list list[AB_FEEDS_LISTS];
	int limit, offset;
	unsigned i;
	void *h;

	if(authban_rpc_page(rpc, ctx, &limit, &offset) < 0)
		return;
	ab_feeds_lists(feeds, authban_now_mono(), list);
	for(i = 0; i < AB_FEEDS_LISTS && limit > 0; i++) {
		if(!*list[i].name || offset-- > 0)
			continue;
		limit--;
		if(rpc->add(ctx, "{", &h) < 0
				|| rpc->struct_add(h, "sdds", "source", list[i].name, "entries",
						   (int)list[i].entries, "ttl", (int)list[i].ttl,
						   "action", action())
						   < 0) {
			authban_rpc_failed(rpc, ctx);
			return;
		}
	}
}

int authban_rpc_feed_status(rpc_t *rpc, void *h)
{
	const struct ab_feeds *feeds = authban_guard_quick()->feeds;

	return rpc->struct_add(h, "dds", "feed_entries",
			feeds ? (int)atomic_load(&feeds->used) : 0, "feed_size",
			authban_params.feed_size, "feed_action", action());
}

int authban_rpc_feed_entry(
		rpc_t *rpc, void *h, const struct ab_prefix *source, bool allowed)
{
	const struct ab_guard *g = authban_guard_quick();
	char net[AB_PREFIX_TEXT];
	struct ab_feeds_hit hit;
	const char *effect;
	void *s;

	if(!ab_feeds_find(g->feeds, source, g->judge.now.mono, &hit))
		return 0;
	if(allowed)
		effect = "none: the allow-list wins";
	else if(ab_guard_shared(g, source))
		effect = "none: somebody is known-good there";
	else
		effect = authban_params.feed_ban ? "blocked" : "net_threshold";
	if(rpc->struct_add(h, "{", "feed", &s) < 0)
		return -1;
	return rpc->struct_add(s, "ssds", "source", hit.list, "net",
			ab_prefix_print(&hit.net, net), "ttl", (int)hit.ttl, "effect",
			effect);
}
