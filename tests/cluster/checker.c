/*
 * authban: random faults against proxies and a real Redis, and what must hold then
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: checker FIRST [LAST] [JOBS]      seeds, at once so many of them
 * With one seed alone it is played aloud, and LOG_LEVEL=3 shows the proxies' logs.
 * Exit status: 0 all held; 1 not, the seeds are named.
 */
#include "chaos.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 16

/* What the jobs share. */
struct total
{
	_Atomic uint64_t next, trace;
	_Atomic uint64_t played, failed, failures, states, faults, kills, wipes,
			failovers;
	_Atomic int64_t longest; /* us to agree */
};

static struct total *total;
static struct stage stage;

static void add(const struct outcome *o)
{
	total->played++;
	total->failures += o->failures;
	total->states += o->states;
	total->faults += o->faults;
	total->kills += o->kills;
	total->wipes += o->wipes;
	total->failovers += o->failovers;
	total->trace ^= o->trace;
	if(!o->wrong[0] && o->converged > total->longest)
		total->longest = o->converged;
}

static int job(const char *dir, uint64_t last, bool loud)
{
	struct outcome o;
	char own[64];
	uint64_t seed;

	snprintf(own, sizeof(own), "%s/%d", dir, (int)getpid());
	if(mkdir(own, 0700) < 0 || stage_open(&stage, own) < 0) {
		fprintf(stderr, "the stage cannot be opened\n");
		return 2;
	}
	stage.loud = loud;
	while((seed = total->next++) <= last) {
		chaos_play(&stage, seed, &o);
		add(&o);
		if(!o.wrong[0])
			continue;
		total->failed++;
		printf("seed %llu: %s\n", (unsigned long long)seed, o.wrong);
		fflush(stdout);
	}
	stage_close(&stage);
	rmdir(own);
	return 0;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int report(double began)
{
	printf("%llu seeds in %.1f s: %llu failures, %llu bans and unbans, %llu"
		   " faults (%llu kills, %llu wipes, %llu failovers); agreed at most"
		   " %.1f s after the last; trace %016llx; %llu wrong\n",
			(unsigned long long)total->played, seconds() - began,
			(unsigned long long)total->failures,
			(unsigned long long)total->states,
			(unsigned long long)total->faults, (unsigned long long)total->kills,
			(unsigned long long)total->wipes,
			(unsigned long long)total->failovers, (double)total->longest / 1e6,
			(unsigned long long)total->trace,
			(unsigned long long)total->failed);
	return total->failed || !total->played ? 1 : 0;
}

int main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	uint64_t last = argc > 2 ? strtoull(argv[2], NULL, 10) : first;
	int jobs = argc > 3 ? atoi(argv[3]) : 2, i, status, bad = 0;
	char dir[] = "/dev/shm/authban-checker-XXXXXX";
	double began = seconds();

	total = mmap(NULL, sizeof(*total), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if(total == MAP_FAILED || !mkdtemp(dir)) {
		perror("checker");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	total->next = first;
	if(first == last)
		jobs = 1;
	for(i = 0; i < jobs && i < JOBS_MAX; i++)
		if(fork() == 0)
			exit(job(dir, last, first == last));
	while(wait(&status) > 0)
		bad |= status != 0;
	rmdir(dir);
	return report(began) || bad;
}
