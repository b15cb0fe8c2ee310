/*
 * authban: a limit of challenges to networks whose senders have proved nothing
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_limit.h"

#include "ab_rate.h"
#include "ab_siphash.h"
#include "authban_allow.h"
#include "authban_auth.h"
#include "authban_mac.h"
#include "authban_params.h"
#include "authban_stats.h"

#include "core/dprint.h"
#include "core/mem/shm_mem.h"

#include <time.h>

#define BUCKETS 16384 /* 128 kB */
#define NET_V4 24
#define NET_V6 56

static struct ab_rate *rate; /* NULL: no limit */
static uint8_t key[16];

int authban_limit_init(void)
{
	if(authban_params.challenge_limit == 0)
		return 0;
	if(authban_random(key, sizeof(key)) < 0)
		return -1;
	rate = shm_malloc(ab_rate_bytes(BUCKETS));
	if(!rate) {
		SHM_MEM_ERROR;
		return -1;
	}
	ab_rate_init(rate, BUCKETS, (uint32_t)authban_params.challenge_limit);
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool take(const struct ab_addr *addr)
{
	struct ab_prefix net = ab_prefix_of_source(addr, NET_V4, NET_V6);

	return ab_rate_take(
			rate, ab_siphash13(key, net.addr.b, sizeof(net.addr.b)), now_ms());
}

bool authban_limit_reached(sip_msg_t *msg, const struct authban_request *req,
		const struct ab_addr *addr)
{
	struct authban_evidence ev;
	enum ab_mode mode = authban_mode();

	if(!rate || mode == AB_MODE_OFF || req->proof != AB_PROOF_NONE)
		return false;
	/* the script may not have asked authban_proven() */
	authban_evidence(msg, 0, &ev);
	if(ev.proof != AB_PROOF_NONE || authban_allowed(addr, NULL) || take(addr))
		return false;
	if(mode == AB_MODE_BAN
			&& ab_rate_slips(rate, (uint32_t)authban_params.challenge_slip))
		return false;
	counter_inc(authban_counters.challenges_suppressed);
	return mode == AB_MODE_BAN;
}
