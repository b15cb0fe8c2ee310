/*
 * authban: a clock that stands still until a test moves it, for redis-server
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * LD_PRELOAD library of the checker. The file that AUTHBAN_STILL_CLOCK names holds one
 * int64_t: what every clock shows, nanoseconds since 1970. Timeouts of the kernel stay
 * real.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static const volatile int64_t *shown;

__attribute__((constructor)) static void open_clock(void)
{
	const char *path = getenv("AUTHBAN_STILL_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *mem;

	if(fd < 0)
		return;
	mem = mmap(NULL, sizeof(*shown), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if(mem != MAP_FAILED)
		shown = mem;
}

static int stands_still(clockid_t id)
{
	return shown
		   && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE
				   || id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	if(!stands_still(id))
		return (int)syscall(SYS_clock_gettime, id, ts);
	ts->tv_sec = *shown / SECOND;
	ts->tv_nsec = *shown % SECOND;
	return 0;
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
