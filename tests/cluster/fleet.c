/*
 * authban: what a fleet costs its Redis, and how fast it agrees
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: fleet [MEMBERS...]        (default: 10 50 200)
 *        fleet cost MEMBERS FAILURES RATE...
 * For one server and for a cluster of three masters a table in Markdown: one row a
 * number of proxies. docs/scale.md says what the columns mean.
 * cost: one server; for each number of failures a second a line of that number and what
 * one failure costs: commands, bytes to Redis, bytes from it, us of its CPU.
 * Exit status: 0; 1 a ban was not everywhere within a second, or nothing worked.
 */
#include "fleet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define S INT64_C(1000000)
#define IDLE_S 5
#define BAN_EVERY (100 * 1000) /* us */
#define BANNED 40
#define FAILURES 600
#define RATE 200 /* failures a second */
#define SEEN 3	 /* proxies that see one source, for `cost` */
#define AGREE_WITHIN S

static struct board *board;
static double late[BANS * MEMBERS_MAX];

/* What something cost, each: of `n` of them, without what the idle fleet costs. */
struct cost
{
	double commands, in, out, cpu; /* bytes; cpu in us */
};

static struct cost cost_of(
		const struct usage *all, const struct usage *idle, double n)
{
	double share = (double)all->at / (double)idle->at;
	struct cost c = {(all->commands - idle->commands * share) / n,
			(all->bytes_in - idle->bytes_in * share) / n,
			(all->bytes_out - idle->bytes_out * share) / n,
			(all->cpu - idle->cpu * share) * 1e6 / n};

	return c;
}

static double kilobytes(const struct cost *c)
{
	return (c->in + c->out) / 1024;
}

static struct usage idle(const struct masters *m)
{
	struct usage then = masters_usage(m), now;

