/*
 * authban: the address of a name, without waiting for it longer than told
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_resolve.h"

#include "authban_redis.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <resolv.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMES 16	/* of the URL, and those that servers name */
#define FRESH 2000	/* ms in which a name is not asked for twice */
#define LOOKUP_S 30 /* then a child ends itself */
#define STALE_WAIT \
	100 /* ms for news of a name whose last address is known: it may be as good */

/* What a child says: one of these, then an address or words. */
#define SAYS_ADDRESS '='
#define SAYS_NEVER '!' /* there is no such name */
#define SAYS_LATER '?' /* the name server has a problem */

struct name
{
	char host[AB_URL_PART];		/* "": not in use */
	char addr[AUTHBAN_ADDRESS]; /* "": not known */
	char error[64];
	int64_t when; /* the address was learnt, monotonic ms */
	int64_t used;
	pid_t child; /* 0: none */
	int fd;
};

static struct name names[NAMES];
static unsigned children;
static struct sigaction old_chld; /* valid while there are children */

static int say(int fd, const struct addrinfo *found)
{
	char text[1 + AUTHBAN_ADDRESS] = {SAYS_ADDRESS};
	const void *addr =
			found->ai_family == AF_INET
					? (const void *)&(
							(const struct sockaddr_in *)found->ai_addr)
							  ->sin_addr
					: (const void *)&(
							(const struct sockaddr_in6 *)found->ai_addr)
							  ->sin6_addr;

	if(!inet_ntop(found->ai_family, addr, text + 1, AUTHBAN_ADDRESS))
		return -1;
	return write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

/* IPv4 first, as hiredis has it. */
static void look_up(const char *host, int fd)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	static const int families[] = {AF_INET, AF_INET6};
	char text[64];
	int rc = EAI_FAIL, i;

	for(i = 0; i < 2; i++) {
		hints.ai_family = families[i];
		rc = getaddrinfo(host, NULL, &hints, &found);
		if(rc == 0) {
			say(fd, found);
			return;
		}
		if(rc == EAI_AGAIN)
			break;
	}
	snprintf(text, sizeof(text), "%c%s",
			rc == EAI_AGAIN || rc == EAI_SYSTEM ? SAYS_LATER : SAYS_NEVER,
			gai_strerror(rc));
	if(write(fd, text, strlen(text)) < 0)
		return;
}

/* A copy of Kamailio without its signal handlers, that does one thing. */
static void be_child(const char *host, int fd)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGALRM, SIGHUP, SIGUSR1,
			SIGUSR2, SIGPIPE, SIGCHLD};
	size_t i;

	for(i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* it must not keep our sockets open */
	alarm(LOOKUP_S);
	/* each name server has 5 s by default before the next is asked, or it again */
	if(res_init() == 0)
		_res.retrans = 1;
	look_up(host, fd);
	_exit(0);
}

static int start(struct name *n)
{
	/* Kamailio's main process ends when it hears of the end of a child */
	struct sigaction quiet = {.sa_handler = SIG_DFL};
	int fd[2];

	if(pipe2(fd, O_CLOEXEC) < 0)
		return -1;
	if(children == 0)
		sigaction(SIGCHLD, &quiet, &old_chld);
	n->child = fork();
	if(n->child == 0)
		be_child(n->host, fd[1]);
	close(fd[1]);
	if(n->child > 0) {
		n->fd = fd[0];
		children++;
		return 0;
	}
	n->child = 0;
	close(fd[0]);
	if(children == 0)
		sigaction(SIGCHLD, &old_chld, NULL);
	return -1;
}

static void reap(struct name *n)
{
	if(n->child == 0)
		return;
	kill(n->child, SIGKILL);
	while(waitpid(n->child, NULL, 0) < 0 && errno == EINTR)
		;
	close(n->fd);
	n->child = 0;
	if(--children == 0)
		sigaction(SIGCHLD, &old_chld, NULL);
}

/* Takes over what a child has said; its end without a word is a problem too. */
static void hear(struct name *n, int64_t now)
{
	char text[64] = {SAYS_LATER};
	ssize_t len = read(n->fd, text, sizeof(text) - 1);

	reap(n);
	if(len > 0)
		text[len] = '\0';
	if(text[0] == SAYS_ADDRESS && len > 1 && len <= AUTHBAN_ADDRESS) {
		memcpy(n->addr, text + 1, (size_t)len);
		n->when = now;
		return;
	}
	if(text[0] == SAYS_NEVER)
		n->addr[0] = '\0';
	snprintf(n->error, sizeof(n->error), "%s",
			text[1] ? text + 1 : "the resolver failed");
}

/* The name's place, or that of the one that was not asked for longest. */
static struct name *place_of(const char *host, int64_t now)
{
	struct name *n = &names[0];
	unsigned i;

	for(i = 0; i < NAMES && strcmp(names[i].host, host) != 0; i++)
		if(names[i].used < n->used)
			n = &names[i];
	if(i < NAMES) {
		n = &names[i];
	} else {
		reap(n);
		memset(n, 0, sizeof(*n));
		snprintf(n->host, sizeof(n->host), "%s", host);
	}
	n->used = now;
	return n;
}

/* True when it has said something in time. */
static bool wait_for(const struct name *n, int64_t until)
{
	struct pollfd p = {n->fd, POLLIN, 0};
	int64_t left;
	int rc;

	do {
		left = until - authban_redis_now();
		rc = poll(&p, 1, left < 0 ? 0 : (int)left);
	} while(rc < 0 && errno == EINTR);
	return rc > 0;
}

static bool is_address(const char *host)
{
	unsigned char addr[16];

	return inet_pton(AF_INET, host, addr) == 1
		   || inet_pton(AF_INET6, host, addr) == 1;
}

const char *authban_resolve(
		const char *host, int64_t deadline, char out[static AUTHBAN_ADDRESS])
{
	int64_t now = authban_redis_now(), until = now + AUTHBAN_REDIS_SILENCE;
	struct name *n;

	if(is_address(host)) {
		snprintf(out, AUTHBAN_ADDRESS, "%s", host);
		return NULL;
	}
	n = place_of(host, now);
	if(until > deadline)
		until = deadline;
	if(n->addr[0] && until > now + STALE_WAIT)
		until = now + STALE_WAIT;
	if(!n->addr[0] || now - n->when >= FRESH) {
		if(n->child == 0 && start(n) < 0)
			return "no process for the resolver";
		snprintf(n->error, sizeof(n->error), "the name server is silent");
		if(wait_for(n, until))
			hear(n, authban_redis_now());
	}
	if(!n->addr[0])
		return n->error;
	memcpy(out, n->addr, AUTHBAN_ADDRESS);
	return NULL;
}

void authban_resolve_end(void)
{
	unsigned i;

	for(i = 0; i < NAMES; i++)
		reap(&names[i]);
}
