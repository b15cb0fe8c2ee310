/*
 * authban: several processes on one table, some of which die
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "unit.h"

#include "ab_table_layout.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES 6
#define ROUNDS 20000u
#define SOURCES 10u

static int64_t us_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t now_us(void)
{
	return us_of(CLOCK_MONOTONIC);
}

static uint32_t stolen(const struct box *b)
{
	struct ab_table_stats st;

	ab_table_get_stats(&b->table, &st);
	return (uint32_t)st.locks_stolen;
}

static uint32_t entries(const struct box *b)
{
	struct ab_table_stats st;

	ab_table_get_stats(&b->table, &st);
	return st.entries;
}

/* Counts on shared sources and on sources of its own; 0 when all was taken. */
static int worker(struct box b, uint32_t number)
{
	struct rng r = rng_of(number);
	uint32_t i;

	b.table.owner = (uint32_t)getpid();
	for(i = 0; i < ROUNDS; i++) {
		struct ab_key shared = key_v4(i % SOURCES);
		struct ab_key alone =
				key_v4(0x10000 * (number + 1) + rng_below(&r, 50));
		struct ab_judgement out = box_fail_as(&b, &shared, 0, 1);

		if(!out.ok || !box_fail_as(&b, &alone, 0, 1).ok)
			return 1;
	}
	return 0;
}

