/*
 * authban: threads that read and write one set of lists, for ThreadSanitizer
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A tiny set, so that entries come and go in the same places all the time. What a reader
 * finds must be an entry that was asked for, with the list and end that belong to it.
 */
#include "unit.h"

#include "ab_feeds.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READERS 2
#define WRITERS 2
#define ENTRIES 12 /* five buckets */
#define NETS 64u   /* KEPT and those that come and go */
#define KEPT 4u	   /* first numbers: there all the time */
#define WRITES 100000u
#define NOW 100u

struct thread
{
	pthread_t id;
	struct rng r;
	uint32_t owner;
	uint64_t met, wrong, missed;
};

static struct ab_feeds *feeds;
static _Atomic bool stop;

static struct ab_prefix numbered(uint32_t n)
{
	struct ab_key key = key_v4(n);

	return (struct ab_prefix){key.addr, key.plen};
}

static void *reader(void *arg)
{
	struct thread *t = arg;

	while(!atomic_load_explicit(&stop, memory_order_relaxed)) {
		uint32_t n = rng_below(&t->r, NETS);
		struct ab_prefix p = numbered(n);
		struct ab_feeds_hit hit;

		if(ab_feeds_find(feeds, &p, NOW, &hit)) {
			t->met++;
			t->wrong += hit.ttl != 1000 + n;
		} else {
			t->missed += n < KEPT;
		}
	}
	return NULL;
}

static void *writer(void *arg)
{
	struct thread *t = arg;
	uint32_t i;

	for(i = 0; i < WRITES; i++) {
		uint32_t n = KEPT + rng_below(&t->r, NETS - KEPT);
		struct ab_prefix p = numbered(n);
		const char *list = n % 2 ? "odd" : "even";

		if(rng_below(&t->r, 2))
			ab_feeds_add(
					feeds, list, strlen(list), &p, 1000 + n, NOW, t->owner);
		else
			ab_feeds_drop(feeds, list, strlen(list),
					rng_below(&t->r, 8) ? &p : NULL, t->owner);
	}
	return NULL;
}

static void readers_find_what_is_there(void **state)
{
	static struct thread threads[READERS + WRITERS];
	static const uint8_t key[16] = {7};
	uint64_t met = 0, wrong = 0, missed = 0;
	uint32_t i;

	(void)state;
	feeds = malloc(ab_feeds_bytes(ENTRIES));
	assert_non_null(feeds);
	ab_feeds_init(feeds, ENTRIES, key);
	for(i = 0; i < KEPT; i++) {
		struct ab_prefix p = numbered(i);

		assert_int_equal(ab_feeds_add(feeds, "kept", 4, &p, 1000 + i, NOW, 1),
				AB_FEEDS_ADDED);
	}
	for(i = 0; i < READERS + WRITERS; i++) {
		threads[i].r = rng_of(i);
		threads[i].owner = 1; /* a process that lives */
		pthread_create(&threads[i].id, NULL, i < READERS ? reader : writer,
				&threads[i]);
	}
	for(i = READERS; i < READERS + WRITERS; i++)
		pthread_join(threads[i].id, NULL);
	atomic_store_explicit(&stop, true, memory_order_relaxed);
	for(i = 0; i < READERS; i++) {
		pthread_join(threads[i].id, NULL);
		met += threads[i].met;
		wrong += threads[i].wrong;
		missed += threads[i].missed;
	}
	printf("tsan feeds: met=%llu wrong=%llu missed=%llu\n",
			(unsigned long long)met, (unsigned long long)wrong,
			(unsigned long long)missed);
	assert_true(met > 1000);
	assert_true(wrong == 0 && missed == 0);
	free(feeds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(readers_find_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
