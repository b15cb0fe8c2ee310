/*
 * authban: Redis servers and proxies of one seed, and the order in which they run
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "stage.h"

#include "core.h"
#include "kamailio.h"
#include "sim.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BEFORE (1000 * SECONDS)
#define TICK 20 /* us between two steps of one proxy */

uint32_t stage_random(struct stage *s, uint32_t below)
{
	uint64_t z = s->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ z >> 31) >> 32) % below;
}

bool stage_chance(struct stage *s, uint32_t percent)
{
	return stage_random(s, 100) < percent;
}

void stage_say(struct stage *s, const char *format, ...)
{
	char line[256];
	const char *p;
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	for(p = line; *p; p++)
		s->trace = (s->trace ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	if(s->loud)
		printf("%10.4f  %s\n", (double)s->world->now / 1e6, line);
}

/* --- the servers' clocks --- */

static void set_clocks(struct stage *s)
{
	int i;

	for(i = 0; i < SERVERS; i++)
		*s->server[i].clock = (s->world->begin_s * SECONDS + s->world->now
									  + s->server[i].ahead)
							  * 1000;
}

/* What the server in use was sent, or its clock told it, it has done afterwards. Twice:
 * answers of one round of its loop are written one after the other. */
static void settle_server(struct stage *s)
{
	struct server *r = &s->server[s->world->link[0].server];

	set_clocks(s);
	if(r->seen == s->world->touched && r->last / MS == s->world->now / MS)
		return;
	r->seen = s->world->touched;
	r->last = s->world->now;
	server_do(r, "PING");
	server_do(r, "PING");
}

/* --- a proxy's process --- */

static struct world *own_world;
static int own_index;

static void tell_news(const struct ab_judgement *what)
{
	struct report r = {.kind = REPORT_NEWS};

	if(!what->ok || !what->news)
		return;
	r.view = what->view;
	sim_report(&r);
}

static void obey(const struct order *o, struct report *answer)
{
	struct ab_key key = o->entry == AB_KIND_PAIR ? core_pair(o->source, o->who)
												 : core_source(o->source);

	answer->ok = true;
	switch(o->kind) {
		case ORDER_FAIL:
			answer->ok = core_fail(o->source, o->who);
			break;
		case ORDER_SUCCESS:
			answer->ok = core_success(o->source, o->who);
			break;
		case ORDER_BAN:
			core_ban(o->source, o->seconds);
			break;
		case ORDER_UNBAN:
			core_unban(o->source);
			break;
		case ORDER_MARK:
			core_mark_all();
			break;
		case ORDER_TERM:
			raise(SIGTERM);
			break;
		default:
			break;
	}
	if(!core_view(&key, &answer->view))
		answer->ok = answer->ok && o->kind != ORDER_VIEW;
	answer->dirty = core_has_dirty();
	answer->met = core_has_met();
}

static void live(struct stage *s, unsigned i, int sock)
{
	static char node[16], url[32];
	struct proxy *p = &s->proxy[i];
	struct core_config config = {node, url, "checker", p->snapshot, 2, 1, 1024};
	struct report ready = {.kind = REPORT_READY};
	struct sim sim = {.world = own_world,
			.index = own_index,
			.sock = sock,
			.mono = p->mono,
			.wall = p->wall,
			.random = s->seed * 1000 + i * 100 + s->truth.boot[i],
			.obey = obey};

	snprintf(node, sizeof(node), "proxy-%u", i);
	snprintf(url, sizeof(url), "redis://127.0.0.1:6379");
	kamailio_settings = s->set;
	kamailio_news = tell_news;
	kamailio_seed(sim.random);
	sim_begin(&sim);
	if(core_open(&config) < 0)
		_exit(2);
	sim_report(&ready);
	core_run();
	_exit(4);
}

void stage_start(struct stage *s, unsigned i)
{
	struct proxy *p = &s->proxy[i];
	int pair[2];
	unsigned k;

	truth_boot(&s->truth, i);
	if(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		perror("socketpair");
		exit(1);
	}
	fflush(stdout);
	p->pid = fork();
	if(p->pid == 0) {
		for(k = 0; k < s->cores; k++)
			if(s->proxy[k].pid && k != i)
				close(s->proxy[k].sock);
		close(pair[0]);
		own_world = s->world;
		own_index = (int)i;
		live(s, i, pair[1]);
	}
	close(pair[1]);
	p->sock = pair[0];
	p->ready = p->idle = p->gone = false;
	p->until = INT64_MAX; /* its first report comes by itself */
	stage_say(s, "proxy %u starts", i);
	stage_listen(s, i);
}

static void buried(struct stage *s, unsigned i)
{
	struct proxy *p = &s->proxy[i];
	int status = 0;

	close(p->sock);
	waitpid(p->pid, &status, 0);
	p->pid = 0;
	p->ready = false;
	if(WIFEXITED(status) && WEXITSTATUS(status) == 0)
		stage_say(s, "proxy %u has ended", i);
	else if(!p->gone)
		snprintf(s->truth.wrong, sizeof(s->truth.wrong),
				"proxy %u ended by itself, status %x", i, (unsigned)status);
}

void stage_kill(struct stage *s, unsigned i)
{
	struct proxy *p = &s->proxy[i];

	if(!p->pid)
		return;
	p->gone = true;
	kill(p->pid, SIGKILL);
	buried(s, i);
}

/* --- reports and orders --- */

static void take_news(struct stage *s, unsigned i, const struct ab_view *v)
{
	stage_say(s,
			"proxy %u: source %u kind %u state %u reason %u for %u s, %u"
			" failures, version %lld.%u",
			i, truth_source(&v->key), v->key.kind, v->state, v->reason, v->ttl,
			v->failures,
			(long long)(v->version >> 16) - (long long)s->world->begin_s * 1000,
			(unsigned)(v->version & 0xffff));
	truth_news(&s->truth, i, s->world->now, v);
}

/* One report; false: the process is gone. */
static bool take(struct stage *s, unsigned i, struct report *r)
{
	struct proxy *p = &s->proxy[i];

	if(read(p->sock, r, sizeof(*r)) != (ssize_t)sizeof(*r)) {
		buried(s, i);
		return false;
	}
	if(r->kind == REPORT_READY)
		p->ready = true;
	if(r->kind == REPORT_NEWS)
		take_news(s, i, &r->view);
	if(r->kind == REPORT_SLEEP) {
		p->until = r->until;
		p->idle = r->idle;
	}
	return true;
}

void stage_listen(struct stage *s, unsigned i)
{
	struct report r;

	while(take(s, i, &r) && r.kind != REPORT_SLEEP)
		;
}

struct report stage_order(
		struct stage *s, unsigned i, const struct order *order)
{
	struct report r = {0};

	if(write(s->proxy[i].sock, order, sizeof(*order)) < 0)
		return r;
	while(take(s, i, &r) && r.kind != REPORT_ANSWER)
		;
	/* it may have been woken */
	if(s->proxy[i].idle && order->kind != ORDER_VIEW)
		s->proxy[i].until = s->world->now;
	return r;
}

bool stage_view(struct stage *s, unsigned source, uint8_t kind, uint64_t who,
		struct known_entry *out)
{
	struct order o = {ORDER_VIEW, source, who, 0, kind};
	unsigned i;

	for(i = 0; i < s->cores; i++) {
		struct report r;

		if(!s->proxy[i].pid || !s->proxy[i].ready)
			return false;
		r = stage_order(s, i, &o);
		out[i].there = r.ok;
		out[i].view = r.view;
	}
	return true;
}

void stage_wake_all(struct stage *s)
{
	unsigned i;

	for(i = 0; i < s->cores; i++)
		if(s->proxy[i].pid && s->proxy[i].until > s->world->now)
			s->proxy[i].until = s->world->now;
}

/* --- time --- */

static int first_awake(const struct stage *s)
{
	int best = -1;
	unsigned i;

	for(i = 0; i < s->cores; i++)
		if(s->proxy[i].pid
				&& (best < 0 || s->proxy[i].until < s->proxy[best].until))
			best = (int)i;
	return best;
}

/* Something was sent, so there may be news on the log: who waits for it looks. */
static void wake_listeners(struct stage *s, unsigned but)
{
	unsigned i;

	for(i = 0; i < s->cores; i++) {
		struct proxy *p = &s->proxy[i];
		int64_t at = s->world->now + 200 + stage_random(s, 2000);

		if(i != but && p->pid && p->idle && p->until > at)
			p->until = at;
	}
}

static void step(struct stage *s, unsigned i)
{
	struct order go = {.kind = ORDER_GO};
	uint32_t touched = s->world->touched;

	settle_server(s);
	if(write(s->proxy[i].sock, &go, sizeof(go)) < 0)
		return;
	stage_listen(s, i);
	if(s->world->touched == touched)
		return;
	settle_server(s);
	wake_listeners(s, i);
}

void stage_run(struct stage *s, int64_t until)
{
	while(!s->truth.wrong[0]) {
		int i = first_awake(s);

		if(i < 0 || s->proxy[i].until > until)
			break;
		if(s->proxy[i].until > s->world->now)
			s->world->now = s->proxy[i].until;
		else
			s->world->now += TICK;
		step(s, (unsigned)i);
	}
	if(s->world->now < until)
		s->world->now = until;
	set_clocks(s);
}

/* --- the whole --- */

int stage_open(struct stage *s, const char *dir)
{
	int i;

	s->world = mmap(NULL, sizeof(*s->world), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if(s->world == MAP_FAILED)
		return -1;
	for(i = 0; i < SERVERS; i++)
		if(server_start(&s->server[i], dir, i) < 0)
			return -1;
	for(i = 0; i < CORES_MAX; i++)
		snprintf(s->proxy[i].snapshot, sizeof(s->proxy[i].snapshot),
				"%s/snapshot-%d", dir, i);
	return 0;
}

void stage_close(struct stage *s)
{
	int i;

	for(i = 0; i < CORES_MAX; i++) {
		stage_kill(s, (unsigned)i);
		unlink(s->proxy[i].snapshot);
	}
	for(i = 0; i < SERVERS; i++)
		server_stop(&s->server[i]);
}

void stage_begin(struct stage *s, uint64_t seed)
{
	unsigned i;

	s->seed = s->random = seed;
	s->trace = 0;
	s->world->now = 0;
	s->world->begin_s += s->world->begin_s ? DAY_S : WORLD_BEGIN_S;
	s->cores = 3 + stage_random(s, CORES_MAX - 2);
	for(i = 0; i < SERVERS; i++) {
		s->server[i].ahead = 0;
		s->world->port[i] = s->server[i].port;
	}
	/* it goes forward only, and a replica needs some of it before the seed's begins */
	s->world->now = -BEFORE;
	set_clocks(s);
	s->world->now = 0;
	for(i = 0; i < SERVERS; i++) {
		server_do(&s->server[i], "REPLICAOF NO ONE");
		server_do(&s->server[i], "FLUSHALL");
	}
	ab_settings_preset(&s->set);
	truth_begin(&s->truth, &s->set, s->cores);
	s->truth.begin_s = s->world->begin_s;
	for(i = 0; i < s->cores; i++) {
		struct proxy *p = &s->proxy[i];

		s->world->link[i] =
				(struct link){.delay = 100, .cut_request = -1, .cut_reply = -1};
		p->pid = 0;
		p->back = 0;
		p->mono = (int64_t)stage_random(s, 1000000) * SECONDS;
		p->wall = ((int64_t)stage_random(s, 4000) - 2000) * MS;
		unlink(p->snapshot);
	}
}
