/*
 * A clock that a test sets: LD_PRELOAD library, made by tests/lib/clock.py.
 *
 * The file that AUTHBAN_CLOCK names holds two int64_t, in nanoseconds: what all clocks
 * are ahead, and what the wall clock is ahead of that. Timers and timeouts of the
 * kernel stay real.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static const volatile int64_t *ahead; /* [0] all clocks, [1] the wall clock */

__attribute__((constructor)) static void open_clock(void)
{
	const char *path = getenv("AUTHBAN_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *mem;

	if(fd < 0)
		return;
	mem = mmap(NULL, 2 * sizeof(*ahead), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if(mem != MAP_FAILED)
		ahead = mem;
}

static int is_wall(clockid_t id)
{
	return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
}

static int moves(clockid_t id)
{
	return is_wall(id) || id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	long rc = syscall(SYS_clock_gettime, id, ts);
	int64_t ns;

	if(rc == 0 && ahead && moves(id)) {
		ns = (int64_t)ts->tv_sec * SECOND + ts->tv_nsec + ahead[0]
			 + (is_wall(id) ? ahead[1] : 0);
		ts->tv_sec = ns / SECOND;
		ts->tv_nsec = ns % SECOND;
	}
	return (int)rc;
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if(out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

int gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
