/*
 * authban: connects many times, from many addresses of 127.0.0.0/8, and sends REGISTERs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: knock PORT FIRST SOURCES BEGIN COUNT RATE PROCESSOR REQUESTS
 *
 * COUNT connections, RATE a second, to 127.0.0.1:PORT, from SOURCES addresses from FIRST on
 * as blast takes them. In each REQUESTS requests, one write each 0.2 ms; then the connection
 * is closed, or as soon as the other side has closed it. Prints how many connections were
 * made, and how many requests went out. Nothing but loopback can be reached.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define COUNT_MAX 100000u
#define RATE_MAX 20000u
#define REQUESTS_MAX 100u
#define STRIDE 7919u /* as blast */
#define PAUSE_NS 200000u

static const char request[] =
		"REGISTER sip:sip.test SIP/2.0\r\n"
		"Via: SIP/2.0/TCP 127.0.0.1:5099;branch=z9hG4bK-524287-1---4f1c9f\r\n"
		"Max-Forwards: 70\r\n"
		"Contact: <sip:alice@127.0.0.1:5099;transport=tcp>\r\n"
		"To: <sip:alice@sip.test>\r\n"
		"From: <sip:alice@sip.test>;tag=5d1f7a2e\r\n"
		"Call-ID: 4Zb0M8m3kq1YVb9w2xJ3bA..\r\n"
		"CSeq: 2 REGISTER\r\n"
		"Expires: 3600\r\n"
		"User-Agent: friendly-scanner\r\n"
		"Authorization: Digest username=\"alice\", realm=\"sip.test\","
		" nonce=\"ZzXk5mc15Lq0f8s1d9c0a7b6e5f4a3b2c1d0\","
		" uri=\"sip:sip.test\","
		" response=\"0123456789abcdef0123456789abcdef\", algorithm=MD5\r\n"
		"Content-Length: 0\r\n\r\n";

struct plan
{
	struct sockaddr_in to;
	uint32_t first, sources, begin, count, rate, requests;
};

static uint32_t connected, sent;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	const struct timespec ts = {
			(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* The port is found when it connects, so each address has all of them. */
static int connect_from(const struct plan *p, uint32_t address)
{
	struct sockaddr_in me = {
			.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if(fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if(bind(fd, (struct sockaddr *)&me, sizeof(me)) == 0
			&& connect(fd, (const struct sockaddr *)&p->to, sizeof(p->to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int is_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

static void knock(const struct plan *p, uint32_t address)
{
	int fd = connect_from(p, address);
	uint32_t i;

	if(fd < 0)
		return;
	connected++;
	for(i = 0; i < p->requests && !is_closed(fd); i++) {
		if(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
			break;
		sent++;
		if(p->requests > 1)
			sleep_until(now_ns() + PAUSE_NS);
	}
	close(fd);
}

static uint32_t number(const char *text, uint32_t max)
{
	unsigned long n = strtoul(text, NULL, 10);

	return n > max ? max : (uint32_t)n;
}

static void pin(uint32_t processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	struct plan p = {0};
	struct in_addr first;
	uint64_t due;
	uint32_t i;

	if(argc != 9 || inet_pton(AF_INET, argv[2], &first) != 1)
		return 2;
	p.to.sin_family = AF_INET;
	p.to.sin_port = htons((uint16_t)number(argv[1], 65535));
	p.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p.first = ntohl(first.s_addr);
	p.sources = number(argv[3], 1u << 20);
	p.begin = number(argv[4], 1u << 30);
	p.count = number(argv[5], COUNT_MAX);
	p.rate = number(argv[6], RATE_MAX);
	p.requests = number(argv[8], REQUESTS_MAX);
	if((p.first + p.sources - 1) >> 24 != 127 || p.sources == 0 || p.rate == 0)
		return 2;
	pin(number(argv[7], CPU_SETSIZE - 1));
	for(i = 0, due = now_ns(); i < p.count; i++) {
		uint64_t n = (uint64_t)(p.begin + i) * STRIDE % p.sources;

		knock(&p, p.first + (uint32_t)n);
		due += 1000000000u / p.rate;
		if(now_ns() < due)
			sleep_until(due);
		else
			due = now_ns();
	}
	printf("%u %u\n", connected, sent);
	return 0;
}
