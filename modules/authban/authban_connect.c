/*
 * authban: sockets to Redis
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int begin(int family, const struct sockaddr *to, socklen_t len)
{
	const int yes = 1;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if(fd < 0)
		return -1;
	/* small batches and their answers: nothing is gained by waiting for more */
	if((family == AF_UNIX
			   || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes))
						  == 0)
			&& (connect(fd, to, len) == 0 || errno == EINPROGRESS))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

int authban_connect_tcp(const char *host, int port, const char **why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
							.ai_flags = AI_NUMERICHOST},
					*all, *a;
	char service[8];
	int fd = -1, rc;

	snprintf(service, sizeof(service), "%d", port);
	rc = getaddrinfo(host, service, &hints, &all);
	if(rc != 0) {
		*why = gai_strerror(rc);
		return -1;
	}
	for(a = all; a && fd < 0; a = a->ai_next)
		fd = begin(a->ai_family, a->ai_addr, a->ai_addrlen);
	if(fd < 0)
		*why = strerror(errno);
	freeaddrinfo(all);
	return fd;
}

int authban_connect_unix(const char *path, const char **why)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	int fd;

	if(len >= sizeof(to.sun_path)) {
		*why = "the path is too long";
		return -1;
	}
	memcpy(to.sun_path, path, len);
	fd = begin(AF_UNIX, (struct sockaddr *)&to, sizeof(to));
	if(fd < 0)
		*why = strerror(errno);
	return fd;
}
