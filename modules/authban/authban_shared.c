/*
 * authban: the shared memory of this Kamailio, and the moment
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_shared.h"

#include "ab_siphash.h"
#include "authban_feed.h"
#include "authban_mac.h"
#include "authban_params.h"
#include "authban_policies.h"

#include "core/dprint.h"
#include "core/mem/shm_mem.h"
#include "core/pt.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static struct ab_table table;
static int table_process = -1; /* process_no that `table` is opened for */
static struct authban_sync_state *sync_state;
static struct ab_nodes *nodes;
static struct ab_recent *attempts;
static struct ab_guard guard;
static int wake_fd = -1;
static uint16_t node_number, node_origin;

static int64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct ab_now authban_now(void)
{
	int64_t mono = clock_ms(CLOCK_MONOTONIC);
	struct ab_now now = {(uint32_t)(mono / 1000),
			(uint64_t)(mono + ab_table_clock_offset(&table))};

	return now;
}

uint32_t authban_now_mono(void)
{
	return (uint32_t)(clock_ms(CLOCK_MONOTONIC_COARSE) / 1000);
}

static int init_table(void)
{
	size_t bytes = ab_table_bytes((uint32_t)authban_params.size);
	uint8_t key[16];
	void *mem;

	if(authban_random(key, sizeof(key)) < 0)
		return -1;
	mem = shm_malloc(bytes);
	if(!mem) {
		LM_ERR("parameter size is %d, which takes %zu MB of shared memory;"
			   " there is not as much: start Kamailio with a larger -m, or set"
			   " a smaller size\n",
				authban_params.size, bytes >> 20);
		return -1;
	}
	ab_table_init(&table, mem, (uint32_t)authban_params.size, key,
			(uint32_t)getpid());
	ab_table_set_clock_offset(
			&table, clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_MONOTONIC));
	table_process = process_no;
	return 0;
}

static void init_node(void)
{
	static const uint8_t no_key[16];
	size_t len = strlen(authban_params.node);

	/* the same after a restart; two proxies with one number only make ties */
	node_number = (uint16_t)ab_siphash13(no_key, authban_params.node, len);
	node_origin = ab_names_intern(
			ab_table_names(&table), table.owner, authban_params.node, len);
}

/* One fact a slot: a login makes three (ab_good.h). */
#define GOOD_SLOTS_MIN 65536

static struct ab_recent *recent_set(uint32_t slots)
{
	struct ab_recent *r = shm_malloc(ab_recent_bytes(slots));

	if(r)
		ab_recent_init(r, slots);
	return r;
}

/* In a cluster it is one for all, or no proxy understood what another tells. */
static int good_key(uint8_t out[static 16])
{
	static const char label[] = "authban good 1";
	const struct ab_mac *mac = authban_mac_wire(false);
	uint8_t full[AB_MAC_LEN];

	if(!mac->sign)
		return authban_random(out, 16);
	mac->sign(mac->key, label, sizeof(label) - 1, full);
	memcpy(out, full, 16);
	return 0;
}

/* What proxies tell each other; nothing without a secret of their own. */
static int init_told(uint32_t slots)
{
	if(!*authban_params.redis || !authban_keys_shared())
		return 0;
	guard.good.told = recent_set(slots);
	guard.good.tell = shm_malloc(sizeof(*guard.good.tell));
	if(!guard.good.told || !guard.good.tell)
		return -1;
	ab_tell_init(guard.good.tell);
	return 0;
}

static int init_guard(void)
{
	uint32_t slots = (uint32_t)authban_params.size;

	if(slots < GOOD_SLOTS_MIN)
		slots = GOOD_SLOTS_MIN;
	guard.good.facts = recent_set(slots);
	guard.breaker = shm_malloc(sizeof(*guard.breaker));
	if(!guard.good.facts || !guard.breaker || init_told(slots) < 0) {
		SHM_MEM_ERROR;
		return -1;
	}
	memset(guard.breaker, 0, sizeof(*guard.breaker));
	guard.breaker->since = authban_now_mono();
	guard.policies = authban_policies();
	guard.feeds_ban = authban_params.feed_ban;
	if(authban_feed_init(&guard.feeds) < 0)
		return -1;
	authban_keyed_key(guard.hash_key);
	return good_key(guard.good.key);
}

