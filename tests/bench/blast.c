/*
 * authban: sends one datagram many times, from many addresses of 127.0.0.0/8
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: blast PORT FIRST SOURCES BEGIN COUNT RATE PROCESSOR [STEP]
 *
 * Sends a REGISTER with credentials COUNT times, RATE a second in bursts, to
 * 127.0.0.1:PORT. Its source is one of SOURCES addresses from FIRST (like
 * 127.16.0.1) on, STEP (1) apart, in an order that meets each one once before any comes again;
 * BEGIN is where in that order to begin. One socket: the kernel is told the
 * source with each datagram. Prints how many were sent and the nanoseconds it
 * took. Nothing but loopback can be reached.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define COUNT_MAX 2000000u
#define RATE_MAX 200000u
#define BURST 20u
#define STRIDE 7919u /* a prime: neighbours in time are none in address */

static const char request[] =
		"REGISTER sip:sip.test SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK-524287-1---4f1c9f\r\n"
		"Max-Forwards: 70\r\n"
		"Contact: <sip:alice@127.0.0.1:5099>\r\n"
		"To: <sip:alice@sip.test>\r\n"
		"From: <sip:alice@sip.test>;tag=5d1f7a2e\r\n"
		"Call-ID: 4Zb0M8m3kq1YVb9w2xJ3bA..\r\n"
		"CSeq: 2 REGISTER\r\n"
		"Expires: 3600\r\n"
		"Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO\r\n"
		"User-Agent: friendly-scanner\r\n"
		"Authorization: Digest username=\"alice\", realm=\"sip.test\","
		" nonce=\"ZzXk5mc15Lq0f8s1d9c0a7b6e5f4a3b2c1d0\","
		" uri=\"sip:sip.test\","
		" response=\"0123456789abcdef0123456789abcdef\", algorithm=MD5\r\n"
		"Content-Length: 0\r\n\r\n";

struct plan
{
	struct sockaddr_in to;
	uint32_t first, sources, begin, count, rate, step;
};

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

static int send_from(int fd, const struct plan *p, uint32_t address)
{
	union
	{
		char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec iov = {(void *)(uintptr_t)request, sizeof(request) - 1};
	struct msghdr msg = {.msg_name = (void *)(uintptr_t)&p->to,
			.msg_namelen = sizeof(p->to),
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control.bytes,
			.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	struct in_pktinfo info = {.ipi_spec_dst = {htonl(address)}};

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	return sendmsg(fd, &msg, 0) < 0 ? -1 : 0;
}

/* Bursts of the same size, so that a worker is woken up equally often whatever
 * else the machine does. What is late is made up for, three bursts at most, so
 * that a pause of the machine does not end in more than a socket can take. */
static uint32_t blast(int fd, const struct plan *p)
{
	uint64_t gap = 1000000000ull * BURST / p->rate, due = now_ns(), now;
	uint32_t sent = 0, i;

	for(i = 0; i < p->count; i++) {
		uint64_t n = (uint64_t)(p->begin + i) * STRIDE % p->sources;

		sent += send_from(fd, p, p->first + (uint32_t)n * p->step) == 0;
		if(i % BURST != BURST - 1)
			continue;
		due += gap;
		now = now_ns();
		if(now < due)
			sleep_until(due);
		else if(now > due + 3 * gap)
			due = now;
	}
	return sent;
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
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct plan p = {0};
	struct in_addr first;
	uint64_t begin;
	uint32_t sent;

	if(argc < 8 || argc > 9 || inet_pton(AF_INET, argv[2], &first) != 1
			|| fd < 0)
		return 2;
	p.to.sin_family = AF_INET;
	p.to.sin_port = htons((uint16_t)number(argv[1], 65535));
	p.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p.first = ntohl(first.s_addr);
	p.sources = number(argv[3], 1u << 23);
	p.begin = number(argv[4], 1u << 30);
	p.count = number(argv[5], COUNT_MAX);
	p.rate = number(argv[6], RATE_MAX);
	p.step = argc == 9 ? number(argv[8], 100) : 1;
	if(p.first >> 24 != 127
			|| (p.first + (uint64_t)p.sources * p.step - 1) >> 24 != 127
			|| p.sources == 0 || p.rate == 0)
		return 2;
	pin(number(argv[7], CPU_SETSIZE - 1));
	begin = now_ns();
	sent = blast(fd, &p);
	printf("%u %llu\n", sent, (unsigned long long)(now_ns() - begin));
	return 0;
}
