/*
 * authban: a day in the life: who there is
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "day.h"

#include <string.h>

/* --- what happens next: a heap --- */

#define HEAP_MAX 65536

static struct
{
	uint64_t ms;
	uint32_t who;
} heap[HEAP_MAX];
static uint32_t heap_n;

static void swap(uint32_t a, uint32_t b)
{
	uint64_t ms = heap[a].ms;
	uint32_t who = heap[a].who;

	heap[a] = heap[b];
	heap[b].ms = ms;
	heap[b].who = who;
}

void day_at(uint64_t ms, uint32_t who)
{
	uint32_t i = heap_n++;

	assert_true(heap_n <= HEAP_MAX);
	heap[i].ms = ms;
	heap[i].who = who;
	for(; i > 0 && heap[(i - 1) / 2].ms > heap[i].ms; i = (i - 1) / 2)
		swap(i, (i - 1) / 2);
}

bool day_next(uint64_t *ms, uint32_t *who)
{
	uint32_t i = 0, k;

	if(heap_n == 0 || heap[0].ms >= DAY_MS) {
		heap_n = 0;
		return false;
	}
	*ms = heap[0].ms;
	*who = heap[0].who;
	heap[0] = heap[--heap_n];
	while((k = 2 * i + 1) < heap_n) {
		k += k + 1 < heap_n && heap[k + 1].ms < heap[k].ms;
		if(heap[i].ms <= heap[k].ms)
			break;
		swap(i, k);
		i = k;
	}
	return true;
}

/* --- addresses --- */

/* 10.0.0.0 + n */
struct ab_addr day_v4(uint32_t n)
{
	uint8_t v4[4] = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
	struct ab_addr a;

	ab_addr_from_v4(&a, v4);
	return a;
}

/* A host of the n-th /64; 100 of them lie in one /48. */
static struct ab_addr v6_home(uint32_t n)
{
	uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, 0, (uint8_t)(n / 100), 0,
			(uint8_t)(n % 100), 0, 0, 0, 0, 0, 0, 0, 1};
	struct ab_addr a;

	ab_addr_from_v6(&a, v6);
	return a;
}

uint64_t day_user(uint32_t n)
{
	uint64_t z = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	return (z ^ z >> 31) | 2;
}

/* --- phones --- */

static struct phone *add(
		struct day *d, uint32_t *n, enum phone_kind kind, struct ab_addr addr)
{
	struct phone *p = &d->phone[*n];

	memset(p, 0, sizeof(*p));
	p->kind = kind;
	p->addr = addr;
	p->source = ab_prefix_of_source(&addr, 32, 64);
	p->user = day_user(*n);
	p->flow = *n + 1;
	p->expiry = 600 + rng_below(&d->r, 3001);
	p->moves = rng_below(&d->r, 5) == 0;
	p->impatient = rng_below(&d->r, 20) == 0;
	(*n)++;
	return p;
}

/* 40 addresses of 25 phones; ten of the phones have an old password, four of them at
 * one address. */
static void add_nats(struct day *d, uint32_t *n)
{
	uint32_t i, k;

	for(i = 0; i < 40; i++)
		for(k = 0; k < 25; k++) {
			bool old = k == 0 ? i < 7 : i == 7 && k < 4;

			add(d, n, old ? PHONE_OLD_NAT : PHONE_NAT,
					day_v4(0x640000 + i * 0x100 + 9));
		}
}

/* Homes, 100 of them in each /24 or /48; every tenth has IPv6. */
static struct ab_addr home(uint32_t n)
{
	if(n % 10 == 9)
		return v6_home(n / 10);
	return day_v4((n / 100) * 0x100 + 130 + n % 100);
}

#define OLD_EVERY 120 /* homes; one has an old password */

/* Whether a home is one of those with an old password: 150 alone, 40 beside a good
 * phone, spread over all networks. */
static bool is_old(uint32_t n, uint32_t first, uint32_t count)
{
	return n % OLD_EVERY == first && n / OLD_EVERY < count;
}

/* Those of the other homes. */
static enum phone_kind kind_of_home(uint32_t n)
{
	if(is_old(n, 81, 40))
		return PHONE_BESIDE;
	if(n >= 500 && n < 500 + DAY_MOVED && n % 10 != 9)
		return PHONE_MOVED;
	return n % 45 == 0 ? PHONE_MISTYPED : PHONE_ALONE;
}

static bool is_new(const struct phone *p)
{
	return p->kind == PHONE_NEW || p->kind == PHONE_NEW_PORTS;
}

void day_populate(struct day *d)
{
	uint32_t n = 0, i;

	add_nats(d, &n);
	for(i = 0; i < 200; i++)
		add(d, &n, PHONE_OFFICE, day_v4(0x650001));
	for(i = 0; i < 300; i++) /* ten sites of one customer */
		add(d, &n, PHONE_CUSTOMER, day_v4(0x660001 + i / 30 * 0x100));
	for(i = 0; i < DAY_NEW; i++)
		add(d, &n, PHONE_NEW, day_v4(0x640000 + 20 * 0x100 + 9));
	for(i = 0; i < DAY_NEW; i++)
		add(d, &n, PHONE_NEW_PORTS, day_v4(0x640000 + 22 * 0x100 + 9));
	for(i = 0; n < DAY_PHONES; i++) {
		struct ab_addr at = home(i);

		if(is_old(i, 41, 150)) {
			add(d, &n, PHONE_OLD_ALONE, at);
			continue;
		}
		if(is_old(i, 81, 40))
			add(d, &n, PHONE_OLD_BESIDE, at);
		add(d, &n, kind_of_home(i), at);
	}
	for(i = 0; i < DAY_PHONES; i++)
		day_at((is_new(&d->phone[i]) ? DAY_SWITCHED_ON : 0)
						+ rng_below(&d->r, 3600000),
				i);
}
