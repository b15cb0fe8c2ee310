/*
 * authban: the core benchmark: N processes on one table in shared memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: core time v4|v6 SOURCES REPEATS MILLISECONDS PROCESSES
 *        core run v4|v6 SOURCES SUBJECT WORKLOAD OPERATIONS
 *
 * `time` runs every subject and workload REPEATS times, one after the other
 * within each repeat, and prints a line for each run:
 *   family sources workload subject repeat ns p50 p99 p99.9 operations
 * ns is CPU time an operation, the loop included; the percentiles are of every
 * eighth operation, the clock included. Ratios are made by who reads this. At
 * the end it says how many runs were disturbed by other programs.
 * `run` is for callgrind: one process, no clock.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 16
#define SAMPLES (1u << 17) /* of one process and run */
#define SAMPLE_EVERY 8
#define WARM_UP 4096	/* operations before the clock runs */
#define POLL_NS 1000000 /* more often would disturb the workers */
#define TRIES 4
#define SPARE_NS 10000000000ull /* for all repetitions together */
#define UNDISTURBED 0.95		/* of the time on a processor */

enum workload
{
	MISS,	/* sources that are not in the table */
	HOT,	/* one banned source */
	MIX,	/* 95 % miss, 5 % distinct banned ones */
	BANNED, /* distinct banned sources */
	COUNT_ONE,
	COUNT_ANY,
	WORKLOADS
};

static const char *const workload_names[WORKLOADS] = {
		"miss", "hot", "mix", "banned", "count-one", "count-any"};

static const struct subject *const subjects[] = {&bench_noop, &bench_noop_text,
		&bench_authban, &bench_chain, &bench_htable17, &bench_htable14,
		&bench_pike};

struct run
{
	const struct subject *subject;
	void *table;
	enum workload workload;
	uint32_t sources;
	bool v4;
	uint64_t wall_ns; /* how long */
	uint64_t seed;
};

struct result
{
	uint64_t cpu_ns, wall_ns, operations, banned;
	uint32_t samples;
	uint32_t ticks[SAMPLES];
};

/* Where parent and workers meet. */
static struct board
{
	struct run run;
	_Atomic uint32_t go, done, together;
	uint32_t processes, disturbed;
	struct result result[PROCESSES_MAX];
} * board;

static double ticks_per_ns;

/* --- one operation --- */

/* Sources with odd numbers are banned. */
static uint32_t pick(const struct run *r, uint64_t *rng)
{
	uint32_t listed = bench_below(rng, r->sources / 2) * 2;

	switch(r->workload) {
		case HOT:
			return 1;
		case BANNED:
			return listed | 1;
		case COUNT_ONE:
			return 0;
		case COUNT_ANY:
			return listed;
		case MIX:
			if(bench_below(rng, 20) == 0)
				return listed | 1;
			break;
		case MISS:
		default:
			break;
	}
	return r->sources + bench_below(rng, 1u << 30);
}

static inline void next_probe(
		const struct run *r, uint64_t *rng, struct probe *p)
{
	bench_probe(p, pick(r, rng), r->v4);
	if(r->subject->text)
		bench_text(p);
}

static inline bool operate(const struct run *r, const struct probe *p)
{
	return r->workload >= COUNT_ONE ? r->subject->count(r->table, p)
									: r->subject->check(r->table, p);
}

/* Not inlined: callgrind is switched on by its name. */
__attribute__((noinline)) uint64_t bench_counted(
		const struct run *r, uint64_t *rng, uint64_t operations);

__attribute__((noinline)) uint64_t bench_counted(
		const struct run *r, uint64_t *rng, uint64_t operations)
{
	uint64_t banned = 0;
	struct probe p;

	while(operations-- > 0) {
		next_probe(r, rng, &p);
		banned += operate(r, &p);
	}
	return banned;
}

static void timed_one(const struct run *r, uint64_t *rng, struct result *out)
{
	struct probe p;
	uint64_t begin;

	next_probe(r, rng, &p);
	begin = bench_ticks();
	out->banned += operate(r, &p);
	out->ticks[out->samples++ % SAMPLES] = (uint32_t)(bench_ticks() - begin);
}