static void totals_of_several_processes_are_exact(void **state)
{
	struct box b;
	pid_t pids[PROCESSES];
	uint32_t i, n;
	int status;

	(void)state;
	box_open(&b, 4096);
	b.set.mode = AB_MODE_OFF; /* a ban would not end the counting, but log it */
	for(i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if(pids[i] == 0)
			_exit(worker(b, i));
	}
	for(i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	for(i = 0; i < SOURCES; i++) {
		struct ab_key key = key_v4(i);

		assert_int_equal(
				box_view(&b, &key).own[0], PROCESSES * ROUNDS / SOURCES);
	}
	for(i = 0; i < PROCESSES; i++) {
		uint32_t sum = 0;

		for(n = 0; n < 50; n++) {
			struct ab_key key = key_v4(0x10000 * (i + 1) + n);

			sum += box_view(&b, &key).own[0];
		}
		assert_int_equal(sum, ROUNDS);
	}
	assert_int_equal(box_walk(&b), SOURCES + PROCESSES * 50);
	assert_int_equal(entries(&b), SOURCES + PROCESSES * 50);
	box_close(&b);
}

/* Many processes fail once each at the threshold: one of them bans. */
static void exactly_one_process_is_told_of_the_ban(void **state)
{
	struct box b;
	uint32_t source, i;

	(void)state;
	box_open(&b, 4096);
	for(i = 0; i < PROCESSES; i++) {
		pid_t pid = fork();
		uint32_t told = 0;

		if(pid != 0)
			continue;
		b.table.owner = (uint32_t)getpid();
		for(source = 0; source < 200; source++) {
			struct ab_key key = key_v4(source);
			uint32_t n;

			for(n = 0; n < 4; n++)
				told += box_fail(&b, &key).news;
		}
		_exit((int)(told & 0xff));
	}
	for(i = 0, source = 0; i < PROCESSES; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_true(WIFEXITED(status));
		source += (uint32_t)WEXITSTATUS(status);
	}
	/* 6 * 4 failures each, threshold 8 */
	assert_int_equal(source, 200);
	assert_int_equal(ab_table_banned(&b.table, b.now.mono), 200);
	box_close(&b);
}

static void die(struct ab_slot *s, void *arg)
{
	const struct box *b = arg;

	s->e->flags = 0xf;
	s->e->own[0] = 3;
	s->state = AB_STATE_BANNED;
	s->until = b->now.mono + 100;
	raise(SIGKILL);
}

static void kill_in_update(struct box *b, const struct ab_key *key)
{
	pid_t pid = fork();
	int status;

	if(pid == 0) {
		b->table.owner = (uint32_t)getpid();
		ab_table_update(
				&b->table, key, AB_FIND_OR_MAKE, &b->set, &b->now, die, b);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

#define BANS 12

/* A writer dies and the next one goes on: the us that this one took. */
static int64_t takeover(struct box *b, const struct ab_key *key,
		const struct ab_key *bans, uint32_t i)
{
	uint32_t before = stolen(b), k;
	int64_t begin, took, cpu;

	kill_in_update(b, key);
	begin = now_us();
	cpu = us_of(CLOCK_PROCESS_CPUTIME_ID);
	expect(box_fail(b, key).ok, "after kill %u", i);
	cpu = us_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	took = now_us() - begin;
	/* other work on this machine shows in the time, but not in this */
	expect(cpu < AB_LOCK_PATIENCE_MS * 1000, "kill %u: %d us of CPU", i,
			(int)cpu);
	/* one lock, or both of a key that has spilled */
	for(k = 0; k < BANS; k++)
		box_view(b, &bans[k]);
	expect(stolen(b) > before && stolen(b) <= before + 2,
			"kill %u: %u locks taken over", i, stolen(b) - before);
	expect(box_walk(b) == entries(b), "kill %u: walk %u, entries %u", i,
			box_walk(b), entries(b));
	for(k = 0; k < BANS; k++)
		expect(box_check(b, &bans[k]) == AB_STATE_BANNED, "kill %u lost ban %u",
				i, k);
	return took;
}

/* F18 */
static void a_process_killed_in_an_update_stops_nobody(void **state)
{
	struct box b;
	struct ab_key bans[BANS];
	uint32_t i, k, tries;

	(void)state;
	box_open(&b, AB_TABLE_MIN);
	for(k = 0; k < BANS; k++) {
		bans[k] = key_v4(0x00ff0000 + k);
		box_ban(&b, &bans[k], 100000);
	}
	for(i = 0; i < 200; i++) {
		struct ab_key key = key_v4(i % 40);
		int64_t took = INT64_MAX;

		if(i % 2)
			box_fail(&b, &key);
		/* the best of a few, since others use this machine too */
		for(tries = 0; tries < 10 && took >= AB_LOCK_PATIENCE_MS * 1000;
				tries++)
			took = takeover(&b, &key, bans, i);
		expect(took < AB_LOCK_PATIENCE_MS * 1000, "kill %u: %d us", i,
				(int)took);
	}
	box_close(&b);
}

/* What a check says of the other sources of a bucket whose writer died. */
static void bans_beside_a_dead_writer_hold_after_the_next_sweep(void **state)
{
	struct box b;
	struct ab_key ban = key_v4(0x00ff0000), key;
	uint32_t n = 0, bucket;

	(void)state;
	box_open(&b, AB_TABLE_MIN);
	bucket = ab_spot_of(b.table.head, &ban).bucket[0];
	do
		key = key_v4(n++);
	while(ab_spot_of(b.table.head, &key).bucket[0] != bucket);
	box_ban(&b, &ban, 100000);
	kill_in_update(&b, &key);
	ab_table_sweep(&b.table, 0, 1, &b.set, &b.now);
	assert_int_equal(box_check(&b, &ban), AB_STATE_BANNED);
	assert_int_equal(box_walk(&b), entries(&b));
	assert_int_equal(stolen(&b), 1);
	box_close(&b);
}

/* Children work on a tiny table without end and are killed anywhere. */
static void processes_killed_at_any_moment_leave_a_table_that_works(
		void **state)
{
	struct rng r = rng_of(18);
	struct box b;
	struct ab_key ban = key_v4(0x00ff0000);
	uint32_t i;

	(void)state;
	box_open(&b, AB_TABLE_MIN);
	box_ban(&b, &ban, 1000000);
	for(i = 0; i < 200; i++) {
		int64_t moment = now_us() + 200 + rng_below(&r, 800);
		struct ab_key key = key_v4(0x00fe0000 + i);
		pid_t pid = fork();
		uint32_t n;
		int status;

		if(pid == 0) {
			b.table.owner = (uint32_t)getpid();
			for(n = 0;; n++) {
				/* others each time: nobody is to fail often enough */
				key = key_v4(i * 5000 + n % 5000);
				box_fail(&b, &key);
			}
		}
		while(now_us() < moment)
			;
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		ab_table_sweep(&b.table, 0, 1, &b.set, &b.now);
		expect(box_check(&b, &ban) == AB_STATE_BANNED, "kill %u", i);
		expect(box_fail(&b, &key).ok, "kill %u", i);
		expect(box_view(&b, &key).failures == 1, "kill %u", i);
	}
	assert_true(box_walk(&b) <= AB_TABLE_MIN);
	box_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(totals_of_several_processes_are_exact),
			cmocka_unit_test(exactly_one_process_is_told_of_the_ban),
			cmocka_unit_test(a_process_killed_in_an_update_stops_nobody),
			cmocka_unit_test(
					bans_beside_a_dead_writer_hold_after_the_next_sweep),
			cmocka_unit_test(
					processes_killed_at_any_moment_leave_a_table_that_works),
	};

	return cmocka_run_group_tests_name("table_processes", tests, NULL, NULL);
}
