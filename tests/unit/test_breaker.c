/*
 * authban: unit tests of the breaker
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_breaker.h"
#include "unit.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT 10
#define NOW 3000u /* a bucket begins */

static struct ab_breaker b;

static int setup(void **state)
{
	(void)state;
	memset(&b, 0, sizeof(b));
	return 0;
}

static struct ab_breaker_view look(uint32_t now)
{
	struct ab_breaker_view v;

	ab_breaker_look(&b, now, &v);
	return v;
}

/* Sources from..to-1, each with a user, fail once each; a source's bit is its number. */
static int failures(uint32_t from, uint32_t to, uint32_t now)
{
	int changes = 0;

	for(; from < to; from++)
		changes += ab_breaker_failure(&b, from, 3 * from, LIMIT, now);
	return changes;
}

static int succeed(int n, uint32_t now)
{
	int changes = 0;

	while(n-- > 0)
		changes += ab_breaker_success(&b, LIMIT, now);
	return changes;
}

/* The estimate of 8 bits is 9, of 9 bits 10. */
static void it_opens_at_the_limit_and_tells_it_once(void **state)
{
	struct ab_breaker_view v;

	(void)state;
	assert_int_equal(failures(0, 8, NOW), 0);
	assert_false(ab_breaker_is_open(&b));
	assert_true(ab_breaker_failure(&b, 8, 8 * 3, LIMIT, NOW));
	assert_true(ab_breaker_is_open(&b));
	assert_int_equal(failures(9, 30, NOW + 1), 0);
	v = look(NOW + 5);
	assert_true(v.open);
	assert_int_equal(v.age, 5);
	assert_int_equal(v.failures, 30);
	assert_int_equal(v.successes, 0);
	assert_in_range(v.sources, 27, 44);
}

static void one_source_that_fails_and_fails_never_opens_it(void **state)
{
	int i;

	(void)state;
	for(i = 0; i < 10000; i++)
		assert_false(ab_breaker_failure(&b, 5, (uint64_t)i, LIMIT, NOW));
	assert_int_equal(look(NOW).sources, 1);
}

/* Somebody with one account and many addresses, who fails on purpose. */
static void one_user_at_many_sources_never_opens_it(void **state)
{
	uint64_t i;

	(void)state;
	for(i = 0; i < 10000; i++)
		assert_false(ab_breaker_failure(&b, i, 5, LIMIT, NOW));
	assert_int_equal(look(NOW).users, 1);
	assert_int_equal(look(NOW).sources, 266); /* saturated */
}

static void more_successes_than_failures_keep_it_closed(void **state)
{
	(void)state;
	succeed(31, NOW);
	assert_int_equal(failures(0, 30, NOW), 0);
	assert_false(ab_breaker_is_open(&b));
	assert_int_equal(failures(30, 31, NOW), 1); /* as many: it opens */
}

static void more_than_twice_as_many_successes_close_it(void **state)
{
	(void)state;
	assert_int_equal(failures(0, 20, NOW), 1);
	assert_int_equal(succeed(40, NOW), 0);
	assert_true(ab_breaker_is_open(&b));
	assert_int_equal(succeed(1, NOW), 1);
	assert_false(ab_breaker_is_open(&b));
	assert_int_equal(succeed(5, NOW), 0);
	/* and it may open again, when as many fail */
	assert_int_equal(failures(20, 46, NOW), 1);
}

static void it_closes_by_time_when_nobody_fails_any_more(void **state)
{
	(void)state;
	assert_int_equal(failures(0, 20, NOW + 29), 1);
	assert_false(ab_breaker_tick(&b, LIMIT, NOW + 30));
	assert_false(ab_breaker_tick(&b, LIMIT, NOW + 59));
	assert_true(ab_breaker_is_open(&b));
	assert_true(ab_breaker_tick(&b, LIMIT, NOW + 60));
	assert_false(ab_breaker_is_open(&b));
	assert_false(ab_breaker_tick(&b, LIMIT, NOW + 61));
	assert_int_equal(look(NOW + 61).sources, 0);
}

static void below_half_of_the_limit_it_closes(void **state)
{
	(void)state;
	assert_int_equal(failures(0, 20, NOW + 29), 1);
	/* six, of which the first sees the old ones still */
	assert_int_equal(failures(0, 6, NOW + 31), 0);
	assert_false(ab_breaker_tick(&b, LIMIT, NOW + 60));
	assert_true(ab_breaker_is_open(&b));
	assert_int_equal(failures(0, 4, NOW + 61), 0);
	assert_true(ab_breaker_tick(&b, LIMIT, NOW + 90));
}

