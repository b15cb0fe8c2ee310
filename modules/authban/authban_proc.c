/*
 * authban: the process that talks to Redis and keeps the table tidy
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_proc.h"

#include "authban_feed.h"
#include "authban_log.h"
#include "authban_mac.h"
#include "authban_params.h"
#include "authban_peers.h"
#include "authban_record.h"
#include "authban_resolve.h"
#include "authban_shared.h"
#include "authban_snapshot.h"
#include "authban_state.h"
#include "authban_stats.h"
#include "authban_store.h"
#include "authban_testimony.h"
#include "authban_tidy.h"

#include "core/cfg/cfg_struct.h"
#include "core/dprint.h"
#include "core/pt.h"
#include "core/rand/fastrand.h"
#include "core/sr_module.h"

#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BACKOFF_MIN 100	 /* ms before the first new try */
#define BACKOFF_MAX 1000 /* ms; news must be everywhere 2 s after a return */
#define BACKOFF_LOGIN \
	30000 /* ms when the server refuses us: a person must act, so no less */
#define BATCH_SLOW 300 /* ms beyond the round trip: then batches get smaller, */
#define BATCH_QUICK 100	  /* and larger below this */
#define BATCH_MIN 16	  /* entries */
#define HEALTH_EVERY 5000 /* ms: clock, and whether Redis was emptied */
#define TELL_SOON 500	  /* ms after a ban was sent */
#define SWEEP_EVERY 1000  /* ms for one part of the table */
#define SWEEP_PARTS 64
#define COMPLAIN_EVERY 60000 /* ms between two lines about the same trouble */
#define MOVE_EVERY 2000		 /* ms between two moves that are no trouble */

static struct ab_sync sync_core; /* large: not on the stack */
static struct ab_settings settings;
static struct authban_store store;
static bool clock_known; /* cluster time has been Redis's once */

/* Moments in monotonic milliseconds. */
static int64_t next_try, next_health, next_sweep, next_complaint, next_snapshot,
		last_batch, next_move, next_loss;
static int backoff = BACKOFF_MIN;
static uint32_t sweep_part;

static void on_news(void *arg, const struct ab_judgement *what)
{
	(void)arg;
	authban_news(what);
}

static void set_clock(struct authban_store *s)
{
	struct ab_now now = authban_now();

	ab_sync_clock(s->sync, &now, s->offset, !clock_known);
	clock_known = true;
}

static void init_wire(struct ab_wire *w)
{

	w->mac = *authban_mac_wire(false);
	w->mac_old = *authban_mac_wire(true);
	w->shards = (unsigned)authban_params.redis_shards;
	strncpy(w->prefix, authban_params.redis_prefix, AB_WIRE_PREFIX_MAX);
	ab_node_id(authban_params.node, w->node);
}

int authban_proc_init(const struct ab_url *url)
{
	if(authban_random(sync_core.wire.boot, sizeof(sync_core.wire.boot)) < 0)
		return -1;
	init_wire(&sync_core.wire);
	sync_core.set = &settings;
	sync_core.ops = &authban_store_ops;
	sync_core.store = &store;
	sync_core.node = authban_node_number();
	sync_core.origin = authban_node_origin();
	sync_core.news = on_news;
	sync_core.nodes = authban_nodes();
	sync_core.forgot = authban_forgot;
	sync_core.flooded = authban_peers_flooded;
	sync_core.peer_changes = (uint32_t)authban_params.peer_changes;
	authban_guard_fill(&sync_core.guard);
	authban_store_init(&store, url, &sync_core,
			url && *url->password && authban_has_cluster_key());
	if(url) {
		authban_sync_state()->configured = 1;
		authban_state_server(url, &url->place[0]);
	}
	ab_table_set_clustered(authban_table(), url != NULL);
	register_procs(1);
	cfg_register_child(1);
	return 0;
}

/* --- connecting --- */

/* The map and the log have moved to another node, which is no trouble, unless it
 * happens all the time. True: they are looked for at once. */
static bool follow_home(void)
{
	int64_t now = authban_redis_now();

	if(!authban_store_moved(&store) || now < next_move)
		return false;
	next_move = now + MOVE_EVERY;
	authban_store_close(&store);
	LM_NOTICE("Redis at %s has handed the bans over to another node\n",
			authban_sync_state()->server);
	next_try = now;
	return true;
}

