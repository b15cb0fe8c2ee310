/*
 * authban: the members of a fleet
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fleet.h"

#include "core.h"
#include "kamailio.h"

#include "core/pt.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_S 60

struct task
{
	bool ban;
	unsigned source;
};

static struct board *board;
static unsigned members, own;
static int pids[MEMBERS_MAX], pipes[MEMBERS_MAX];

int64_t fleet_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Sources of bans are the first. */
static void hear(const struct ab_judgement *what)
{
	const struct ab_view *v = &what->view;
	unsigned source = v->key.addr.b[13];

	if(what->ok && what->news && v->state == AB_STATE_BANNED
			&& v->key.addr.b[14] == 0 && source < BANS
			&& board->heard[source][own] == 0)
		board->heard[source][own] = fleet_now();
}

static void work(int in)
{
	struct task t;

	process_no = 1;
	kamailio_seed(own + 1);
	while(read(in, &t, sizeof(t)) == (ssize_t)sizeof(t)) {
		if(t.ban) {
			core_ban(t.source, 600);
			continue;
		}
		core_fail(t.source,
				((uint64_t)t.source + 1) * UINT64_C(0x9e3779b97f4a7c15));
		board->failures++;
	}
	_exit(0);
}

static void live(const char *url, unsigned shards, int in)
{
	static char node[16];
	struct core_config config = {node, url, "fleet", "", 60, (int)shards, 4096};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(node, sizeof(node), "member-%u", own);
	ab_settings_preset(&kamailio_settings);
	/* failures ban nobody here */
	kamailio_settings.threshold = 10000;
	kamailio_settings.net_sources = kamailio_settings.user_sources = 50;
	kamailio_seed(own + 1001);
	kamailio_news = hear;
	if(core_open(&config) < 0)
		_exit(1);
	if(fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		work(in);
	}
	close(in);
	board->ready++;
	core_run();
	_exit(1);
}

static void give(unsigned i, bool ban, unsigned source)
{
	struct task t = {ban, source};

	if(write(pipes[i], &t, sizeof(t)) != (ssize_t)sizeof(t))
		perror("worker");
}

void member_fails(unsigned i, unsigned source)
{
	give(i, false, source);
}

void member_bans(unsigned i, unsigned source)
{
	give(i, true, source);
}

int members_start(struct board *b, unsigned n, const char *url, unsigned shards)
{
	int64_t end = fleet_now() + WAIT_S * INT64_C(1000000);
	int pair[2];
	unsigned k;

	board = b;
	for(members = 0; members < n; members++) {
		if(pipe(pair) < 0)
			return -1;
		own = members;
		pids[members] = fork();
		if(pids[members] == 0) {
			for(k = 0; k < members; k++)
				close(pipes[k]);
			close(pair[1]);
			live(url, shards, pair[0]);
		}
		close(pair[0]);
		pipes[members] = pair[1];
	}
	while(b->ready < (int)n && fleet_now() < end)
		usleep(10000);
	return b->ready == (int)n ? 0 : -1;
}

void members_stop(void)
{
	unsigned i;

	/* the workers end with their pipe, or with their sync process */
	for(i = 0; i < members; i++) {
		close(pipes[i]);
		kill(pids[i], SIGKILL);
	}
	for(i = 0; i < members; i++)
		waitpid(pids[i], NULL, 0);
	members = 0;
}
