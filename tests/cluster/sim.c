/*
 * authban: a proxy's clock, network and sleep, as the checker makes them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "sim.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define FDS 256
#define ZOMBIES 64
#define REAL_MS 5000 /* longer than Redis ever takes, of true time */
#define TICK 20		 /* us that a call of poll() takes at the least */

/* One connection to Redis. */
struct conn
{
	bool used;
	bool tried; /* the kernel was asked to connect */
	bool broken;
	uint32_t generation;
	/* sent into a hole, and on its way since: TCP sends it again */
	uint8_t *held;
	size_t held_len;
	int64_t release; /* when it arrives; 0: the hole is still there */
};

static bool unsettled; /* sent since the last rest: Redis may not have it yet */
static struct sim sim;
static bool begun;
static struct conn conns[FDS];
/* Closed ones from which something is still to arrive, and where. */
static struct conn zombies[ZOMBIES];
static int zombie_fd[ZOMBIES];

static int64_t moment(void)
{
	return sim.world->now;
}

static struct link *net(void)
{
	return &sim.world->link[sim.index];
}

void sim_begin(const struct sim *s)
{
	sim = *s;
	begun = true;
}

/* --- talking to the checker --- */

void sim_report(const struct report *report)
{
	if(syscall(SYS_write, sim.sock, report, sizeof(*report))
			!= (long)sizeof(*report))
		_exit(3);
}

static void pump(void);

/* Lets the others run; orders are obeyed meanwhile. */
static void rest(int64_t until, bool idle)
{
	struct report sleep = {.kind = REPORT_SLEEP, .until = until, .idle = idle};
	struct report answer;
	struct order order;

	unsettled = false;
	sim_report(&sleep);
	for(;;) {
		if(syscall(SYS_read, sim.sock, &order, sizeof(order))
				!= (long)sizeof(order))
			_exit(3);
		if(order.kind == ORDER_GO)
			break;
		memset(&answer, 0, sizeof(answer));
		answer.kind = REPORT_ANSWER;
		sim.obey(&order, &answer);
		sim_report(&answer);
	}
	pump();
}

/* --- time and chance --- */

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t us;

	if(!begun)
		return (int)syscall(SYS_clock_gettime, id, ts);
	us = moment();
	if(id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		us += sim.world->begin_s * SECONDS + sim.wall;
	else
		us += sim.mono;
	ts->tv_sec = us / SECONDS;
	ts->tv_nsec = us % SECONDS * 1000;
	return 0;
}

ssize_t getrandom(void *out, size_t n, unsigned flags)
{
	uint8_t *p = out;
	size_t i;

	if(!begun)
		return syscall(SYS_getrandom, out, n, flags);
	for(i = 0; i < n; i++) {
		sim.random = sim.random * UINT64_C(6364136223846793005)
					 + UINT64_C(1442695040888963407);
		p[i] = (uint8_t)(sim.random >> 56);
	}
	return (ssize_t)n;
}

/* The bound of a last snapshot is in true time. */
int setitimer(__itimer_which_t which, const struct itimerval *restrict value,
		struct itimerval *restrict old)
{
	(void)which;
	(void)value;
	(void)old;
	return 0;
}

/* Files are in memory, and no machine dies here. */
int fsync(int fd)
{
	(void)fd;
	return 0;
}

/* --- connections --- */

static struct conn *conn_of(int fd)
{
	return begun && fd >= 0 && fd < FDS && conns[fd].used ? &conns[fd] : NULL;
}

static bool is_broken(const struct conn *c)
{
	return c->broken || c->generation != net()->generation
		   || net()->mode == LINK_REFUSED;
}

static bool requests_pass(void)
{
	return net()->mode == LINK_UP || net()->mode == LINK_HOLE_REPLIES;
}

static bool replies_pass(void)
{
	return net()->mode == LINK_UP || net()->mode == LINK_HOLE_REQUESTS;
}

