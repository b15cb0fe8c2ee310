/*
 * Calls that fail when a test says so: LD_PRELOAD library for one process.
 *
 * The file that AUTHBAN_FAILING names holds a struct plan. Calls of the process
 * `pid` are counted by kind; the one that brings `left` to 0 fails.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* The numbers are those of tests/lib/failing.py. */
enum call
{
	MALLOC = 1,
	CALLOC,
	REALLOC,
	SOCKET,
	CONNECT,
	POLL,
	READ,
	WRITE,
	RECV,
	SEND,
	GETADDRINFO,
	SETSOCKOPT,
	GETSOCKOPT,
	FCNTL,
	CALLS
};

struct plan
{
	int32_t pid, call, left, error;
	int32_t fired; /* how often one has failed */
	int32_t seen[CALLS];
};

static volatile struct plan *plan;

__attribute__((constructor)) static void open_plan(void)
{
	const char *path = getenv("AUTHBAN_FAILING");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *mem;

	if(fd < 0)
		return;
	mem = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if(mem != MAP_FAILED)
		plan = mem;
}

static int fails(enum call call)
{
	if(!plan || plan->pid == 0 || plan->pid != getpid())
		return 0;
	plan->seen[call]++;
	if(plan->call != (int)call || plan->left <= 0 || --plan->left > 0)
		return 0;
	plan->fired++;
	errno = plan->error;
	return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* glibc's own names: dlsym() allocates */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size)
{
	return fails(MALLOC) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails(CALLOC) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	return fails(REALLOC) ? NULL : __libc_realloc(old, size);
}

int socket(int domain, int type, int protocol)
{
	return fails(SOCKET) ? -1 : REAL(socket)(domain, type, protocol);
}

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
	return fails(CONNECT) ? -1 : REAL(connect)(fd, to, len);
}

int poll(struct pollfd *fds, nfds_t n, int ms)
{
	return fails(POLL) ? -1 : REAL(poll)(fds, n, ms);
}

ssize_t read(int fd, void *buf, size_t len)
{
	return fails(READ) ? (errno ? -1 : 0) : REAL(read)(fd, buf, len);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	return fails(WRITE) ? -1 : REAL(write)(fd, buf, len);
}

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	return fails(RECV) ? (errno ? -1 : 0) : REAL(recv)(fd, buf, len, flags);
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	return fails(SEND) ? -1 : REAL(send)(fd, buf, len, flags);
}

int getaddrinfo(const char *node, const char *service,
		const struct addrinfo *hints, struct addrinfo **out)
{
	return fails(GETADDRINFO) ? EAI_MEMORY
							  : REAL(getaddrinfo)(node, service, hints, out);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return fails(SETSOCKOPT) ? -1
							 : REAL(setsockopt)(fd, level, name, value, len);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	return fails(GETSOCKOPT) ? -1
							 : REAL(getsockopt)(fd, level, name, value, len);
}

int fcntl(int fd, int command, ...)
{
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	return fails(FCNTL) ? -1 : REAL(fcntl)(fd, command, arg);
}
