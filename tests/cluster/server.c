/*
 * authban: a Redis with a clock that the checker moves
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "stage.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES 200 /* of 25 ms, until it answers */

static int free_port(void)
{
	struct sockaddr_in at = {
			.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0), port = -1;

	if(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0
			&& getsockname(fd, (struct sockaddr *)&at, &len) == 0)
		port = ntohs(at.sin_port);
	if(fd >= 0)
		close(fd);
	return port;
}

static int64_t *make_clock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	void *mem = MAP_FAILED;

	if(fd >= 0 && ftruncate(fd, 4096) == 0)
		mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if(fd >= 0)
		close(fd);
	return mem == MAP_FAILED ? NULL : mem;
}

/* Beside this program lies the library with the clock. */
static void preload(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);

	if(n <= 0)
		return;
	path[n] = '\0';
	strcpy(strrchr(path, '/') + 1, "still_clock.so");
	setenv("LD_PRELOAD", path, 1);
}

static void run_redis(const char *dir, const char *clock, const char *port)
{
	int log = open("/dev/null", O_WRONLY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setenv("AUTHBAN_STILL_CLOCK", clock, 1);
	preload();
	dup2(log, 1);
	execlp("redis-server", "redis-server", "--port", port, "--bind",
			"127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir,
			"--hz", "100", "--repl-diskless-sync", "no", "--repl-timeout",
			"1000000", "--daemonize", "no", "--loglevel", "warning", NULL);
	perror("redis-server");
	_exit(127);
}

int server_start(struct server *s, const char *dir, int number)
{
	struct timeval patience = {10, 0};
	char clock[96], port[8];
	int i;

	snprintf(s->dir, sizeof(s->dir), "%s/r%d", dir, number);
	snprintf(clock, sizeof(clock), "%s/clock", s->dir);
	mkdir(s->dir, 0700);
	s->clock = make_clock(clock);
	s->port = free_port();
	if(!s->clock || s->port < 0)
		return -1;
	*s->clock = (WORLD_BEGIN_S - DAY_S) * INT64_C(1000000000);
	snprintf(port, sizeof(port), "%d", s->port);
	s->pid = fork();
	if(s->pid == 0)
		run_redis(s->dir, clock, port);
	for(i = 0; i < TRIES; i++) {
		s->control = redisConnectWithTimeout("127.0.0.1", s->port, patience);
		/* the port may have become another's meanwhile: then ours ends */
		if(s->control && !s->control->err && server_do(s, "PING"))
			return waitpid(s->pid, NULL, WNOHANG) == 0 ? 0 : -1;
		if(s->control)
			redisFree(s->control);
		s->control = NULL;
		usleep(25000);
	}
	fprintf(stderr, "redis-server does not answer\n");
	return -1;
}

void server_stop(struct server *s)
{
	char clock[96];

	if(s->control)
		redisFree(s->control);
	if(s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	snprintf(clock, sizeof(clock), "%s/clock", s->dir);
	unlink(clock);
	rmdir(s->dir);
}

bool server_follow(struct server *s, struct server *master)
{
	int i;

	server_do(s, "REPLICAOF 127.0.0.1 %d", master->port);
	for(i = 0; i < TRIES; i++) {
		redisReply *r = redisCommand(s->control, "ROLE");
		bool up = r && r->type == REDIS_REPLY_ARRAY && r->elements > 3
				  && strcmp(r->element[3]->str, "connected") == 0;

		if(r)
			freeReplyObject(r);
		if(up)
			return true;
		usleep(2000);
		/* a look each second of their time */
		*s->clock += INT64_C(100000000);
		*master->clock += INT64_C(100000000);
		server_do(master, "PING");
	}
	return false;
}

bool server_do(struct server *s, const char *format, ...)
{
	redisReply *reply;
	va_list args;
	bool ok;

	va_start(args, format);
	reply = redisvCommand(s->control, format, args);
	va_end(args);
	ok = reply && reply->type != REDIS_REPLY_ERROR;
	if(reply)
		freeReplyObject(reply);
	return ok;
}
