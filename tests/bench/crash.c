/*
 * authban: the benchmark of a process that dies with a lock of the table held
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: crash TIMES
 *
 * One process takes the lock of a source and stays in it; another wants to count a
 * failure of that source; the first is killed. Prints how long after that the other
 * had counted: crash_p50_ms, crash_max_ms, and crash_counted, per cent of them that
 * had counted at all.
 */
#include "bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 1024
#define TIMES_MAX 1000
#define WAITS_NS \
	500000 /* the other has begun to wait by then, and not given up */

static struct board
{
	_Atomic uint32_t held, wanted;
	_Atomic uint64_t counted_at;
	_Atomic bool counted;
} * board;

static struct ab_table table;
static struct ab_settings settings;
static const struct ab_now now = {BENCH_NOW, UINT64_C(1800000000000)};

static struct ab_key key_of(uint32_t number)
{
	struct probe p;
	struct ab_prefix source;

	bench_probe(&p, number, true);
	source = ab_prefix_of_source(&p.addr, 32, 64);
	return ab_key_source(&source);
}

static void stay(struct ab_slot *s, void *arg)
{
	(void)s;
	(void)arg;
	atomic_store(&board->held, 1);
	for(;;)
		pause();
}

static void hold(const struct ab_key *key)
{
	table.owner = (uint32_t)getpid();
	ab_table_update(&table, key, AB_FIND_OR_MAKE, &settings, &now, stay, NULL);
	_exit(1);
}

static void want(const struct ab_key *key)
{
	struct ab_judge j = {&table, &settings, now, 1, 1};
	struct ab_blow blow = {.weight = 1, .proof = AB_PROOF_TOKEN};
	struct ab_judgement out;

	table.owner = (uint32_t)getpid();
	atomic_store(&board->wanted, 1);
	ab_judge_failure(&j, key, &blow, &out);
	atomic_store(&board->counted_at, bench_wall_ns());
	atomic_store(&board->counted, out.ok);
	_exit(0);
}

static pid_t start(
		void (*what)(const struct ab_key *), const struct ab_key *key)
{
	pid_t pid = fork();

	if(pid == 0)
		what(key);
	if(pid < 0)
		exit(1);
	return pid;
}

static void wait_until_set(_Atomic uint32_t *flag)
{
	const struct timespec nap = {0, 20000};

	while(!atomic_load(flag))
		nanosleep(&nap, NULL);
}

/* Milliseconds. */
static double die_once(uint32_t number)
{
	const struct timespec nap = {0, number % 10 * WAITS_NS};
	struct ab_key key = key_of(number);
	pid_t holder, other;
	uint64_t begin;

	atomic_store(&board->held, 0);
	atomic_store(&board->wanted, 0);
	atomic_store(&board->counted, false);
	holder = start(hold, &key);
	wait_until_set(&board->held);
	other = start(want, &key);
	wait_until_set(&board->wanted);
	nanosleep(&nap, NULL);
	begin = bench_wall_ns();
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	waitpid(other, NULL, 0);
	return 1e-6 * (double)(atomic_load(&board->counted_at) - begin);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static double took[TIMES_MAX];
	uint8_t key[16] = {1, 2, 3};
	unsigned n, i, counted = 0;

	n = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	if(n < 1 || n > TIMES_MAX) {
		fprintf(stderr, "usage: crash TIMES\n");
		return 2;
	}
	board = bench_share(sizeof(*board));
	ab_table_init(&table, bench_share(ab_table_bytes(SLOTS)), SLOTS, key,
			(uint32_t)getpid());
	ab_settings_preset(&settings);
	for(i = 0; i < n; i++) {
		took[i] = die_once(i);
		counted += atomic_load(&board->counted);
	}
	qsort(took, n, sizeof(took[0]), by_value);
	printf("crash_p50_ms %.4f\n", took[n / 2]);
	printf("crash_p99_ms %.4f\n", took[(n - 1) * 99 / 100]);
	printf("crash_max_ms %.4f\n", took[n - 1]);
	printf("crash_counted %.4f\n", 100.0 * counted / n);
	return 0;
}