/* When to try again after an error. Not at once with the whole fleet: half to all of
 * the delay, or somewhat more than it where it is a promise. */
static int64_t next_after(int64_t now)
{
	unsigned any = fastrand();

	if(ab_trouble_of(store.error) == AB_TROUBLE_AUTH)
		return now + BACKOFF_LOGIN + (int)(any % (BACKOFF_LOGIN / 4));
	return now + backoff / 2 + (int)(any % (unsigned)(backoff / 2 + 1));
}

static void disconnected(void)
{
	struct authban_sync_state *state = authban_sync_state();
	int64_t now = authban_redis_now();
	enum ab_trouble trouble = ab_trouble_of(store.error);
	/* where others decide who is the master, it takes some of the 2 s */
	int max = store.url->kind == AB_URL_SERVER ? BACKOFF_MAX : BACKOFF_MAX / 2;

	if(follow_home())
		return;
	authban_store_close(&store);
	memcpy(state->last_error, store.error, sizeof(state->last_error) - 1);
	state->errors++;
	state->trouble[trouble]++;
	counter_inc(authban_counters.redis_errors);
	if(state->connected || now >= next_complaint) {
		LM_ERR("Redis at %s is away (%s): this proxy goes on alone\n",
				state->server, store.error);
		next_complaint = now + COMPLAIN_EVERY;
	}
	state->connected = 0;
	state->role = 0;
	state->nodes = 0;
	next_try = next_after(now);
	backoff = backoff * 2 < max ? backoff * 2 : max;
}

static void connected(void)
{
	struct authban_sync_state *state = authban_sync_state();
	struct ab_now now = authban_now();

	ab_sync_connected(&sync_core, &now, store.lost);
	if(store.lost) {
		authban_credit_lost(&store);
		authban_testimony_again();
	}
	authban_peers_connected();
	store.lost = false;
	state->connected = 1;
	state->role = store.role;
	state->nodes = (int)authban_topology_nodes(&store.topology);
	state->reconnects++;
	sync_core.batch_max = BATCH_MIN; /* the network may be slow */
	next_complaint = 0;
	next_health = authban_redis_now() + HEALTH_EVERY;
	LM_NOTICE("Redis at %s is connected, %u sources are banned\n",
			state->server,
			ab_table_banned(sync_core.table, authban_now_mono()));
}

/* What comes from map or snapshot was logged where it was made: no line for each. */
static void be_quiet(void)
{
	sync_core.table = authban_table();
	authban_settings(&settings);
	sync_core.news = NULL;
}

static int open_store(int64_t deadline)
{
	int rc;

	be_quiet();
	rc = authban_store_open(&store, deadline, set_clock);
	sync_core.news = on_news;
	if(rc == 0)
		authban_state_server(
				store.url, &authban_topology_home(&store.topology)->place);
	return rc;
}

void authban_proc_restore(void)
{
	be_quiet();
	authban_snapshot_load(&sync_core);
	sync_core.news = on_news;
	authban_guard_fill(&sync_core.guard); /* its keys may be others now */
}

/* Who is known-good; what there is no time for comes beside the other work. */
static void load_credit(int64_t deadline)
{
	int64_t begin = authban_redis_now();

	if(authban_credit_load(&store, deadline) < 0)
		LM_WARN("known-good facts could not be read from Redis (%s): they are"
				" read later\n",
				store.error);
	else if(sync_core.guard.good.told)
		LM_INFO("%llu known-good facts loaded from Redis in %d ms%s\n",
				(unsigned long long)store.credit.heard,
				(int)(authban_redis_now() - begin),
				authban_credit_is_loading(&store) ? ", the others follow" : "");
}

