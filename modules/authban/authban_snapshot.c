/*
 * authban: the local snapshot is written
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_snapshot_private.h"

#include "authban_mac.h"
#include "authban_params.h"
#include "authban_redis.h"
#include "authban_shared.h"

#include "core/dprint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define SLICE_MS 8	  /* of work at a time */
#define PAUSE_MS 12	  /* between two slices */
#define SETTLE_MS 200 /* for the disk to take most of it before fsync() */
#define STOP_MS 900	  /* for the last one; the whole exit is to take 1 s */
#define COMPLAIN_EVERY 60000 /* ms between two lines about the same trouble */
#define ROWS 64

enum step
{
	STEP_REST = 0,
	STEP_FACTS,
	STEP_STATES,
	STEP_SETTLE
};

static struct ab_snapshot_writer writer; /* large: not on the stack */
static struct ab_cursor cursor;			 /* in the table */
static uint32_t fact_line;				 /* in the set of facts */
static enum step step;
static int fd = -1;
static bool started;
/* Moments in ms of authban_redis_now(). */
static int64_t next, begun, next_complaint;
static bool failing;
static volatile sig_atomic_t stopping;
static char path_new[PATH_MAX];

/* --- trouble --- */

static void give_up(const char *what)
{
	int err = errno;
	int64_t now = authban_redis_now();

	if(fd >= 0) {
		close(fd);
		unlink(path_new);
	}
	fd = -1;
	step = STEP_REST;
	if(now >= next_complaint) {
		LM_ERR("the snapshot %s cannot be written (%s: %s): a restart will"
			   " know nothing newer than the last one\n",
				authban_params.snapshot, what, strerror(err));
		next_complaint = now + COMPLAIN_EVERY;
	}
	failing = true;
}

/* --- the steps --- */

static bool put(void *arg, const uint8_t *bytes, size_t len)
{
	(void)arg;
	while(len > 0) {
		ssize_t n = write(fd, bytes, len);

		if(n < 0 && errno == EINTR)
			continue;
		if(n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* A name of an earlier start that was killed is taken away first. */
static bool open_file(void)
{
	unlink(path_new);
	fd = open(path_new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			S_IRUSR | S_IWUSR);
	return fd >= 0;
}

static void begin(struct ab_sync *sync, bool redis_clock)
{
	struct ab_snapshot_head head;

	memset(&head, 0, sizeof(head));
	authban_snapshot_moment(&head.at);
	head.cluster_clock = redis_clock || authban_snapshot_clock_kept();
	memcpy(head.good_key, sync->guard.good.key, sizeof(head.good_key));
	if(!authban_keys_shared())
		authban_keyed_key(head.user_key);
	head.lines = sync->guard.good.facts->lines;
	begun = authban_redis_now();
	if(!open_file()) {
		give_up("open");
		return;
	}
	writer.mac = authban_snapshot_mac(false);
	writer.put = put;
	ab_snapshot_begin(&writer, &head);
	fact_line = 0;
	memset(&cursor, 0, sizeof(cursor));
	step = STEP_FACTS;
}

static void some_facts(struct ab_sync *sync)
{
	const struct ab_recent *facts = sync->guard.good.facts;
	struct ab_fact row[ROWS];
	size_t n, i;

	n = ab_recent_list(facts, &fact_line, authban_now().mono,
			(uint32_t)sync->set->good_time, row, ROWS);
	for(i = 0; i < n; i++)
		ab_snapshot_put_fact(&writer, &row[i]);
	if(fact_line >= facts->lines)
		step = STEP_STATES;
}

static void some_states(struct ab_sync *sync)
{
	static const struct ab_wire unsigned_wire; /* the whole file has a MAC */
	static struct ab_view row[ROWS];
	struct ab_names *names = ab_table_names(sync->table);
	struct ab_now now = authban_now();
	uint8_t record[AB_WIRE_STATE_MAX];
	size_t n, i;

	n = ab_table_walk(sync->table, &cursor, sync->set, &now, row, ROWS);
	for(i = 0; i < n; i++)
		if(ab_sync_is_kept(&row[i]))
			ab_snapshot_put_state(&writer, record,
					ab_sync_record(
							&unsigned_wire, names, &now, &row[i], record));
	if(n == 0 && ab_snapshot_end(&writer))
		step = STEP_SETTLE;
}

/* The folder's own entry has to reach the disk too. */
static void sync_folder(void)
{
	char folder[PATH_MAX];
	int dir;

	snprintf(folder, sizeof(folder), "%s", authban_params.snapshot);
	strrchr(folder, '/')[1] = '\0';
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if(dir >= 0) {
		fsync(dir);
		close(dir);
	}
}

static void finish(void)
{
	if(fsync(fd) < 0) {
		give_up("fsync");
		return;
	}
	close(fd);
	fd = -1;
	step = STEP_REST;
	if(rename(path_new, authban_params.snapshot) < 0) {
		give_up("rename");
		unlink(path_new);
		return;
	}
	sync_folder();
	if(failing)
		LM_NOTICE(
				"the snapshot %s is written again\n", authban_params.snapshot);
	failing = false;
	next_complaint = 0;
	LM_DBG("snapshot: %u facts and %u states in %d ms\n", writer.facts,
			writer.states, (int)(authban_redis_now() - begun));
}

static void slice(struct ab_sync *sync, int64_t until)
{
	while((step == STEP_FACTS || step == STEP_STATES)
			&& authban_redis_now() < until) {
		if(step == STEP_FACTS)
			some_facts(sync);
		else
			some_states(sync);
		if(writer.failed)
			give_up("write");
	}
	/* begins to move it to the disk and does not wait */
	if(fd >= 0)
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

/* --- the last one --- */

static void on_stop(int signo)
{
	/* however long a call to Redis or the disk takes, the process ends */
	static const struct itimerval bound = {
			.it_value = {.tv_usec = STOP_MS * 1000}};

	(void)signo;
	/* systemd signals every process, and the main process its children again */
	if(stopping)
		return;
	stopping = 1;
	signal(SIGALRM, SIG_DFL);
	setitimer(ITIMER_REAL, &bound, NULL);
	authban_wake_always();
}

static void write_last(struct ab_sync *sync, bool redis_clock)
{
	if(fd >= 0)
		close(fd);
	fd = -1;
	begin(sync, redis_clock);
	slice(sync, INT64_MAX);
	if(step == STEP_SETTLE)
		finish();
	_exit(0);
}

void authban_snapshot_start(void)
{
	struct sigaction sa;

	if(!*authban_params.snapshot)
		return;
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_stop;
	sa.sa_flags = SA_RESTART;
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	signal(SIGXFSZ,
			SIG_IGN); /* a limit of file sizes is an error like others */
	snprintf(path_new, sizeof(path_new), "%s.new", authban_params.snapshot);
	next = authban_redis_now() + authban_params.snapshot_interval * 1000;
	started = true;
}

int64_t authban_snapshot_work(struct ab_sync *sync, bool redis_clock)
{
	int64_t now = authban_redis_now();

	if(!started)
		return INT64_MAX;
	if(stopping)
		write_last(sync, redis_clock);
	if(now < next)
		return next;
	if(step == STEP_SETTLE)
		finish();
	else if(step == STEP_REST)
		begin(sync, redis_clock);
	slice(sync, now + SLICE_MS);
	now = authban_redis_now();
	if(step == STEP_REST)
		next = begun + authban_params.snapshot_interval * 1000;
	else
		next = now + (step == STEP_SETTLE ? SETTLE_MS : PAUSE_MS);
	return next;
}