static void work(const struct run *r, unsigned n, struct result *out)
{
	uint64_t rng = r->seed * 64 + n, begin, cpu;
	int i;

	bench_counted(r, &rng, WARM_UP);
	out->operations = out->banned = out->samples = 0;
	cpu = bench_cpu_ns();
	begin = bench_wall_ns();
	do {
		for(i = 0; i < 128; i++) {
			timed_one(r, &rng, out);
			out->banned += bench_counted(r, &rng, SAMPLE_EVERY - 1);
		}
		out->operations += 128 * SAMPLE_EVERY;
	} while(bench_wall_ns() - begin < r->wall_ns);
	out->wall_ns = bench_wall_ns() - begin;
	out->cpu_ns = bench_cpu_ns() - cpu;
	if(out->samples > SAMPLES)
		out->samples = SAMPLES;
}

/* --- processes --- */

static void doze(void)
{
	const struct timespec t = {0, POLL_NS};

	nanosleep(&t, NULL);
}

/* All begin a run at the same time, or they would not be in each other's way. */
static void meet(void)
{
	uint64_t begin = bench_wall_ns();

	atomic_fetch_add(&board->together, 1);
	while(atomic_load(&board->together) < board->processes
			&& bench_wall_ns() - begin < 1000000000u)
		;
}

static void worker(unsigned n)
{
	uint32_t last = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench_pin(n);
	for(;;) {
		while(atomic_load(&board->go) == last)
			doze();
		last++;
		if(!board->run.subject)
			_exit(0);
		board->run.subject->attach(board->run.table);
		meet();
		work(&board->run, n, &board->result[n]);
		atomic_fetch_add(&board->done, 1);
	}
}

static void start_workers(void)
{
	unsigned n;

	fflush(NULL);
	for(n = 0; n < board->processes; n++) {
		pid_t pid = fork();

		if(pid < 0) {
			perror("fork");
			exit(1);
		}
		if(pid == 0)
			worker(n);
	}
}

static void run_all(const struct run *r)
{
	board->run = *r;
	atomic_store(&board->done, 0);
	atomic_store(&board->together, 0);
	atomic_fetch_add(&board->go, 1);
	while(r->subject && atomic_load(&board->done) < board->processes) {
		doze();
		if(waitpid(-1, NULL, WNOHANG) > 0) {
			fprintf(stderr, "a worker died\n");
			exit(1);
		}
	}
}

/* Processes that had to share their processor were not in each other's way, so
 * locks look cheap: such a run is done again, a few times. */
static void run_undisturbed(const struct run *r)
{
	static uint64_t spent;
	unsigned tries, i;

	for(tries = 0; tries < TRIES; tries++) {
		uint64_t begin = bench_wall_ns();
		double least = 1;

		if(tries > 0 && spent > SPARE_NS)
			break;
		run_all(r);
		for(i = 0; i < board->processes; i++) {
			const struct result *w = &board->result[i];
			double part = (double)w->cpu_ns / (double)w->wall_ns;

			if(part < least)
				least = part;
		}
		if(least > UNDISTURBED)
			return;
		spent += bench_wall_ns() - begin;
	}
	board->disturbed++;
}

/* --- results --- */

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double percentile(const uint32_t *sorted, uint32_t n, double part)
{
	return sorted[(uint32_t)((n - 1) * part)] / ticks_per_ns;
}

/* A subject that answers wrongly was not measured, whatever its time. */
static void verify(const struct run *r, uint64_t banned, uint64_t operations)
{
	double part = (double)banned / (double)operations;
	bool all = r->workload == HOT || r->workload == BANNED;
	bool some = r->workload == MIX;

	if(r->subject == &bench_noop || r->subject == &bench_noop_text)
		return;
	if(all ? part < 1 : some ? part < 0.03 || part > 0.07 : part > 0) {
		fprintf(stderr, "%s %s: %.4f of the sources were banned\n",
				r->subject->name, workload_names[r->workload], part);
		exit(1);
	}
}