void authban_proc_preload(void)
{
	int64_t begin = authban_redis_now();
	int64_t end = begin + authban_params.redis_start_timeout * 1000;

	/* OpenSSL's state must not be made before the fork: with TLS it is the
	 * process that loads, a moment after the start */
	if(!store.url || store.url->tls || authban_params.redis_start_timeout == 0)
		return;
	if(open_store(end) < 0) {
		LM_ERR("Redis at %s is away (%s): starting alone\n",
				authban_sync_state()->server, store.error);
		authban_sync_state()->errors++;
		authban_sync_state()->trouble[ab_trouble_of(store.error)]++;
		/* the process that is forked now need not say it again at once */
		next_complaint = authban_redis_now() + COMPLAIN_EVERY;
		memcpy(authban_sync_state()->last_error, store.error,
				sizeof(authban_sync_state()->last_error) - 1);
		if(ab_trouble_of(store.error) == AB_TROUBLE_AUTH)
			next_try = next_after(authban_redis_now());
	} else {
		LM_INFO("%u bans loaded from Redis in %d ms\n",
				ab_table_banned(sync_core.table, authban_now_mono()),
				(int)(authban_redis_now() - begin));
		load_credit(end);
		store.lost = false; /* nothing was sent yet that could be lost */
	}
	/* the process makes connections and look-ups of its own */
	authban_store_close(&store);
	authban_resolve_end();
}

/* --- the loop --- */

static void listen_to_others(void)
{
	uint64_t states = sync_core.stats.states_applied;

	if(authban_store_listen(&store) < 0)
		disconnected();
	if(sync_core.stats.states_applied != states)
		authban_testimony_soon(2 * TELL_SOON);
}

/* What is on its way delays the log and the next batch, so on a slow network it is
 * less. `took` is in ms. */
static void fit_batch(int64_t took)
{
	size_t max = sync_core.batch_max ? sync_core.batch_max : AB_SYNC_BATCH;

	took -= store.round_trip;
	if(took > BATCH_SLOW)
		max = max / 2 > BATCH_MIN ? max / 2 : BATCH_MIN;
	else if(took < BATCH_QUICK)
		max = max * 2 < AB_SYNC_BATCH ? max * 2 : AB_SYNC_BATCH;
	sync_core.batch_max = max;
}

static void send_batch(int64_t now_ms)
{
	struct ab_now now = authban_now();
	uint64_t states = sync_core.stats.states_sent;
	int rc = ab_sync_batch(&sync_core, &now);

	last_batch = now_ms;
	fit_batch(authban_redis_now() - now_ms);
	if(rc < 0 || authban_store_moved(&store)) {
		disconnected();
		return;
	}
	if(sync_core.stats.states_sent != states)
		authban_testimony_soon(TELL_SOON);
	backoff = BACKOFF_MIN;
	authban_sync_state()->nodes = (int)authban_topology_nodes(&store.topology);
	/* a replica has taken over: whether it knows all is asked at once */
	if(store.topology.lost)
		next_health = now_ms;
}

/* Redis has not all that it had, or that belongs there. */
static void send_all_again(const char *why)
{
	struct ab_now now = authban_now();

	LM_WARN("Redis at %s %s: sending all again\n", authban_sync_state()->server,
			why);
	ab_sync_connected(&sync_core, &now, true);
	authban_testimony_again();
	authban_credit_lost(&store);
	store.lost = false;
}

static void check_health(int64_t now_ms)
{
	int missing;

	next_health = now_ms + HEALTH_EVERY;
	missing = authban_store_health(&store);
	/* who has lost everything is told everything below */
	if(missing == 0 && !store.lost)
		missing = authban_store_repair(&store);
	if(missing < 0) {
		disconnected();
		return;
	}
	if(missing > 0 && now_ms >= next_loss) {
		next_loss = now_ms + COMPLAIN_EVERY;
		LM_WARN("Redis at %s has lost %d records of bans: sending them"
				" again; is its maxmemory too small?\n",
				authban_sync_state()->server, missing);
	}
	backoff = BACKOFF_MIN;
	set_clock(&store);
	if(store.lost)
		send_all_again("has lost its memory");
}

/* Keys that somebody made something else of, and all other work beside bans. */
static void other_work(int64_t now_ms)
{
	struct authban_quarantine *q = &store.quarantine;
	struct authban_sync_state *state = authban_sync_state();
	const char *key;

	if(authban_quarantine_work(&store, now_ms) < 0
			|| authban_credit_work(&store, now_ms) < 0) {
		disconnected();
		return;
	}
	key = q->n ? q->key[q->n - 1].name : "a key of authban";
	if(q->news)
		snprintf(state->last_error, sizeof(state->last_error) - 1,
				"%.60s: WRONGTYPE, it is not a key of authban", key);
	if(q->news && now_ms >= next_complaint) {
		LM_ERR("Redis at %s has something else where a key of authban belongs,"
			   " %s: it is left alone, and the other keys are used\n",
				state->server, key);
		next_complaint = now_ms + COMPLAIN_EVERY;
	}
	if(q->healed && store.lost)
		send_all_again("has a key of authban again that was something else");
	q->news = q->healed = false;
}