static void send_all(int fd, const uint8_t *bytes, size_t n)
{
	struct pollfd p = {fd, POLLOUT, 0};
	long got;

	while(n > 0) {
		got = syscall(SYS_sendto, fd, bytes, n, MSG_NOSIGNAL, NULL, 0);
		if(got < 0 && errno != EAGAIN)
			return;
		if(got < 0) {
			syscall(SYS_poll, &p, 1, REAL_MS);
			continue;
		}
		bytes += got;
		n -= (size_t)got;
	}
	sim.world->touched++;
	unsettled = true;
}

/* What was held back arrives when its time has come. True: it has. */
static bool deliver(struct conn *c, int fd)
{
	if(c->held_len == 0)
		return true;
	if(!requests_pass()) {
		c->release = 0;
		return false;
	}
	if(c->release == 0)
		c->release = moment() + net()->late;
	if(moment() < c->release)
		return false;
	send_all(fd, c->held, c->held_len);
	free(c->held);
	c->held = NULL;
	c->held_len = 0;
	return true;
}

static void pump(void)
{
	int i;

	for(i = 0; i < FDS; i++)
		if(conns[i].used)
			deliver(&conns[i], i);
	for(i = 0; i < ZOMBIES; i++)
		if(zombies[i].used && deliver(&zombies[i], zombie_fd[i])) {
			syscall(SYS_close, zombie_fd[i]);
			zombies[i].used = false;
		}
}

static void hold(struct conn *c, const uint8_t *bytes, size_t n)
{
	c->held = realloc(c->held, c->held_len + n);
	memcpy(c->held + c->held_len, bytes, n);
	c->held_len += n;
}

static int connect_now(int fd)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
			.sin_port = htons((uint16_t)sim.world->port[net()->server]),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	conns[fd].tried = true;
	return (int)syscall(SYS_connect, fd, &to, sizeof(to));
}

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	if(!begun || addr->sa_family != AF_INET || fd >= FDS)
		return (int)syscall(SYS_connect, fd, addr, len);
	if(conns[fd].used) {
		errno = EISCONN;
		return -1;
	}
	if(net()->mode == LINK_REFUSED) {
		errno = ECONNREFUSED;
		return -1;
	}
	conns[fd] = (struct conn){.used = true, .generation = net()->generation};
	if(net()->mode == LINK_UP)
		return connect_now(fd);
	errno = EINPROGRESS;
	return -1;
}

static ssize_t conn_write(int fd, struct conn *c, const void *bytes, size_t n)
{
	struct link *l = net();
	size_t part = n;

	if(is_broken(c)) {
		errno = ECONNRESET;
		return -1;
	}
	if(!requests_pass() || c->held_len > 0) {
		hold(c, bytes, n);
		return (ssize_t)n;
	}
	if(l->cut_request >= 0 && (size_t)l->cut_request < n) {
		part = (size_t)l->cut_request;
		c->broken = true;
		l->cut_request = -1;
	} else if(l->cut_request >= 0) {
		l->cut_request -= (long)n;
	}
	send_all(fd, bytes, part);
	return (ssize_t)n;
}

static ssize_t conn_read(int fd, struct conn *c, void *bytes, size_t n)
{
	struct link *l = net();
	long got;

	if(is_broken(c)) {
		errno = ECONNRESET;
		return -1;
	}
	if(!replies_pass()) {
		errno = EAGAIN;
		return -1;
	}
	if(l->cut_reply >= 0 && (size_t)l->cut_reply < n)
		n = (size_t)l->cut_reply;
	got = n > 0 ? syscall(SYS_recvfrom, fd, bytes, n, 0, NULL, NULL) : 0;
	if(l->cut_reply < 0 || got < 0)
		return got;
	l->cut_reply -= got;
	if(l->cut_reply > 0)
		return got;
	c->broken = true;
	l->cut_reply = -1;
	if(got > 0)
		return got;
	errno = ECONNRESET;
	return -1;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
	struct conn *c = conn_of(fd);

	return c ? conn_write(fd, c, bytes, n) : syscall(SYS_write, fd, bytes, n);
}

