/*
 * authban: what the parts of the core benchmark share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BENCH_H
#define BENCH_H

#include "ab_judge.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define BENCH_NOW 1000u /* monotonic seconds; time stands still */

/* What a message brings: the address, and for those who look up the text of
 * it ($si) that text, made before the clock runs. */
struct probe
{
	struct ab_addr addr;
	bool v4;
	unsigned len;
	char text[40];
};

/* One table under test. Every call answers whether the source is banned, so
 * that the harness can see that the work was done. */
struct subject
{
	const char *name;
	bool text; /* wants probe.text */
	size_t (*bytes)(uint32_t sources);
	void *(*make)(void *mem, uint32_t sources); /* zeroed, shared */
	void (*attach)(void *table);				/* in each process */
	void (*add)(void *table, const struct probe *p, bool banned);
	bool (*check)(void *table, const struct probe *p);
	bool (*count)(void *table, const struct probe *p);
};

extern const struct subject bench_noop, bench_noop_text, bench_authban,
		bench_chain, bench_htable17, bench_htable14, bench_pike;

/* --- addresses (bench_address.c) --- */

/* Random numbers that a seed gives again (splitmix64). */
static inline uint64_t bench_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0..n-1 */
static inline uint32_t bench_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)((bench_random(state) >> 32) * n >> 32);
}

/* The source with this number: distinct ones have distinct addresses, for IPv6
 * distinct /64, and neighbours have nothing in common. */
void bench_probe(struct probe *p, uint32_t number, bool v4);
/* The text as Kamailio's $si prints it. */
void bench_text(struct probe *p);
/* Kamailio's core_case_hash of it. */
uint32_t bench_case_hash(const char *text, unsigned len);

/* --- shared memory and time (bench_machine.c) --- */

/* Zeroed, shared with children. Exits when there is none. */
void *bench_share(size_t bytes);
/* Pins the process to one of the processors it may use. */
void bench_pin(unsigned n);
double bench_ticks_per_ns(void);
/* Nanoseconds that this process has run. */
uint64_t bench_cpu_ns(void);
uint64_t bench_wall_ns(void);

/* A clock of the processor that waits for what was begun before it. */
static inline uint64_t bench_ticks(void)
{
#if defined(__x86_64__)
	unsigned processor;

	return __builtin_ia32_rdtscp(&processor);
#elif defined(__aarch64__)
	uint64_t t;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(t)::"memory");
	return t;
#else
	return bench_wall_ns();
#endif
}

/* --- a lock as Kamailio's: spins, then gives the processor away --- */

struct peer_lock
{
	_Atomic uint32_t word;
};

void bench_lock(struct peer_lock *l);

static inline void bench_unlock(struct peer_lock *l)
{
	atomic_store_explicit(&l->word, 0, memory_order_release);
}

/* The smallest power of two that is not below n. */
static inline uint32_t bench_power(uint32_t n)
{
	uint32_t p = 1;

	while(p < n)
		p <<= 1;
	return p;
}

#endif