static void sweep(int64_t now_ms)
{
	struct ab_now now = authban_now();

	next_sweep = now_ms + SWEEP_EVERY;
	ab_table_sweep(sync_core.table, sweep_part, SWEEP_PARTS, &settings, &now);
	ab_recent_sweep(sync_core.guard.good.facts, sweep_part, SWEEP_PARTS,
			now.mono, (uint32_t)settings.good_time);
	ab_recent_sweep(authban_attempts(), sweep_part++, SWEEP_PARTS, now.mono,
			AB_ATTEMPT_SECONDS);
	authban_record_sweep();
	authban_feed_sweep();
	if(ab_breaker_tick(
			   sync_core.guard.breaker, (uint32_t)settings.breaker, now.mono))
		authban_breaker_news();
}

/* What is due, in the order of its worth. */
static void work(int64_t now)
{
	bool online = authban_store_fd(&store) >= 0;

	authban_state_lag(&store, now); /* it may take seconds to send it */
	next_snapshot = authban_snapshot_work(&sync_core, clock_known);
	if(store.url && !online && now >= next_try) {
		if(open_store(now + AUTHBAN_STORE_LOAD) < 0)
			disconnected();
		else
			connected();
		online = authban_store_fd(&store) >= 0;
	}
	if(online)
		listen_to_others();
	/* before anything else is told: that we are back, if we were forgotten */
	if(authban_store_fd(&store) >= 0 && now >= authban_peers_next()
			&& authban_peers_work(&store, now) < 0)
		disconnected();
	if(authban_store_fd(&store) >= 0 && ab_table_has_dirty(sync_core.table)
			&& now - last_batch >= authban_params.sync_interval)
		send_batch(now);
	if(authban_store_fd(&store) >= 0 && now >= next_health)
		check_health(now);
	if(authban_store_fd(&store) >= 0)
		other_work(now);
	if(authban_store_fd(&store) >= 0
			&& (authban_testimony_work(&store) < 0
					|| authban_tidy_work(&store, now) < 0))
		disconnected();
	if(now >= next_sweep)
		sweep(now);
	authban_state_publish(&store, clock_known, authban_redis_now());
}

static int sleep_ms(int64_t now)
{
	int64_t until = next_sweep < next_snapshot ? next_sweep : next_snapshot;

	if(authban_store_fd(&store) >= 0) {
		/* a Redis that does not answer XREAD has to be noticed in time */
		if(authban_store_deadline(&store) < until)
			until = authban_store_deadline(&store);
		if(authban_peers_next() < until)
			until = authban_peers_next();
		/* announce first, look afterwards: no mark slips in between */
		ab_table_sync_sleeps(sync_core.table);
		if(ab_table_has_dirty(sync_core.table)
				&& last_batch + authban_params.sync_interval < until)
			until = last_batch + authban_params.sync_interval;
		if(authban_credit_next(&store) < until)
			until = authban_credit_next(&store);
		if(authban_quarantine_next(&store) < until)
			until = authban_quarantine_next(&store);
	} else if(store.url && next_try < until) {
		until = next_try;
	}
	return until > now ? (int)(until - now) : 0;
}

static void run(void)
{
	for(;;) {
		int64_t now = authban_redis_now();
		struct pollfd p[2];
		uint64_t ignored;

		cfg_update();
		authban_settings(&settings);
		work(now);
		p[0] = (struct pollfd){authban_wake_fd(), POLLIN, 0};
		p[1] = (struct pollfd){authban_store_fd(&store), POLLIN, 0};
		if(poll(p, 2, sleep_ms(authban_redis_now())) > 0
				&& (p[0].revents & POLLIN)
				&& read(authban_wake_fd(), &ignored, sizeof(ignored)) < 0)
			LM_DBG("wake: nothing to read\n");
	}
}

int authban_proc_start(void)
{
	int pid = fork_process(PROC_NOCHLDINIT, "authban sync", 0);

	if(pid < 0) {
		LM_ERR("cannot fork the sync process\n");
		return -1;
	}
	if(pid > 0)
		return 0;
	if(cfg_child_init())
		return -1;
	sync_core.table = authban_table();
	authban_snapshot_start();
	run();
	return 0;
}
