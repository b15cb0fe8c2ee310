/*
 * authban: shared memory, processors, clocks and locks of the benchmark
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "bench.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define CALIBRATION_NS 20000000
#define SPINS 1024 /* as Kamailio's ADAPTIVE_WAIT_LOOPS */

void *bench_share(size_t bytes)
{
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if(mem == MAP_FAILED) {
		perror("shared memory");
		exit(1);
	}
	return mem;
}

void bench_pin(unsigned n)
{
	cpu_set_t may, one;
	int cpu, count;

	if(sched_getaffinity(0, sizeof(may), &may) < 0)
		return;
	count = CPU_COUNT(&may);
	n %= (unsigned)count;
	for(cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if(CPU_ISSET(cpu, &may) && n-- == 0)
			break;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t bench_cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t bench_wall_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

double bench_ticks_per_ns(void)
{
	uint64_t t0 = bench_ticks(), w0 = bench_wall_ns(), w;

	do
		w = bench_wall_ns();
	while(w - w0 < CALIBRATION_NS);
	return (double)(bench_ticks() - t0) / (double)(w - w0);
}

void bench_lock(struct peer_lock *l)
{
	int i = 0;

	while(atomic_load_explicit(&l->word, memory_order_relaxed)
			|| atomic_exchange_explicit(&l->word, 1, memory_order_acquire))
		if(++i > SPINS)
			sched_yield();
}