	usleep(IDLE_S * S);
	now = masters_usage(m);
	return usage_since(&then, &now);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Bans at members in turn. Returns how many (ban, member) there are; late[] is how
 * long after the ban in ms, sorted. */
static unsigned some_bans(unsigned n)
{
	int64_t next = fleet_now();
	unsigned b, i, k = 0;

	for(b = 0; b < BANNED; b++, next += BAN_EVERY) {
		while(fleet_now() < next)
			usleep(500);
		member_bans(b * 7 % n, b);
	}
	usleep(2 * S);
	for(b = 0; b < BANNED; b++) {
		int64_t made = board->heard[b][b * 7 % n];

		for(i = 0; i < n; i++)
			if(i != b * 7 % n)
				late[k++] = board->heard[b][i] && made
									? (double)(board->heard[b][i] - made) / 1000
									: 1e9;
	}
	qsort(late, k, sizeof(late[0]), compare);
	return k;
}

/* Failures of sources that `seen` members see in turn. */
static void some_failures(unsigned n, unsigned seen, unsigned first,
		unsigned failures, unsigned rate)
{
	uint64_t before = board->failures;
	int64_t next = fleet_now();
	unsigned f;

	/* each source fails twice at each of its members */
	for(f = 0; f < failures; f++, next += S / rate) {
		unsigned group = f / (2 * seen), at = f % seen;

		while(fleet_now() < next)
			usleep(500);
		member_fails((group * seen + at) % n, first + group);
	}
	while(board->failures < before + failures)
		usleep(1000);
	usleep(S / 2);
}

static struct cost failures_cost(const struct masters *m,
		const struct usage *rest, unsigned n, unsigned seen, unsigned first)
{
	struct usage then = masters_usage(m), now, all;

	some_failures(n, seen, first, FAILURES, RATE);
	now = masters_usage(m);
	all = usage_since(&then, &now);
	return cost_of(&all, rest, FAILURES);
}

/* One row. False: not all was heard in time. */
static bool measure(const struct masters *m, unsigned n)
{
	struct usage rest, then, now, all;
	struct cost ban, one, three, ten;
	double secs;
	unsigned k;

	rest = idle(m);
	secs = (double)rest.at / 1e6;
	then = masters_usage(m);
	k = some_bans(n);
	now = masters_usage(m);
	all = usage_since(&then, &now);
	ban = cost_of(&all, &rest, BANNED);
	one = failures_cost(m, &rest, n, 1, 1000);
	three = failures_cost(m, &rest, n, 3, 3000);
	ten = failures_cost(m, &rest, n, 10, 5000);
	printf("| %u | %.1f | %.2f %% | %.1f | %.1f | %.1f | %.0f | %.1f | %.0f |"
		   " %.1f / %.1f / %.1f | %.0f / %.0f / %.0f | %.1f / %.1f / %.1f |\n",
			n, rest.commands / secs, 100 * rest.cpu / secs, late[k / 2],
			late[k * 99 / 100], late[k - 1], ban.commands, kilobytes(&ban),
			ban.cpu, one.commands, three.commands, ten.commands, one.cpu,
			three.cpu, ten.cpu, kilobytes(&one), kilobytes(&three),
			kilobytes(&ten));
	fflush(stdout);
	return late[k - 1] * 1000 <= AGREE_WITHIN;
}

/* What a failure costs at a rate. */
static void cost_at(const struct masters *m, const struct usage *rest,
		unsigned n, unsigned failures, unsigned rate)
{
	static unsigned first = 1000;
	struct usage then = masters_usage(m), now, all;
	struct cost c;

	some_failures(n, n < SEEN ? n : SEEN, first, failures, rate);
	first += failures;
	now = masters_usage(m);
	all = usage_since(&then, &now);
	c = cost_of(&all, rest, failures);
	printf("%u %.3f %.1f %.1f %.2f\n", rate, c.commands, c.in, c.out, c.cpu);
	fflush(stdout);
}

static bool measure_costs(const struct masters *m, unsigned n, char **rates)
{
	struct usage rest = idle(m);
	unsigned failures = (unsigned)atoi(*rates++);

	for(; *rates; rates++) {
		unsigned rate = (unsigned)atoi(*rates), some = failures;

		if(rate == 0 || rate > S || failures == 0)
			return false;
		/* at most a dozen seconds */
		if(some > rate * 12)
			some = rate * 12;
		cost_at(m, &rest, n, some, rate);
	}
	return true;
}

/* rates: NULL for the usual table. */
static bool run(unsigned masters, unsigned n, char **rates)
{
	struct masters m;
	char url[64];
	bool good = false;

	memset(board, 0, sizeof(*board));
	if(masters_start(&m, masters) < 0) {
		fprintf(stderr, "Redis does not start\n");
	} else {
		masters_url(&m, url, sizeof(url));
		if(members_start(board, n, url, masters > 1 ? 16 : 1) < 0)
			fprintf(stderr, "%d of %u members are there\n", board->ready, n);
		else {
			sleep(2); /* all connected, and the first rush over */
			good = rates ? measure_costs(&m, n, rates) : measure(&m, n);
		}
		members_stop();
	}
	masters_stop(&m);
	return good;
}

int main(int argc, char **argv)
{
	static const unsigned usual[] = {10, 50, 200};
	unsigned masters, n;
	bool good = true;
	int i, rows = argc > 1 ? argc - 1 : 3;

	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if(board == MAP_FAILED)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	if(argc > 4 && strcmp(argv[1], "cost") == 0) {
		n = (unsigned)atoi(argv[2]);
		return n >= 1 && n <= MEMBERS_MAX && run(1, n, argv + 3) ? 0 : 1;
	}
	for(masters = 1; masters <= MASTERS_MAX; masters += MASTERS_MAX - 1) {
		printf("\n%s\n\n", masters == 1 ? "One Redis" : "Three masters");
		puts("| proxies | idle: commands/s | idle: CPU | ban heard, ms: p50 | "
			 "p99"
			 " | last | a ban: commands | kB | us | a failure seen by 1 / 3 / "
			 "10"
			 " proxies: commands | us | kB |");
		puts("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | ---"
			 " | --- |");
		for(i = 0; i < rows; i++) {
			n = argc > 1 ? (unsigned)atoi(argv[i + 1]) : usual[i];
			if(n >= 10 && n <= MEMBERS_MAX)
				good = run(masters, n, NULL) && good;
		}
	}
	return good ? 0 : 1;
}
