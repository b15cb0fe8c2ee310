/*
 * authban: the local snapshot is read
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Twice: first all MACs and the head, then what is in it. The file is never changed
 * in place, only replaced, and the descriptor stays with the old one.
 */
#include "authban_snapshot_private.h"

#include "authban_mac.h"
#include "authban_params.h"
#include "authban_redis.h"
#include "authban_shared.h"

#include "core/dprint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOAD_MS 5000 /* for both readings */
#define BUFFER 65536

/* One loading. */
struct load
{
	struct ab_sync *sync;
	int fd;
	int64_t begin;
	size_t at, len; /* in buffer */
	struct ab_snapshot_head head;
	uint64_t elapsed_ms;
	struct ab_now now; /* by the snapshot's clock */
	bool states_too;
	uint32_t facts, states, refused;
	uint8_t buffer[BUFFER];
};

static struct load load; /* large: not on the stack */
static struct ab_snapshot_reader reader;
static bool clock_kept;

bool authban_snapshot_clock_kept(void)
{
	return clock_kept;
}

struct ab_snapshot_mac authban_snapshot_mac(bool old)
{
	struct ab_snapshot_mac m = {
			*authban_mac_snapshot(old), authban_keys_shared()};

	return m;
}

static uint64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The kernel's random id of this boot, "8-4-4-4-12" digits; all zero when unknown. */
static void read_boot(uint8_t out[static 16])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	char text[40] = "", byte[3] = "";
	const char *p = text;
	int i;

	memset(out, 0, 16);
	if(f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if(f)
		fclose(f);
	for(i = 0; i < 16; i++, p += 2) {
		p += *p == '-';
		if(!p[0] || !p[1])
			return;
		memcpy(byte, p, 2);
		out[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
}

void authban_snapshot_moment(struct ab_snapshot_moment *out)
{
	static uint8_t boot[16];
	static bool known;

	if(!known)
		read_boot(boot);
	known = true;
	out->cluster_ms = authban_now().cluster_ms;
	out->wall_ms = clock_ms(CLOCK_REALTIME);
	out->mono_ms = clock_ms(CLOCK_MONOTONIC);
	memcpy(out->boot, boot, sizeof(boot));
}

/* --- what the reader asks and tells --- */

static bool get(void *arg, uint8_t *out, size_t n)
{
	struct load *l = arg;

	while(n > 0) {
		size_t some = l->len - l->at < n ? l->len - l->at : n;
		ssize_t got;

		memcpy(out, l->buffer + l->at, some);
		l->at += some;
		out += some;
		n -= some;
		if(n == 0)
			break;
		got = read(l->fd, l->buffer, sizeof(l->buffer));
		if(got <= 0)
			return false;
		l->at = 0;
		l->len = (size_t)got;
	}
	return true;
}

static bool go_on(void *arg)
{
	const struct load *l = arg;

	return authban_redis_now() - l->begin < LOAD_MS;
}

static void take_head(void *arg, const struct ab_snapshot_head *head)
{
	((struct load *)arg)->head = *head;
}

static void take_fact(void *arg, const struct ab_fact *fact)
{
	struct load *l = arg;
	struct ab_fact aged = *fact;

	aged.age += (uint32_t)(l->elapsed_ms / 1000);
	l->facts += ab_recent_restore(l->sync->guard.good.facts, l->head.lines,
			&aged, l->now.mono, (uint32_t)l->sync->set->good_time);
}

static void take_state(void *arg, const uint8_t *record, size_t len)
{
	struct load *l = arg;

	if(!l->states_too)
		return;
	if(ab_sync_restore(l->sync, &l->now, record, len))
		l->states++;
	else
		l->refused++;
}

/* --- the file --- */

static int ignore(const char *why)
{
	LM_WARN("the snapshot %s %s: it is ignored\n", authban_params.snapshot,
			why);
	return -1;
}

/* More than this is no snapshot of a table of this size, or of one four times as
 * large. */
static off_t bytes_max(void)
{
	off_t entry = 1 + AB_WIRE_STATE_MAX + AB_SNAPSHOT_FACT;

	return (1 << 20) + 4 * entry * authban_params.size;
}

/* Who may write to the file decides who is banned. */
static int check_file(int fd)
{
	struct stat st;

	if(fstat(fd, &st) < 0)
		return ignore(strerror(errno));
	if(!S_ISREG(st.st_mode))
		return ignore("is no file");
	if(st.st_uid != geteuid() && st.st_uid != 0)
		return ignore("belongs to another user");
	if(st.st_mode & (S_IWGRP | S_IWOTH))
		return ignore("may be written by other users");
	if(st.st_size > bytes_max())
		return ignore("is too large");
	return 0;
}

static int open_file(void)
{
	/* not blocking: a pipe of that name must not hold up the start */
	int fd = open(authban_params.snapshot,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char why[96];

	if(fd < 0 && errno == ENOENT) {
		LM_INFO("there is no snapshot %s yet\n", authban_params.snapshot);
	} else if(fd < 0) {
		snprintf(why, sizeof(why), "cannot be read (%s)", strerror(errno));
		ignore(why);
	} else if(check_file(fd) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int verify(struct load *l)
{
	enum ab_snapshot_result r;
	struct ab_snapshot_moment now;
	char why[64];

	reader = (struct ab_snapshot_reader){.mac = authban_snapshot_mac(false),
			.get = get,
			.head = take_head,
			.go_on = go_on,
			.arg = l};
	r = ab_snapshot_read(&reader);
	if(r == AB_SNAPSHOT_MAC && authban_keys_old()) {
		reader.mac = authban_snapshot_mac(true);
		l->at = l->len = 0;
		if(lseek(l->fd, 0, SEEK_SET) == 0)
			r = ab_snapshot_read(&reader);
	}
	if(r != AB_SNAPSHOT_OK)
		return ignore(ab_snapshot_result_name(r));
	authban_snapshot_moment(&now);
	l->elapsed_ms = ab_snapshot_elapsed(&l->head, &now);
	if(l->elapsed_ms / 1000 <= (uint64_t)authban_params.snapshot_max_age)
		return 0;
	snprintf(why, sizeof(why), "is %llu s old, more than snapshot_max_age",
			(unsigned long long)(l->elapsed_ms / 1000));
	return ignore(why);
}

/* Keys, clock, then facts and states. */
static void apply(struct load *l)
{
	bool clustered = ab_table_clustered(l->sync->table);
	uint32_t grace = ab_unban_seconds(l->sync->set);
	bool facts_too;

	if(!authban_keys_shared())
		authban_keyed_restore(l->head.user_key);
	facts_too = authban_guard_rekey(l->head.good_key);
	l->now = authban_now();
	/* by Redis's clock, as far as we know it */
	l->now.cluster_ms = l->head.at.cluster_ms + l->elapsed_ms;
	if(clustered && l->head.cluster_clock) {
		clock_kept = true;
		ab_table_set_clock_offset(l->sync->table,
				(int64_t)(l->now.cluster_ms - clock_ms(CLOCK_MONOTONIC)));
	}
	/* others may have lifted bans since, and have forgotten it by now */
	l->states_too = !clustered || l->elapsed_ms / 1000 < grace;
	if(!l->states_too)
		LM_NOTICE(
				"the snapshot %s is older than %u s: bans are left to Redis\n",
				authban_params.snapshot, grace);
	reader.fact = facts_too ? take_fact : NULL;
	reader.state = take_state;
	l->at = l->len = 0;
	if(lseek(l->fd, 0, SEEK_SET) < 0
			|| ab_snapshot_read(&reader) != AB_SNAPSHOT_OK)
		LM_WARN("the snapshot %s could not be read to its end\n",
				authban_params.snapshot);
	LM_INFO("%u bans, %u records and %u facts loaded from a snapshot that is"
			" %llu s old, in %d ms; %u records are over\n",
			ab_table_banned(l->sync->table, l->now.mono), l->states, l->facts,
			(unsigned long long)(l->elapsed_ms / 1000),
			(int)(authban_redis_now() - l->begin), l->refused);
}

void authban_snapshot_load(struct ab_sync *sync)
{
	struct ab_sync_stats stats = sync->stats; /* of Redis alone */
	struct load *l = &load;

	if(!*authban_params.snapshot)
		return;
	l->sync = sync;
	l->begin = authban_redis_now();
	l->fd = open_file();
	if(l->fd < 0)
		return;
	if(verify(l) == 0)
		apply(l);
	close(l->fd);
	sync->stats = stats;
}
