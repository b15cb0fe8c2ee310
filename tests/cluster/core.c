/*
 * authban: one proxy's sync process and its workers, without Kamailio
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "core.h"

#include "authban_log.h"
#include "authban_mac.h"
#include "authban_params.h"
#include "authban_proc.h"
#include "authban_shared.h"
#include "kamailio.h"

#include <stdio.h>

#define SYNC_INTERVAL 5 /* ms, as in Kamailio */

static struct ab_url url;

static void fill_params(const struct core_config *c)
{
	struct authban_params *p = &authban_params;

	memset(p, 0, sizeof(*p));
	p->size = c->size;
	p->ipv4_prefix = 32;
	p->ipv6_prefix = 64;
	p->sync_interval = SYNC_INTERVAL;
	p->redis_start_timeout = 2;
	p->redis = c->redis;
	p->redis_prefix = c->prefix;
	p->redis_password_file = "";
	p->redis_tls_ca = p->redis_tls_cert = p->redis_tls_key = "";
	p->redis_shards = c->shards;
	p->peer_changes = 10000;
	p->node = c->node;
	p->cluster_key = "a key that all proxies of a test have";
	p->cluster_key_file = "";
	p->allow = p->allow_file = "";
	p->snapshot = c->snapshot;
	p->snapshot_interval = c->snapshot_interval;
	p->snapshot_max_age = 3600;
	p->event_callback = p->result_map = "";
}

int core_open(const struct core_config *config)
{
	const char *wrong;

	fill_params(config);
	wrong = ab_url_parse(&url, config->redis);
	if(wrong) {
		fprintf(stderr, "%s: %s\n", config->redis, wrong);
		return -1;
	}
	if(authban_keys_init() < 0 || authban_shared_init() < 0
			|| authban_proc_init(&url) < 0)
		return -1;
	authban_proc_restore();
	authban_proc_preload();
	return 0;
}

void core_run(void)
{
	authban_proc_start();
}

/* 10.SOURCE.HIGH.1 */
static struct ab_prefix address(unsigned source)
{
	uint8_t v4[4] = {10, (uint8_t)source, (uint8_t)(source >> 8), 1};
	struct ab_addr addr;

	ab_addr_from_v4(&addr, v4);
	return authban_source(&addr);
}

struct ab_key core_source(unsigned source)
{
	struct ab_prefix p = address(source);

	return ab_key_source(&p);
}

struct ab_key core_pair(unsigned source, uint64_t who)
{
	struct ab_prefix p = address(source);

	return ab_key_pair(&p, who);
}

static bool dropped(const struct ab_party *who)
{
	struct ab_guard_answer a = ab_guard_check(
			authban_guard_quick(), &who->source.addr, &who->source);

	if(a.verdict == AB_GUARD_LOOK && who->user)
		a = ab_guard_look(authban_guard(), who);
	return a.verdict == AB_GUARD_SOURCE || a.verdict == AB_GUARD_PAIR;
}

bool core_fail(unsigned source, uint64_t who)
{
	struct ab_failure f = {{address(source), who, 0}, 1, AB_PROOF_TOKEN, 0};
	struct ab_findings found;
	int i;

	if(dropped(&f.who))
		return false;
	ab_guard_failure(authban_guard(), &f, &found);
	for(i = 0; i < AB_FOUND_COUNT; i++)
		authban_news(&found.entry[i]);
	authban_wake();
	return true;
}

bool core_success(unsigned source, uint64_t who)
{
	struct ab_party party = {address(source), who, 0};

	if(dropped(&party))
		return false;
	ab_guard_success(authban_guard(), &party);
	return true;
}

void core_ban(unsigned source, uint32_t seconds)
{
	struct ab_key key = core_source(source);
	struct ab_judgement out;

	ab_judge_ban(
			&authban_guard()->judge, &key, seconds, AB_REASON_OPERATOR, &out);
	authban_news(&out);
	authban_wake();
}

void core_unban(unsigned source)
{
	struct ab_key key = core_source(source);
	struct ab_judgement out;

	ab_guard_unban(authban_guard(), &key, AB_REASON_OPERATOR, &out);
	authban_news(&out);
	authban_wake();
}

bool core_view(const struct ab_key *key, struct ab_view *out)
{
	const struct ab_judge *j = &authban_guard()->judge;

	return ab_table_get(j->table, key, j->set, &j->now, out) == 1;
}

void core_mark_all(void)
{
	const struct ab_judge *j = &authban_guard()->judge;

	ab_table_mark_all(j->table, j->set, &j->now);
	authban_wake();
}

bool core_has_dirty(void)
{
	return ab_table_has_dirty(authban_table());
}

bool core_has_met(void)
{
	return authban_sync_state()->reconnects > 0;
}
