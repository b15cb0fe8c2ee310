/*
 * authban: one Redis, or a cluster of masters, and what they were made to do
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fleet.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 16384
#define TRIES 400 /* of 25 ms */

static void run_redis(
		const char *dir, int number, const char *port, bool cluster)
{
	char conf[32];
	int null = open("/dev/null", O_WRONLY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(null, 1);
	snprintf(conf, sizeof(conf), "nodes-%d.conf", number);
	execlp("redis-server", "redis-server", "--port", port, "--bind",
			"127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir,
			"--loglevel", "warning", "--cluster-enabled",
			cluster ? "yes" : "no", "--cluster-config-file", conf, NULL);
	_exit(127);
}

static redisReply *ask(const struct masters *m, unsigned i, const char *words)
{
	return redisCommand(m->control[i], words);
}

static void tell(const struct masters *m, unsigned i, const char *words)
{
	redisReply *r = ask(m, i, words);

	if(r)
		freeReplyObject(r);
}

static bool says(const struct masters *m, unsigned i, const char *words,
		const char *what)
{
	redisReply *r = ask(m, i, words);
	bool yes = r && r->str && strstr(r->str, what);

	if(r)
		freeReplyObject(r);
	return yes;
}

static int start_one(struct masters *m, unsigned i)
{
	char port[8];
	int tries;

	snprintf(port, sizeof(port), "%d", m->port[i]);
	m->pid[i] = fork();
	if(m->pid[i] == 0)
		run_redis(m->dir, (int)i, port, m->n > 1);
	for(tries = 0; tries < TRIES; tries++) {
		redisContext *c = redisConnect("127.0.0.1", m->port[i]);

		if(c && !c->err) {
			m->control[i] = c;
			return waitpid(m->pid[i], NULL, WNOHANG) == 0 ? 0 : -1;
		}
		if(c)
			redisFree(c);
		usleep(25000);
	}
	return -1;
}

static int join(struct masters *m)
{
	char words[80];
	unsigned i, tries;

	for(i = 0; i < m->n; i++) {
		snprintf(words, sizeof(words), "CLUSTER SET-CONFIG-EPOCH %u", i + 1);
		tell(m, i, words);
		snprintf(words, sizeof(words), "CLUSTER ADDSLOTSRANGE %u %u",
				SLOTS * i / m->n, SLOTS * (i + 1) / m->n - 1);
		tell(m, i, words);
		snprintf(words, sizeof(words), "CLUSTER MEET 127.0.0.1 %d", m->port[0]);
		if(i > 0)
			tell(m, i, words);
	}
	for(tries = 0; tries < 2 * TRIES; tries++) {
		bool all = true;

		for(i = 0; i < m->n; i++)
			all = all && says(m, i, "CLUSTER INFO", "cluster_state:ok");
		if(all)
			return 0;
		usleep(25000);
	}
	return -1;
}

int masters_start(struct masters *m, unsigned n)
{
	int base = 20000 + (int)(getpid() % 3000) * 10;
	unsigned i;

	memset(m, 0, sizeof(*m));
	m->n = n;
	snprintf(m->dir, sizeof(m->dir), "/tmp/authban-fleet-XXXXXX");
	if(!mkdtemp(m->dir))
		return -1;
	for(i = 0; i < n; i++) {
		m->port[i] = base + (int)(i + (n > 1));
		if(start_one(m, i) < 0)
			return -1;
	}
	return n > 1 ? join(m) : 0;
}

void masters_stop(struct masters *m)
{
	char path[96];
	unsigned i;

	for(i = 0; i < m->n; i++) {
		if(m->control[i])
			redisFree(m->control[i]);
		if(m->pid[i] > 0) {
			kill(m->pid[i], SIGKILL);
			waitpid(m->pid[i], NULL, 0);
		}
		snprintf(path, sizeof(path), "%s/nodes-%u.conf", m->dir, i);
		unlink(path);
	}
	rmdir(m->dir);
}

void masters_url(const struct masters *m, char *out, unsigned size)
{
	snprintf(out, size, "redis%s://127.0.0.1:%d", m->n > 1 ? "+cluster" : "",
			m->port[0]);
}

static double number(const char *info, const char *name)
{
	const char *p = strstr(info, name);

	return p ? strtod(p + strlen(name), NULL) : 0;
}

struct usage masters_usage(const struct masters *m)
{
	struct usage u = {.at = fleet_now()};
	unsigned i;

	for(i = 0; i < m->n; i++) {
		redisReply *r = ask(m, i, "INFO everything");
		double cpu;

		if(!r)
			continue;
		u.commands += number(r->str, "total_commands_processed:");
		u.bytes_in += number(r->str, "total_net_input_bytes:");
		u.bytes_out += number(r->str, "total_net_output_bytes:");
		cpu = number(r->str, "used_cpu_sys_main_thread:")
			  + number(r->str, "used_cpu_user_main_thread:");
		u.cpu += cpu;
		if(cpu > u.cpu_most)
			u.cpu_most = cpu;
		freeReplyObject(r);
	}
	return u;
}

struct usage usage_since(const struct usage *then, const struct usage *now)
{
	struct usage u = {now->commands - then->commands,
			now->bytes_in - then->bytes_in, now->bytes_out - then->bytes_out,
			now->cpu - then->cpu, now->cpu_most - then->cpu_most,
			now->at - then->at};

	return u;
}
