/*
 * authban: receives datagrams and does nothing with them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: receiver PORT recvfrom|recvmsg
 *
 * On 127.0.0.1:PORT until it is killed. recvfrom: the system call as Kamailio's UDP workers
 * make it; recvmsg: with IP_PKTINFO, which also tells to which address a datagram was sent.
 * What it costs is the kernel's part, which no program can do without.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define BUFFER (4 << 20) /* as Kamailio asks for (maxbuffer) */
#define DATAGRAM 65535

static char buffer[DATAGRAM];

static int open_socket(uint16_t port, bool info)
{
	struct sockaddr_in me = {.sin_family = AF_INET,
			.sin_port = htons(port),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = info,
		size = BUFFER;

	if(fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0
			|| setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0
			|| bind(fd, (struct sockaddr *)&me, sizeof(me)) < 0) {
		perror("receiver");
		exit(1);
	}
	return fd;
}

static void receive_from(int fd)
{
	struct sockaddr_in from;
	socklen_t len;

	for(;;) {
		len = sizeof(from);
		if(recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from,
				   &len)
				< 0)
			exit(1);
	}
}

static void receive_msg(int fd)
{
	char control[CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct iovec iov = {buffer, sizeof(buffer)};
	struct sockaddr_in from;

	for(;;) {
		struct msghdr msg = {.msg_name = &from,
				.msg_namelen = sizeof(from),
				.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};

		if(recvmsg(fd, &msg, 0) < 0)
			exit(1);
	}
}

int main(int argc, char **argv)
{
	bool info;
	int fd;

	if(argc != 3) {
		fprintf(stderr, "usage: receiver PORT recvfrom|recvmsg\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	info = strcmp(argv[2], "recvmsg") == 0;
	fd = open_socket((uint16_t)strtoul(argv[1], NULL, 10), info);
	if(info)
		receive_msg(fd);
	receive_from(fd);
	return 0;
}