ssize_t read(int fd, void *bytes, size_t n)
{
	struct conn *c = conn_of(fd);

	return c ? conn_read(fd, c, bytes, n) : syscall(SYS_read, fd, bytes, n);
}

ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
	struct conn *c = conn_of(fd);

	return c ? conn_write(fd, c, bytes, n)
			 : syscall(SYS_sendto, fd, bytes, n, flags, NULL, 0);
}

ssize_t recv(int fd, void *bytes, size_t n, int flags)
{
	struct conn *c = conn_of(fd);

	return c ? conn_read(fd, c, bytes, n)
			 : syscall(SYS_recvfrom, fd, bytes, n, flags, NULL, NULL);
}

/* A closed socket's bytes go on being sent, unless it was told to linger for no time. */
static void bury(int fd, struct conn *c)
{
	struct linger linger = {0, 0};
	socklen_t len = sizeof(linger);
	int i;

	getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len);
	for(i = 0; i < ZOMBIES && zombies[i].used; i++)
		;
	if(c->held_len == 0 || is_broken(c) || linger.l_onoff || i == ZOMBIES
			|| !c->tried) {
		free(c->held);
	} else {
		zombies[i] = *c;
		zombie_fd[i] = dup(fd);
	}
	memset(c, 0, sizeof(*c));
}

int close(int fd)
{
	struct conn *c = conn_of(fd);

	if(c)
		bury(fd, c);
	return (int)syscall(SYS_close, fd);
}

/* --- sleep --- */

static bool really(int fd, short events, int ms)
{
	struct pollfd p = {fd, events, 0};

	return syscall(SYS_poll, &p, 1, ms) > 0;
}

/* Whether poll() would tell of it. `wait`: an answer is due, so a Redis that is only
 * busy is waited for. */
static bool is_ready(int fd, short events, bool wait)
{
	struct conn *c = conn_of(fd);

	if(!c)
		return fd >= 0 && really(fd, events, 0);
	if(is_broken(c))
		return true;
	if(events & POLLOUT) {
		if(!c->tried && net()->mode == LINK_UP)
			connect_now(fd);
		return c->tried && net()->mode == LINK_UP
			   && really(fd, POLLOUT, REAL_MS);
	}
	if(!replies_pass() || c->held_len > 0)
		return false;
	return really(fd, POLLIN, wait && requests_pass() ? REAL_MS : 0);
}

static int64_t next_release(int64_t until)
{
	int i;

	for(i = 0; i < FDS; i++)
		if(conns[i].used && conns[i].release > moment()
				&& conns[i].release < until)
			until = conns[i].release;
	for(i = 0; i < ZOMBIES; i++)
		if(zombies[i].used && zombies[i].release > moment()
				&& zombies[i].release < until)
			until = zombies[i].release;
	return until;
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	bool idle = n > 1, first = true;
	int64_t end;
	nfds_t i;
	int ready;

	if(!begun)
		return (int)syscall(SYS_poll, fds, n, timeout);
	end = moment() + timeout * MS;
	if(timeout > 0 && !idle)
		rest(moment() + net()->delay < end ? moment() + net()->delay : end,
				false);
	else if(unsettled)
		rest(moment() + TICK, idle);
	for(;;) {
		ready = 0;
		for(i = 0; i < n; i++) {
			fds[i].revents =
					is_ready(fds[i].fd, fds[i].events, !idle && timeout > 0)
							? fds[i].events
							: 0;
			ready += fds[i].revents != 0;
		}
		if(ready || (timeout == 0 && !idle)
				|| (moment() >= end && !(idle && first)))
			return ready;
		/* its loop gives way at each round, or time would stand still */
		rest(next_release(end > moment() ? end : moment() + TICK), idle);
		first = false;
	}
}
