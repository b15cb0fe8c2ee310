/*
 * authban: a day in the life: the attackers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "day.h"

#include <string.h>

static const struct attacker presets[GUESSERS] = {
		[GUESS_LOUD] = {.name = "loud, 150/s from one address",
				.begin = HOURS(1.5),
				.end = DAY_MS,
				.every = 1000 / 150},
		[GUESS_V4_NETWORK] = {.name = "130 addresses of a /24, 520 a round",
				.begin = HOURS(2),
				.end = DAY_MS,
				.every = 200},
		[GUESS_V6_SOURCE] = {.name = "random addresses of a /64, 50/s",
				.begin = HOURS(2.5),
				.end = DAY_MS,
				.every = 20},
		[GUESS_SLOW] = {.name = "one guess in ten minutes",
				.begin = HOURS(0.1),
				.end = DAY_MS,
				.every = 600000},
		[GUESS_USER] = {.name = "one user from 1,000 addresses",
				.begin = HOURS(5),
				.end = DAY_MS,
				.every = 200},
		[GUESS_NAT_USERS] = {.name = "in a NAT, 1,000 users in turn, 100/s",
				.begin = HOURS(6),
				.end = HOURS(18),
				.every = 10},
		[GUESS_NAT_ONE] = {.name = "in a NAT, one user, 100/s",
				.begin = HOURS(6),
				.end = HOURS(18),
				.every = 10},
		[GUESS_NAT_PORTS] = {.name = "in a NAT, many users, new ports, 10/s",
				.begin = HOURS(6),
				.end = HOURS(18),
				.every = 100},
		[GUESS_ACCOUNT_PORTS] = {.name = "own account, new ports, no pause",
				.begin = HOURS(1),
				.end = DAY_MS,
				.every = 20000},
		[GUESS_ACCOUNT] = {.name = "own account, 5 users at a time",
				.begin = HOURS(1),
				.end = DAY_MS,
				.every = 20000},
};

void day_attackers(struct day *d)
{
	unsigned i;

	memcpy(d->attacker, presets, sizeof(presets));
	for(i = 0; i < GUESSERS; i++)
		day_at(d->attacker[i].begin, DAY_PHONES + i);
}

/* What is counted apart: rounds of the ones with many addresses, else minutes. */
#define ROUND_GUESSES 520u
#define USER_ADDRESSES 1000u
#define ROUND_PAUSE SECONDS(1800)

static bool has_account(enum guesser which)
{
	return which == GUESS_ACCOUNT || which == GUESS_ACCOUNT_PORTS;
}

static struct ab_addr v6_random(struct day *d)
{
	uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, 0, 3, 0, 200};
	uint64_t host = rng_next(&d->r);
	struct ab_addr a;

	memcpy(v6 + 8, &host, sizeof(host));
	ab_addr_from_v6(&a, v6);
	return a;
}

/* Odd rounds go through the addresses four times, even ones try four times each. */
static struct ab_addr v4_of_round(const struct attacker *a)
{
	uint64_t n = a->sent % ROUND_GUESSES;

	return day_v4(0x000500
				  + (uint32_t)(a->sent / ROUND_GUESSES % 2 ? n % 130 : n / 4));
}

static void who_guesses(struct day *d, enum guesser which, struct ab_addr *addr,
		struct ab_party *who)
{
	struct attacker *a = &d->attacker[which];

	who->user = day_user(2000 + (uint32_t)(a->sent % 1000));
	switch(which) {
		case GUESS_LOUD:
			*addr = day_v4(0x000607);
			break;
		case GUESS_V4_NETWORK:
			*addr = v4_of_round(a);
			break;
		case GUESS_V6_SOURCE:
			*addr = v6_random(d);
			break;
		case GUESS_SLOW:
			*addr = day_v4(0x000707);
			break;
		case GUESS_USER:
			*addr = day_v4(
					0x700001 + (uint32_t)(a->sent % USER_ADDRESSES) * 0x100);
			/* a phone that registers all day */
			who->user = d->phone[DAY_PHONES - 1].user;
			break;
		case GUESS_NAT_USERS:
			*addr = day_v4(0x640000 + 20 * 0x100 + 9);
			break;
		case GUESS_NAT_ONE:
			*addr = day_v4(0x640000 + 21 * 0x100 + 9);
			who->user = d->phone[DAY_PHONES - 2].user;
			break;
		case GUESS_NAT_PORTS:
			*addr = day_v4(0x640000 + 22 * 0x100 + 9);
			break;
		default: /* six tries a window for each, for two windows */
			*addr = day_v4(which == GUESS_ACCOUNT ? 0x000807 : 0x000907);
			who->user = day_user(
					50000 + (uint32_t)(a->sent / 60 * 5 + a->sent % 5));
	}
	who->source = ab_prefix_of_source(addr, 32, 64);
	who->flow = 900000 + which;
	if(which == GUESS_NAT_PORTS || which == GUESS_ACCOUNT_PORTS)
		who->flow += (a->sent + 1) * 1000000;
}

/* In which round, or which minute, this guess is. */
static uint64_t round_of(const struct day *d, enum guesser which)
{
	const struct attacker *a = &d->attacker[which];

	if(which == GUESS_V4_NETWORK)
		return a->sent / ROUND_GUESSES + 1;
	return d->ms / 60000;
}

static void evaluated(struct day *d, enum guesser which, bool banned)
{
	struct attacker *a = &d->attacker[which];

	a->evaluated++;
	a->bans += banned;
	if(ab_breaker_is_open(&d->breaker)) {
		a->in_suspension++;
		return;
	}
	a->round_evaluated++;
	/* the price of one user is asked for behind the 50th guess */
	if(which == GUESS_USER && a->sent % USER_ADDRESSES < 50)
		a->round_evaluated = 0;
	if(a->round_evaluated > a->round_most)
		a->round_most = a->round_evaluated;
	if(banned && a->first_ban == 0) {
		a->first_ban = d->ms;
		a->evaluated_before_ban = a->evaluated;
	}
}

/* His own account, so that his source is shared. */
static void log_in(struct day *d, struct ab_party who, struct ab_addr addr)
{
	struct ab_guard g = day_guard(d);
	enum ab_guard_verdict why;

	who.user = day_user(7777777);
	if(day_ask(d, &addr, &who, &why))
		ab_guard_success(&g, &who);
}

void day_attack(struct day *d, enum guesser which)
{
	struct attacker *a = &d->attacker[which];
	enum ab_guard_verdict why;
	struct ab_party who;
	struct ab_addr addr;
	uint64_t wait = a->every;
	bool banned = false;

	who_guesses(d, which, &addr, &who);
	if(round_of(d, which) != a->round) {
		a->round = round_of(d, which);
		a->round_evaluated = 0;
	}
	if(has_account(which) && a->sent % 60 == 0)
		log_in(d, who, addr);
	if(day_ask(d, &addr, &who, &why)) {
		day_failure(d, &who, &banned);
		evaluated(d, which, banned);
	}
	a->sent++;
	if((which == GUESS_V4_NETWORK && a->sent % ROUND_GUESSES == 0)
			|| (which == GUESS_USER && a->sent % USER_ADDRESSES == 0))
		wait = ROUND_PAUSE;
	if(which == GUESS_ACCOUNT && a->sent % 60 == 0)
		wait = SECONDS(620); /* until no map holds them any more */
	if(d->ms + wait < a->end)
		day_at(d->ms + wait, DAY_PHONES + (uint32_t)which);
}
