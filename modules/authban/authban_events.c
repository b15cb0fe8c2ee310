/*
 * authban: event routes, and their twin in KEMI scripts
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_events.h"

#include "authban_params.h"
#include "authban_stats.h"

#include "core/action.h"
#include "core/cfg/cfg_struct.h"
#include "core/dprint.h"
#include "core/fmsg.h"
#include "core/kemi.h"
#include "core/pt.h"
#include "core/receive.h"
#include "core/route.h"
#include "core/sr_module.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define PIPE_BYTES (1 << 20) /* some 4,000 events; asked for, not needed */

/* written as a whole or not at all */
_Static_assert(sizeof(struct authban_raised) <= PIPE_BUF, "torn events");

static const char *const names[AUTHBAN_EVENT_COUNT] = {"authban:ban",
		"authban:unban", "authban:campaign", "authban:user-attack",
		"authban:breaker"};

/* The route of each event; NULL: there is none. */
static struct action *routes[AUTHBAN_EVENT_COUNT];
static str callback;		   /* KEMI's; empty: none */
static int ends[2] = {-1, -1}; /* of the pipe; -1: nothing to run */
static const struct authban_raised *current;

const char *authban_event_name(enum authban_event which)
{
	return names[which];
}

const struct authban_raised *authban_event_current(void)
{
	return current;
}

/* Returns how many events have something to run, -1 on a wrong parameter. */
static int find_routes(void)
{
	int i, rt, found = 0;

	callback.s = (char *)authban_params.event_callback;
	callback.len = (int)strlen(callback.s);
	if(callback.len > 0 && !sr_kemi_eng_get()) {
		LM_ERR("parameter event_callback is \"%s\", but the configuration has"
			   " no KEMI script; allowed with cfgengine only\n",
				callback.s);
		return -1;
	}
	if(callback.len > 0)
		return AUTHBAN_EVENT_COUNT;
	for(i = 0; i < AUTHBAN_EVENT_COUNT; i++) {
		rt = route_lookup(&event_rt, (char *)names[i]);
		routes[i] = rt >= 0 ? event_rt.rlist[rt] : NULL;
		found += routes[i] != NULL;
	}
	return found;
}

int authban_events_init(void)
{
	int found = find_routes();

	if(found <= 0)
		return found;
	if(pipe2(ends, O_CLOEXEC) < 0 || fcntl(ends[1], F_SETFL, O_NONBLOCK) < 0) {
		LM_ERR("cannot make a pipe: %s\n", strerror(errno));
		return -1;
	}
	if(fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES) < 0)
		LM_DBG("the pipe stays small: %s\n", strerror(errno));
	register_procs(1);
	cfg_register_child(1);
	return 0;
}

void authban_event(enum authban_event which, const struct ab_view *view,
		const char *detail)
{
	struct authban_raised ev;

	if(ends[1] < 0 || current || (callback.len == 0 && !routes[which]))
		return;
	memset(&ev, 0, sizeof(ev));
	ev.which = which;
	ev.has_view = view != NULL;
	if(view)
		ev.view = *view;
	if(detail)
		snprintf(ev.detail, sizeof(ev.detail), "%s", detail);
	if(write(ends[1], &ev, sizeof(ev)) != sizeof(ev))
		counter_inc(authban_counters.events_dropped);
}

/* --- the process --- */

static void run_script(const struct authban_raised *ev, sip_msg_t *msg)
{
	sr_kemi_eng_t *keng = sr_kemi_eng_get();
	str name = {(char *)names[ev->which], (int)strlen(names[ev->which])};

	if(callback.len == 0)
		run_top_route(routes[ev->which], msg, NULL);
	else if(sr_kemi_route(keng, msg, EVENT_ROUTE, &callback, &name) < 0)
		LM_ERR("%s() failed for %s\n", callback.s, name.s);
}

static void run_event(const struct authban_raised *ev)
{
	sip_msg_t msg;

	/* one of its own for each event: nothing of the last one is left in it */
	if(faked_msg_get_new(&msg) < 0)
		return;
	set_route_type(EVENT_ROUTE);
	current = ev;
	run_script(ev, &msg);
	current = NULL;
	free_sip_msg(&msg);
	ksr_msg_env_reset();
}

static void run(void)
{
	struct authban_raised ev;
	ssize_t n;

	for(;;) {
		n = read(ends[0], &ev, sizeof(ev));
		if(n != sizeof(ev)) {
			/* a signal; anything else cannot be, and must not spin */
			if(n >= 0 || errno != EINTR)
				sleep(1);
			continue;
		}
		cfg_update();
		run_event(&ev);
	}
}

int authban_events_start(void)
{
	int pid;

	if(ends[0] < 0)
		return 0;
	/* as an RPC process: modules open their connections for it, and it may send
	 * over TCP */
	pid = fork_process(PROC_RPC, "authban events", 1);
	if(pid < 0) {
		LM_ERR("cannot fork the process of event routes\n");
		return -1;
	}
	if(pid > 0)
		return 0;
	if(cfg_child_init())
		return -1;
	run();
	return 0;
}
