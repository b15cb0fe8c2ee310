/*
 * A Kamailio that goes on when a worker has died: LD_PRELOAD library.
 *
 * Its main process ends everything when waitpid() names a dead child. Here the
 * child is taken away and nobody is told, so that a test sees how the others fare.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _GNU_SOURCE
#include <sys/types.h>
#include <sys/wait.h>

pid_t waitpid(pid_t pid, int *status, int options)
{
	pid_t got = wait4(pid, status, options, NULL);

	return pid == -1 && (options & WNOHANG) && got > 0 ? 0 : got;
}