static void print_run(const struct run *r, unsigned repeat)
{
	static uint32_t all[PROCESSES_MAX * SAMPLES];
	uint64_t cpu = 0, operations = 0, banned = 0;
	uint32_t n = 0;
	unsigned i;

	for(i = 0; i < board->processes; i++) {
		const struct result *w = &board->result[i];

		cpu += w->cpu_ns;
		operations += w->operations;
		banned += w->banned;
		memcpy(all + n, w->ticks, w->samples * sizeof(all[0]));
		n += w->samples;
	}
	verify(r, banned, operations);
	qsort(all, n, sizeof(all[0]), by_size);
	printf("%s %u %s %s %u %.2f %.1f %.1f %.1f %llu\n", r->v4 ? "v4" : "v6",
			r->sources, workload_names[r->workload], r->subject->name, repeat,
			(double)cpu / (double)operations, percentile(all, n, 0.5),
			percentile(all, n, 0.99), percentile(all, n, 0.999),
			(unsigned long long)operations);
	fflush(stdout);
}

/* --- what is called --- */

static void *fill(const struct subject *s, uint32_t sources, bool v4)
{
	void *table = s->make(bench_share(s->bytes(sources)), sources);
	struct probe p;
	uint32_t i;

	for(i = 0; i < sources; i++) {
		bench_probe(&p, i, v4);
		if(s->text)
			bench_text(&p);
		s->add(table, &p, i % 2);
	}
	return table;
}

/* Each repeat begins with another subject, so that none is always the first
 * after a change of the machine's mood. */
static void time_all(struct run *r, unsigned repeats)
{
	void *table[COUNT_OF(subjects)];
	unsigned repeat, w, i, k;

	for(i = 0; i < COUNT_OF(subjects); i++)
		table[i] = fill(subjects[i], r->sources, r->v4);
	start_workers();
	for(repeat = 0; repeat < repeats; repeat++) {
		for(w = 0; w < WORKLOADS; w++) {
			for(i = 0; i < COUNT_OF(subjects); i++) {
				k = (i + repeat) % COUNT_OF(subjects);
				r->subject = subjects[k];
				r->table = table[k];
				r->workload = (enum workload)w;
				r->seed = repeat * 1000 + w;
				run_undisturbed(r);
				print_run(r, repeat);
			}
		}
	}
	r->subject = NULL;
	run_all(r);
	while(wait(NULL) > 0)
		;
	printf("disturbed %u\n", board->disturbed);
}

static int find(const char *name, const char *const *names, size_t n)
{
	size_t i;

	for(i = 0; i < n; i++)
		if(strcmp(name, names[i]) == 0)
			return (int)i;
	fprintf(stderr, "core: what is %s?\n", name);
	exit(2);
}

static void run_one(struct run *r, char **arg)
{
	const char *names[COUNT_OF(subjects)];
	uint64_t rng = 1, banned;
	size_t i;

	for(i = 0; i < COUNT_OF(subjects); i++)
		names[i] = subjects[i]->name;
	r->subject = subjects[find(arg[0], names, COUNT_OF(subjects))];
	r->workload = (enum workload)find(arg[1], workload_names, WORKLOADS);
	r->table = fill(r->subject, r->sources, r->v4);
	banned = bench_counted(r, &rng, strtoull(arg[2], NULL, 10));
	verify(r, banned, strtoull(arg[2], NULL, 10));
}

int main(int argc, char **argv)
{
	struct run r = {0};

	if(argc != 7) {
		fprintf(stderr, "usage: core time v4|v6 SOURCES REPEATS MS PROCESSES\n"
						"       core run v4|v6 SOURCES SUBJECT WORKLOAD N\n");
		return 2;
	}
	r.v4 = strcmp(argv[2], "v4") == 0;
	r.sources = (uint32_t)strtoul(argv[3], NULL, 10);
	if(strcmp(argv[1], "run") == 0) {
		run_one(&r, argv + 4);
		return 0;
	}
	r.wall_ns = strtoull(argv[5], NULL, 10) * 1000000;
	board = bench_share(sizeof(*board));
	board->processes = (uint32_t)strtoul(argv[6], NULL, 10);
	if(board->processes < 1 || board->processes > PROCESSES_MAX)
		return 2;
	ticks_per_ns = bench_ticks_per_ns();
	time_all(&r, (unsigned)strtoul(argv[4], NULL, 10));
	return 0;
}
