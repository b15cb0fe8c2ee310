/*
 * authban: many REGISTERs with wrong passwords a second, each of them a new guess
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: storm PORT RATE COUNT <requests
 *
 * Reads requests, each behind a line "SOURCE BYTES", and sends them in turn to
 * 127.0.0.1:PORT from their sources (127.0.0.0/8), COUNT in all, RATE a second. Each time
 * the 16 digits behind "Call-ID: " and "branch=z9hG4bK" and the 32 behind response=" are new.
 * Prints how many were sent, how many were answered with 401, how many with something else.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUESTS_MAX 4096
#define SIZE_MAX_ 4096
#define BUFFER (8 << 20)
#define BURST 10u
#define LAST_WAIT_NS 2000000000u

struct request
{
	struct in_addr from;
	size_t len;
	char text[SIZE_MAX_];
};

static struct request request[REQUESTS_MAX];
static unsigned requests, refused, others;
static uint64_t state = 88172645463325252u;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void change(char *text, const char *behind, unsigned digits)
{
	char *p = strstr(text, behind);
	unsigned i;

	if(!p) {
		fprintf(stderr, "storm: no %s\n", behind);
		exit(2);
	}
	for(p += strlen(behind), i = 0; i < digits; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		p[i] = "0123456789abcdef"[state >> 60];
	}
}

static void send_next(int fd, const struct sockaddr_in *to, struct request *r)
{
	char control[CMSG_SPACE(sizeof(struct in_pktinfo))] = {0};
	struct iovec iov = {r->text, r->len};
	struct msghdr msg = {.msg_name = (void *)(uintptr_t)to,
			.msg_namelen = sizeof(*to),
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	struct in_pktinfo info = {.ipi_spec_dst = r->from};

	change(r->text, "Call-ID: ", 16);
	change(r->text, "branch=z9hG4bK", 16);
	change(r->text, "response=\"", 32);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	if(sendmsg(fd, &msg, 0) < 0) {
		perror("storm");
		exit(1);
	}
}

static void listen_to(int fd)
{
	char answer[64];

	while(recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 12) {
		if(memcmp(answer, "SIP/2.0 401", 11) == 0)
			refused++;
		else
			others++;
	}
}

static void doze(uint64_t until)
{
	const struct timespec ts = {
			(time_t)(until / 1000000000u), (long)(until % 1000000000u)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static void storm(
		int fd, const struct sockaddr_in *to, unsigned rate, unsigned count)
{
	uint64_t begin = now_ns(), end;
	unsigned i;

	for(i = 0; i < count; i++) {
		send_next(fd, to, &request[i % requests]);
		if(i % BURST)
			continue;
		listen_to(fd);
		doze(begin + 1000000000ull * i / rate);
	}
	end = now_ns() + LAST_WAIT_NS;
	while(refused + others < count && now_ns() < end) {
		doze(now_ns() + 1000000);
		listen_to(fd);
	}
}

static void read_requests(void)
{
	char line[64], source[32];
	struct request *r;

	while(requests < REQUESTS_MAX && fgets(line, sizeof(line), stdin)) {
		r = &request[requests++];
		if(sscanf(line, "%31s %zu", source, &r->len) != 2
				|| r->len >= sizeof(r->text)
				|| inet_pton(AF_INET, source, &r->from) != 1
				|| (ntohl(r->from.s_addr) >> 24) != 127
				|| fread(r->text, 1, r->len, stdin) != r->len) {
			fprintf(stderr, "storm: bad request %u\n", requests);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {
			.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = BUFFER;
	unsigned rate, count;

	if(argc != 4 || fd < 0)
		return 2;
	to.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	rate = (unsigned)strtoul(argv[2], NULL, 10);
	count = (unsigned)strtoul(argv[3], NULL, 10);
	if(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	state ^= now_ns(); /* no guess twice, also in the next run */
	read_requests();
	if(requests == 0 || rate == 0)
		return 2;
	storm(fd, &to, rate, count);
	printf("%u %u %u\n", count, refused, others);
	return 0;
}
