/*
 * authban: threads that read and write one table, for ThreadSanitizer
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A tiny table, so that readers and writers meet in the same lines all the
 * time. Each thread has a handle and an owner id of its own, as a process has.
 */
#include "unit.h"

/* to see that readers and writers do meet */
#include "ab_table_layout.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define READERS 3
#define WRITERS 3
#define FLIPPED 4	   /* sources that are banned and unbanned all the time */
#define SECONDS 6	   /* at the least */
#define SECONDS_MAX 90 /* on a busy machine, until there are WRITES_WANTED */
#define READS_WANTED 1000000u
#define WRITES_WANTED 100000u

#define KEPT 0x00ff0000u  /* banned all the time */
#define CLEAN 0x00fe0000u /* never banned */
#define FLIP 0x00fd0000u

struct thread
{
	pthread_t id;
	struct box b;
	struct rng r;
	uint64_t ops, met, missed, flips, wrong, refused;
};

static struct thread threads[READERS + WRITERS + 1];
static _Atomic bool stop;
/* of all writers; relaxed, so that it orders nothing for the sanitizer */
static _Atomic uint32_t writes_so_far;

static bool all_live(uint32_t owner)
{
	(void)owner;
	return true;
}

static struct ab_hit check(struct thread *t, uint32_t n)
{
	struct ab_key key = key_v4(n);
	struct ab_prefix p = {key.addr, key.plen};
	uint32_t bucket = ab_spot_of(t->b.table.head, &key).bucket[0];
	_Atomic uint32_t *seq = &t->b.table.head->lines[bucket].seq;
	uint32_t before = atomic_load_explicit(seq, memory_order_relaxed);
	struct ab_hit hit =
			ab_table_check(&t->b.table, &key.addr, &p, t->b.now.mono);

	t->met += (before & 1)
			  || atomic_load_explicit(seq, memory_order_relaxed) != before;
	/* whoever is banned is the one that was asked for */
	if(hit.state == AB_STATE_BANNED)
		t->wrong +=
				hit.net.len != p.len || !ab_addr_equal(&hit.net.addr, &p.addr);
	t->ops++;
	return hit;
}

static void *read_on(void *arg)
{
	struct thread *t = arg;
	enum ab_state last = AB_STATE_NONE;
	uint64_t met;

	while(!atomic_load_explicit(&stop, memory_order_relaxed)) {
		enum ab_state now = check(t, FLIP).state;

		t->flips += now != last;
		last = now;
		t->wrong += check(t, CLEAN).state != AB_STATE_NONE;
		met = t->met;
		if(check(t, KEPT).state != AB_STATE_BANNED) {
			t->missed++;
			/* only a line that is being written reads as not banned */
			t->wrong += t->met == met;
		}
		check(t, FLIP + rng_below(&t->r, FLIPPED));
		t->wrong += check(t, rng_below(&t->r, 500)).state != AB_STATE_NONE;
	}
	return NULL;
}

static void *write_on(void *arg)
{
	struct thread *t = arg;
	struct ab_key key;

	while(!atomic_load_explicit(&stop, memory_order_relaxed)) {
		uint32_t what = rng_below(&t->r, 100);

		if(what < 60) { /* crowds the table: makes and evicts */
			key = key_v4(rng_below(&t->r, 500));
			t->refused += !box_fail_as(&t->b, &key, what, 1).ok;
		} else if(what < 78) {
			key = key_v4(FLIP + rng_below(&t->r, FLIPPED));
			t->refused += !box_ban(&t->b, &key, 1000).ok;
		} else if(what < 96) {
			key = key_v4(FLIP + rng_below(&t->r, FLIPPED));
			box_unban(&t->b, &key);
		} else if(what < 98) {
			t->wrong += box_walk(&t->b) > 2 * AB_TABLE_MIN;
		} else {
			ab_table_sweep(&t->b.table, 0, 1, &t->b.set, &t->b.now);
		}
		t->ops++;
		atomic_fetch_add_explicit(&writes_so_far, 1, memory_order_relaxed);
	}
	return NULL;
}

