/*
 * authban: a day in the life of 20,000 phones and ten attackers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The real core on one proxy with fake clocks. Phones register, fail and come back
 * as phones do; what drops a phone's request and what lets an attacker's guess pass
 * is written down.
 */
#ifndef DAY_H
#define DAY_H

#include "ab_guard.h"
#include "unit.h"

#define DAY_PHONES 20000u
#define DAY_MOVED 24u
#define DAY_NEW 3u /* in each of two NATs */
#define DAY_MS UINT64_C(86400000)
#define HOURS(h) ((uint64_t)((h)*3600000.))
#define SECONDS(s) ((uint64_t)((s)*1000.))

enum phone_kind
{
	PHONE_ALONE = 0, /* one at its address */
	PHONE_NAT,		 /* one of 25 at an address */
	PHONE_OFFICE,	 /* one of 200 that come back at once */
	PHONE_CUSTOMER,	 /* its password is changed by the provider */
	PHONE_MISTYPED,	 /* its owner changes it, and mistypes */
	PHONE_BESIDE,	 /* good, at one address with an old password */
	PHONE_MOVED,	 /* gets another address in a /24 that is attacked */
	PHONE_NEW,		 /* switched on in a NAT with an attacker in it */
	PHONE_NEW_PORTS, /* the same; he has a new port each time */
	PHONE_OLD_ALONE, /* an old password all day */
	PHONE_OLD_NAT,
	PHONE_OLD_BESIDE,
	PHONE_KINDS
};

struct phone
{
	enum phone_kind kind;
	struct ab_addr addr;
	struct ab_prefix source;
	uint64_t user, flow;
	uint32_t expiry;	  /* seconds */
	uint64_t until;		  /* its registration's end, ms; 0: never yet */
	uint64_t wants_since; /* ms; since when it has had the right password */
	unsigned failed;	  /* tries since the last success */
	unsigned mistypes;	  /* wrong ones still to come */
	uint64_t dropped; /* since when a right password was dropped, ms; 0: not */
	uint64_t waits_since; /* the same, since a password was last looked at */
	bool moves;			  /* another port each time */
	bool wrong;			  /* its last try was with a wrong one */
	bool known;			  /* has logged in from its address */
	bool else_dropped;	  /* since `dropped` also for another's failures */
	bool corrected;		  /* had a wrong one, has the right one, waits */
	bool started;
	bool impatient; /* tries again every 30 s */
};

enum guesser
{
	GUESS_LOUD = 0,		 /* 150 a second from one address */
	GUESS_V4_NETWORK,	 /* 130 addresses of a /24, 4 guesses each per round */
	GUESS_V6_SOURCE,	 /* random addresses of one /64 */
	GUESS_SLOW,			 /* one in ten minutes */
	GUESS_USER,			 /* 1,000 addresses, once each, one user */
	GUESS_NAT_USERS,	 /* inside a NAT, many users */
	GUESS_NAT_ONE,		 /* inside another, one user */
	GUESS_NAT_PORTS,	 /* inside a third, many users, a new port each time */
	GUESS_ACCOUNT,		 /* has an account of his own, tries many users */
	GUESS_ACCOUNT_PORTS, /* the same, with a new port each time */
	GUESSERS
};

struct attacker
{
	const char *name;
	uint64_t begin, end, every; /* ms */
	uint64_t sent, evaluated, rounds;
	uint64_t first_ban; /* ms; 0: never */
	uint64_t evaluated_before_ban;
	uint32_t round_evaluated, round_most; /* of one round, or of one minute */
	uint64_t round;
	uint32_t fresh;			/* evaluated of the round when counting began */
	uint64_t in_suspension; /* evaluated while the breaker was open */
	uint32_t bans;
};

/* Why a good phone's request was dropped. */
enum drop_cause
{
	DROP_SOURCE = 0, /* its address is banned */
	DROP_SOURCE_PACE,
	DROP_NETWORK_PACE,
	DROP_PAIR,
	DROP_USER_PACE,
	DROP_CAUSES
};

struct day
{
	struct box b;
	struct ab_recent *facts;
	struct ab_breaker breaker;
	struct rng r;
	uint64_t ms;
	struct phone phone[DAY_PHONES];
	struct attacker attacker[GUESSERS];
	uint32_t wave; /* of the attackers with several addresses */
	/* results */
	uint64_t served, requests, failures, lapsed;
	/* after a drop: for another's failures; only for their own */
	uint64_t lost[PHONE_KINDS], lost_own[PHONE_KINDS];
	uint64_t nat_served, nat_dropped; /* good ones beside attackers */
	uint64_t drops[PHONE_KINDS][DROP_CAUSES];
	uint64_t drops_known[PHONE_KINDS]
						[DROP_CAUSES];	/* of these, of known ones */
	uint64_t longest_wait[PHONE_KINDS]; /* ms, with the right password */
	uint64_t bans[AB_FOUND_COUNT][AB_REASON_COUNT];
	uint32_t most_entries, openings;
	uint64_t suspended_ms, opened_at;
	uint64_t events, sampled, sampled_ns;
};

/* When things happen. */
#define DAY_OUTAGE HOURS(9)
#define DAY_RETURN HOURS(9.5)
#define DAY_CHANGE HOURS(11)
#define DAY_PROVISIONED HOURS(11.5)
#define DAY_NO_DATABASE HOURS(13)
#define DAY_EMPTY_TABLE HOURS(15)
#define DAY_FAULT SECONDS(60)
#define DAY_EMPTY_AGAIN HOURS(20)
#define DAY_LONG_FAULT SECONDS(600)
#define DAY_SWITCHED_ON HOURS(7)
#define DAY_CORRECTED HOURS(18) /* a third of the old passwords */

void day_open(struct day *d, uint64_t seed);
void day_close(struct day *d);
void day_run(struct day *d);

/* day_world.c: who there is, and in which order things happen */
void day_populate(struct day *d);
struct ab_addr day_v4(uint32_t n);
void day_at(uint64_t ms, uint32_t who);
/* The next that happens; false: the day is over. */
bool day_next(uint64_t *ms, uint32_t *who);

/* day_attack.c */
void day_attackers(struct day *d);
void day_attack(struct day *d, enum guesser which);

/* day.c: one request. Returns true when it was evaluated. */
struct ab_guard day_guard(struct day *d);
bool day_ask(struct day *d, const struct ab_addr *addr,
		const struct ab_party *who, enum ab_guard_verdict *why);
void day_failure(struct day *d, const struct ab_party *who, bool *banned);
uint64_t day_user(uint32_t n);

#endif