int authban_shared_init(void)
{
	if(init_table() < 0 || init_guard() < 0)
		return -1;
	init_node();
	sync_state = shm_malloc(sizeof(*sync_state));
	attempts = recent_set(AB_ATTEMPT_SLOTS);
	nodes = shm_malloc(sizeof(*nodes));
	if(!sync_state || !attempts || !nodes) {
		SHM_MEM_ERROR;
		return -1;
	}
	memset(sync_state, 0, sizeof(*sync_state));
	memset(nodes, 0, sizeof(*nodes));
	wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if(wake_fd < 0) {
		LM_ERR("cannot make an eventfd: %s\n", strerror(errno));
		return -1;
	}
	return 0;
}

const struct ab_table *authban_table(void)
{
	/* locks name their owner's pid, so each process opens the table anew */
	if(table_process != process_no) {
		table.owner = (uint32_t)getpid();
		table_process = process_no;
	}
	return &table;
}

struct authban_sync_state *authban_sync_state(void)
{
	return sync_state;
}

struct ab_nodes *authban_nodes(void)
{
	return nodes;
}

long authban_sync_lag(void)
{
	int64_t since = sync_state->unsent_since;

	return since ? (long)(clock_ms(CLOCK_MONOTONIC) - since) : 0;
}

struct ab_recent *authban_attempts(void)
{
	return attempts;
}

uint16_t authban_node_number(void)
{
	return node_number;
}

uint16_t authban_node_origin(void)
{
	return node_origin;
}

struct ab_judge authban_judge(struct ab_settings *set)
{
	struct ab_judge j = {
			authban_table(), set, authban_now(), node_number, node_origin};

	authban_settings(set);
	return j;
}

void authban_guard_fill(struct ab_guard *g)
{
	*g = guard;
}

bool authban_guard_rekey(const uint8_t key[static 16])
{
	authban_keyed_key(guard.hash_key);
	if(authban_keys_shared())
		return memcmp(guard.good.key, key, sizeof(guard.good.key)) == 0;
	memcpy(guard.good.key, key, sizeof(guard.good.key));
	return true;
}

const struct ab_guard *authban_guard_quick(void)
{
	guard.judge.table = authban_table();
	guard.judge.set = authban_settings_now();
	guard.judge.now.mono = authban_now_mono();
	return &guard;
}

const struct ab_guard *authban_guard(void)
{
	guard.judge = (struct ab_judge){authban_table(), authban_settings_now(),
			authban_now(), node_number, node_origin};
	return &guard;
}

void authban_addr(struct ab_addr *out, const struct ip_addr *ip)
{
	if(ip->af == AF_INET)
		ab_addr_from_v4(out, ip->u.addr);
	else
		ab_addr_from_v6(out, ip->u.addr);
}

struct ab_prefix authban_source(const struct ab_addr *addr)
{
	return ab_prefix_of_source(addr, (unsigned)authban_params.ipv4_prefix,
			(unsigned)authban_params.ipv6_prefix);
}

void authban_wake(void)
{
	const uint64_t one = 1;

	if(ab_table_must_wake(&table)
			&& write(wake_fd, &one, sizeof(one)) != sizeof(one))
		LM_DBG("wake: %s\n", strerror(errno));
}

void authban_wake_always(void)
{
	const uint64_t one = 1;

	if(write(wake_fd, &one, sizeof(one)) != sizeof(one))
		return; /* full: it will not sleep */
}

int authban_wake_fd(void)
{
	return wake_fd;
}