static void limit_0_never_opens_and_closes_an_open_one(void **state)
{
	uint64_t i;

	(void)state;
	for(i = 0; i < 64; i++)
		assert_false(ab_breaker_failure(&b, i, i, 0, NOW));
	assert_false(ab_breaker_is_open(&b));
	setup(NULL);
	assert_int_equal(failures(0, 20, NOW), 1);
	assert_true(ab_breaker_tick(&b, 0, NOW));
	assert_false(ab_breaker_is_open(&b));
}

static void a_turn_keeps_one_bucket_and_a_pause_none(void **state)
{
	(void)state;
	failures(0, 5, NOW);
	failures(5, 8, NOW + 30);
	assert_int_equal(look(NOW + 30).failures, 8);
	failures(8, 9, NOW + 60); /* the first five are old */
	assert_int_equal(look(NOW + 60).failures, 4);
	failures(9, 10, NOW + 180);
	assert_int_equal(look(NOW + 180).failures, 1);
	assert_int_equal(look(NOW + 180).sources, 1);
}

/* Each process reads its own clock, and may come late with what it read. */
static void who_comes_late_with_an_older_time_empties_nothing(void **state)
{
	(void)state;
	failures(0, 5, NOW + 29);
	failures(5, 7, NOW + 30);
	failures(7, 8, NOW + 29);
	assert_int_equal(look(NOW + 30).failures, 8);
	failures(8, 9, NOW + 30);
	assert_int_equal(look(NOW + 30).failures, 9);
}

static void limits_are_reached_by_the_estimate(void **state)
{
	static const struct
	{
		uint32_t limit, bits;
	} row[] = {{1, 1}, {2, 2}, {10, 9}, {40, 30}, {200, 62}};
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(row); i++) {
		uint64_t n = 0;

		setup(NULL);
		while(!ab_breaker_failure(&b, n, n, row[i].limit, NOW) && n < 64)
			n++;
		assert_int_equal(n + 1, row[i].bits);
	}
}

/* Of processes that cross the limit together exactly one is told. */
static void of_several_processes_one_is_told(void **state)
{
	enum
	{
		ROUNDS = 100,
		PROCESSES = 4
	};
	struct shared
	{
		struct ab_breaker b[ROUNDS];
		_Atomic int told[ROUNDS], ready;
	} *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[PROCESSES];
	int i, p, status;

	(void)state;
	assert_true(s != MAP_FAILED);
	/* at the turn of a bucket an increment may be lost, as the header says */
	for(i = 0; i < ROUNDS; i++)
		s->b[i].turn = NOW / AB_BREAKER_BUCKET;
	for(p = 0; p < PROCESSES; p++) {
		pids[p] = fork();
		if(pids[p] != 0)
			continue;
		s->ready++;
		while(s->ready < PROCESSES)
			;
		for(i = 0; i < ROUNDS; i++) {
			uint64_t n;

			for(n = 0; n < 64; n++)
				s->told[i] += ab_breaker_failure(&s->b[i], n, n, LIMIT, NOW);
		}
		_exit(0);
	}
	for(p = 0; p < PROCESSES; p++) {
		assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
		assert_int_equal(status, 0);
	}
	for(i = 0; i < ROUNDS; i++) {
		assert_int_equal(s->told[i], 1);
		assert_true(ab_breaker_is_open(&s->b[i]));
		assert_int_equal(s->b[i].bucket[0].failures, 64 * PROCESSES);
	}
	munmap(s, sizeof(*s));
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(it_opens_at_the_limit_and_tells_it_once),
			T(one_source_that_fails_and_fails_never_opens_it),
			T(one_user_at_many_sources_never_opens_it),
			T(more_successes_than_failures_keep_it_closed),
			T(more_than_twice_as_many_successes_close_it),
			T(it_closes_by_time_when_nobody_fails_any_more),
			T(below_half_of_the_limit_it_closes),
			T(limit_0_never_opens_and_closes_an_open_one),
			T(a_turn_keeps_one_bucket_and_a_pause_none),
			T(who_comes_late_with_an_older_time_empties_nothing),
			T(limits_are_reached_by_the_estimate),
			T(of_several_processes_one_is_told),
	};

	return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
