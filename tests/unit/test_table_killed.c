/*
 * authban: a process dies between any two stores of an operation
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A child does one operation instruction by instruction (ptrace). Each content
 * that the table has on the way is kept, and later others have to go on from
 * it, the child being dead. Skipped where nobody may trace.
 */
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define BANS 6
#define MOMENTS_MAX 4000

static struct box b;
static struct ab_key bans[BANS], key;
static uint8_t *moments[MOMENTS_MAX];
static size_t n_moments;

typedef void (*operation)(void);

static uint8_t *block(void)
{
	return b.map + b.guard;
}

static void keep(void)
{
	if(n_moments > 0 && memcmp(moments[n_moments - 1], block(), b.bytes) == 0)
		return;
	assert_true(n_moments < MOMENTS_MAX);
	moments[n_moments] = malloc(b.bytes);
	memcpy(moments[n_moments++], block(), b.bytes);
}

/* Runs an operation in a child; false: tracing is not allowed. */
static bool trace(operation op)
{
	pid_t pid = fork();
	int status;

	if(pid == 0) {
		if(ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(1);
		b.table.owner = (uint32_t)getpid();
		raise(SIGSTOP);
		op();
		_exit(0);
	}
	n_moments = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if(WIFEXITED(status))
		return false;
	do {
		keep();
		if(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return false;
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
	} while(WIFSTOPPED(status));
	assert_int_equal(status, 0);
	return true;
}

static uint32_t entries(void)
{
	struct ab_table_stats st;

	ab_table_get_stats(&b.table, &st);
	return st.entries;
}

static void no_source_is_there_twice(void)
{
	struct ab_view out[AB_TABLE_MIN];
	struct ab_cursor at = {0};
	size_t n = 0, got, i, k;

	while((got = ab_table_walk(
				   &b.table, &at, &b.set, &b.now, out + n, AB_TABLE_MIN - n))
			> 0)
		n += got;
	for(i = 0; i < n; i++)
		for(k = 0; k < i; k++)
			assert_memory_not_equal(
					&out[i].key, &out[k].key, sizeof(out[i].key));
}

static struct ab_judgement apply_known_ban(void)
{
	struct ab_judge j = box_judge(&b);
	struct ab_change c = {.state = AB_STATE_BANNED,
			.seconds = 60,
			.version = b.now.cluster_ms << 16 | 2};
	struct ab_judgement out;

	ab_judge_apply(&j, &key, &c, &out);
	return out;
}

/* Others meet the table as it was at each moment, and may use it. */
static void others_go_on(operation op, bool ends_banned)
{
	uint8_t *before = malloc(b.bytes);
	size_t i, k;

	memcpy(before, block(), b.bytes);
	if(!trace(op)) {
		free(before);
		print_message("ptrace is not allowed here\n");
		skip();
	}
	assert_true(n_moments >= 3);
	for(i = 0; i < n_moments; i++) {
		unit_at.step = (uint32_t)i;
		memcpy(block(), moments[i], b.bytes);
		ab_table_sweep(&b.table, 0, 1, &b.set, &b.now);
		for(k = 0; k < BANS; k++)
			expect(box_check(&b, &bans[k]) == AB_STATE_BANNED, "ban %zu", k);
		expect(entries() == box_walk(&b),
				"moment %zu of %zu: %u entries are counted, %u are there", i,
				n_moments, entries(), box_walk(&b));
		if(ends_banned) /* the record comes once more, from the map */
			expect(apply_known_ban().state == AB_STATE_BANNED,
					"moment %zu of %zu: the ban is not taken", i, n_moments);
		expect(box_fail(&b, &key).ok, "moment %zu", i);
		no_source_is_there_twice();
		free(moments[i]);
	}
	memcpy(block(), before, b.bytes);
	free(before);
}

static void fail_once(void)
{
	box_fail(&b, &key);
}

static void ban_known_version(void)
{
	apply_known_ban();
}

static void unban_one(void)
{
	box_unban(&b, &key);
}

static void sweep_all(void)
{
	ab_table_sweep(&b.table, 0, 1, &b.set, &b.now);
}

static int setup(void **state)
{
	uint32_t i;

	(void)state;
	box_open(&b, AB_TABLE_MIN);
	key = key_v4(1);
	for(i = 0; i < BANS; i++) {
		bans[i] = key_v4(0x00ff0000 + i);
		box_ban(&b, &bans[i], 100000);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	box_close(&b);
	return 0;
}

static void while_it_makes_an_entry(void **state)
{
	(void)state;
	others_go_on(fail_once, false);
}

static void while_it_evicts_an_entry(void **state)
{
	uint32_t i;

	(void)state;
	for(i = 100; i < 1000; i++) {
		struct ab_key other = key_v4(i);

		box_fail(&b, &other);
	}
	others_go_on(fail_once, false);
}

static void while_it_counts(void **state)
{
	(void)state;
	box_fail(&b, &key);
	others_go_on(fail_once, false);
}

static void while_it_takes_over_a_ban(void **state)
{
	(void)state;
	box_fail(&b, &key);
	others_go_on(ban_known_version, true);
}

static void while_it_unbans(void **state)
{
	(void)state;
	box_ban(&b, &key, 500);
	others_go_on(unban_one, false);
}

static void while_it_sweeps(void **state)
{
	uint32_t i;

	(void)state;
	for(i = 100; i < 110; i++) {
		struct ab_key other = key_v4(i);

		box_fail(&b, &other);
	}
	box_pass(&b, 5000);
	others_go_on(sweep_all, false);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(while_it_makes_an_entry),
			T(while_it_evicts_an_entry),
			T(while_it_counts),
			T(while_it_takes_over_a_ban),
			T(while_it_unbans),
			T(while_it_sweeps),
	};

	return cmocka_run_group_tests_name("table_killed", tests, NULL, NULL);
}
