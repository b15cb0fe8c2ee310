/*
 * authban: the benchmark of a check's time, from a small table to a very large one
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: growth SOURCES REPEATS MILLISECONDS
 *
 * Prints lines of comma-separated values, one a repeat:
 *   sources,bytes,miss,banned,read
 * bytes of the table; nanoseconds of CPU a check of a source that is not in it and of a
 * banned one, without the loop; and of one read at random from as many bytes, each read
 * waiting for the one before: what the machine's memory takes without any table.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#define WARM_UP 200000u
#define BATCH 1024u
#define LINE 64u

static uint32_t sources;
static uint64_t wall_ns;

/* A chain through all lines of a block in random order (Sattolo's shuffle). */
struct chain
{
	char *mem;
	uint32_t lines;
};

static uint32_t *line_of(const struct chain *c, uint32_t n)
{
	return (uint32_t *)(void *)(c->mem + (size_t)n * LINE);
}

static struct chain chain_make(size_t bytes)
{
	struct chain c = {bench_share(bytes), (uint32_t)(bytes / LINE)};
	uint64_t rng = 11;
	uint32_t i, k, swap;

	for(i = 0; i < c.lines; i++)
		*line_of(&c, i) = i;
	for(i = c.lines - 1; i > 0; i--) {
		k = bench_below(&rng, i);
		swap = *line_of(&c, i);
		*line_of(&c, i) = *line_of(&c, k);
		*line_of(&c, k) = swap;
	}
	return c;
}

static double chain_ns(const struct chain *c)
{
	uint64_t begin = bench_cpu_ns(), reads = 0;
	uint32_t at = 0, i;

	do {
		for(i = 0; i < BATCH; i++)
			at = *line_of(c, at);
		reads += BATCH;
		/* never: the reads must not be thrown away */
		if(at >= c->lines)
			exit(1);
	} while(bench_cpu_ns() - begin < wall_ns);
	return (double)(bench_cpu_ns() - begin) / (double)reads;
}

static uint32_t pick(bool banned, uint64_t *rng)
{
	if(banned)
		return bench_below(rng, sources / 2) * 2 | 1;
	return sources + bench_below(rng, 1u << 30);
}

static double check_ns(const struct subject *s, void *table, bool banned,
		uint64_t operations, uint64_t *rng)
{
	uint64_t begin = bench_cpu_ns(), done = 0;
	uint32_t i, hits = 0;
	struct probe p;

	do {
		for(i = 0; i < BATCH; i++) {
			bench_probe(&p, pick(banned, rng), true);
			hits += s->check(table, &p);
		}
		done += BATCH;
	} while(done < operations || bench_cpu_ns() - begin < wall_ns);
	if(s == &bench_authban && hits != (banned ? done : 0)) {
		fprintf(stderr, "growth: %u of %llu were banned\n", hits,
				(unsigned long long)done);
		exit(1);
	}
	return (double)(bench_cpu_ns() - begin) / (double)done;
}

static void *fill(void)
{
	const struct subject *s = &bench_authban;
	void *table = s->make(bench_share(s->bytes(sources)), sources);
	struct probe p;
	uint32_t i;

	for(i = 0; i < sources; i++) {
		bench_probe(&p, i, true);
		s->add(table, &p, i % 2);
	}
	return table;
}

int main(int argc, char **argv)
{
	uint64_t rng = 1, bytes;
	unsigned repeats, n;
	struct chain chain;
	void *table;

	if(argc != 4) {
		fprintf(stderr, "usage: growth SOURCES REPEATS MILLISECONDS\n");
		return 2;
	}
	sources = (uint32_t)strtoul(argv[1], NULL, 10);
	repeats = (unsigned)strtoul(argv[2], NULL, 10);
	wall_ns = strtoull(argv[3], NULL, 10) * 1000000;
	bench_pin(0);
	bytes = bench_authban.bytes(sources);
	table = fill();
	chain = chain_make(bytes);
	check_ns(&bench_authban, table, false, WARM_UP, &rng);
	check_ns(&bench_authban, table, true, WARM_UP, &rng);
	for(n = 0; n < repeats; n++) {
		double loop = check_ns(&bench_noop, table, false, 0, &rng);

		printf("%u,%llu,%.2f,%.2f,%.2f\n", sources, (unsigned long long)bytes,
				check_ns(&bench_authban, table, false, 0, &rng) - loop,
				check_ns(&bench_authban, table, true, 0, &rng) - loop,
				chain_ns(&chain));
		fflush(stdout);
	}
	return 0;
}