/* The one process that sends. */
static void *sync_on(void *arg)
{
	struct thread *t = arg;
	struct ab_view out[16];
	struct ab_table_stats st;
	size_t n, i;

	while(!atomic_load_explicit(&stop, memory_order_relaxed)) {
		n = ab_table_take_dirty(&t->b.table, &t->b.set, &t->b.now, out, 16);
		for(i = 0; i < n; i++)
			ab_table_settle(&t->b.table, &out[i].key, &t->b.set, &t->b.now,
					rng_below(&t->r, 4) > 0);
		ab_table_pending(&t->b.table);
		ab_table_banned(&t->b.table, t->b.now.mono);
		ab_table_get_stats(&t->b.table, &st);
		t->wrong += ab_table_clock_offset(&t->b.table) != 5;
		t->ops++;
		atomic_fetch_add_explicit(&writes_so_far, 1, memory_order_relaxed);
	}
	return NULL;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint64_t sum(size_t from, size_t to, size_t field)
{
	uint64_t n = 0, v;

	for(; from < to; from++) {
		memcpy(&v, (const char *)&threads[from] + field, sizeof(v));
		n += v;
	}
	return n;
}

#define READ(f) sum(0, READERS, offsetof(struct thread, f))
#define WRITTEN(f) sum(READERS, COUNT_OF(threads), offsetof(struct thread, f))

static int verdict(struct box *b)
{
	struct ab_table_stats st;
	uint64_t reads = READ(ops), wrong = READ(wrong) + WRITTEN(wrong);
	uint32_t entries = box_walk(b);
	struct ab_key kept = key_v4(KEPT);
	int bad = 0;

	ab_table_get_stats(&b->table, &st);
	printf("reads %llu, of these while the line changed %llu, flips seen "
		   "%llu, bans missed %llu; writes %llu (%llu refused), evictions "
		   "%llu\n",
			(unsigned long long)reads, (unsigned long long)READ(met),
			(unsigned long long)READ(flips), (unsigned long long)READ(missed),
			(unsigned long long)WRITTEN(ops),
			(unsigned long long)WRITTEN(refused),
			(unsigned long long)st.evictions);
#define MUST(cond)                                 \
	do {                                           \
		if(!(cond)) {                              \
			printf("tsan_table: not " #cond "\n"); \
			bad = 1;                               \
		}                                          \
	} while(0)
	MUST(wrong == 0);
	MUST(reads >= READS_WANTED);
	MUST(WRITTEN(ops) >= WRITES_WANTED);
	MUST(READ(met) > 1000);
	MUST(READ(flips) > 1000);
	MUST(st.entries == entries);
	MUST(st.evictions > 1000);
	MUST(st.evicted_bans == 0);
	MUST(st.locks_stolen == 0);
	MUST(box_check(b, &kept) == AB_STATE_BANNED);
	return bad;
}

int main(void)
{
	static struct box b;
	struct ab_key kept = key_v4(KEPT);
	double begin = seconds();
	size_t i;
	int bad;

	box_open(&b, AB_TABLE_MIN);
	b.table.alive = all_live;
	b.set.threshold = 10000;
	ab_table_set_clustered(&b.table, true);
	ab_table_set_clock_offset(&b.table, 5);
	box_ban(&b, &kept, 100000);
	for(i = 0; i < COUNT_OF(threads); i++) {
		struct thread *t = &threads[i];

		t->b = b;
		t->b.table.owner = (uint32_t)(1000 + i);
		t->r = rng_of(i);
		if(pthread_create(&t->id, NULL,
				   i < READERS			   ? read_on
				   : i < READERS + WRITERS ? write_on
										   : sync_on,
				   t)
				!= 0)
			return 2;
	}
	while(seconds() < begin + SECONDS
			|| (seconds() < begin + SECONDS_MAX
					&& atomic_load_explicit(
							   &writes_so_far, memory_order_relaxed)
							   < WRITES_WANTED)) {
		struct timespec tick = {0, 20000000};

		nanosleep(&tick, NULL);
	}
	atomic_store(&stop, true);
	for(i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i].id, NULL);
	bad = verdict(&b);
	box_close(&b);
	return bad;
}
