/*
 * authban: unit tests of facts on their way to who tells them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_tell.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct ab_tell *tell;

static int setup(void **state)
{
	(void)state;
	tell = mmap(NULL, sizeof(*tell), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(tell != MAP_FAILED);
	ab_tell_init(tell);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	munmap(tell, sizeof(*tell));
	return 0;
}

static void what_goes_in_comes_out_once_and_in_order(void **state)
{
	uint64_t out[10];
	uint64_t i;

	(void)state;
	assert_false(ab_tell_is_waiting(tell));
	assert_int_equal(ab_tell_take(tell, out, 10), 0);
	for(i = 1; i <= 15; i++)
		ab_tell_put(tell, i);
	assert_true(ab_tell_is_waiting(tell));
	assert_int_equal(ab_tell_take(tell, out, 10), 10);
	for(i = 0; i < 10; i++)
		assert_int_equal(out[i], i + 1);
	assert_true(ab_tell_is_waiting(tell));
	assert_int_equal(ab_tell_take(tell, out, 10), 5);
	assert_int_equal(out[4], 15);
	assert_false(ab_tell_is_waiting(tell));
	assert_int_equal(atomic_load(&tell->dropped), 0);
}

static void nothing_is_no_fact(void **state)
{
	uint64_t out[2];

	(void)state;
	ab_tell_put(tell, 0);
	assert_int_equal(ab_tell_take(tell, out, 2), 0);
}

static void the_oldest_give_way_and_are_counted(void **state)
{
	static uint64_t out[2 * AB_TELL_SLOTS];
	uint64_t i;

	(void)state;
	for(i = 1; i <= AB_TELL_SLOTS + 100; i++)
		ab_tell_put(tell, i);
	assert_int_equal(atomic_load(&tell->dropped), 100);
	assert_int_equal(ab_tell_take(tell, out, 2 * AB_TELL_SLOTS), AB_TELL_SLOTS);
	assert_int_equal(out[0], 101);
	assert_int_equal(out[AB_TELL_SLOTS - 1], AB_TELL_SLOTS + 100);
}

#define WRITERS 4
#define EACH 200000u

/* Four workers put in, one process takes out: each fact once, or counted. */
static void nothing_is_lost_among_processes(void **state)
{
	static uint8_t seen[WRITERS * EACH + 1];
	uint64_t out[512], taken = 0, twice = 0;
	int done = 0, status;
	size_t i, n;
	pid_t pid[WRITERS];
	uint64_t w, k;

	(void)state;
	memset(seen, 0, sizeof(seen));
	for(w = 0; w < WRITERS; w++) {
		pid[w] = fork();
		assert_true(pid[w] >= 0);
		if(pid[w] == 0) {
			for(k = 1; k <= EACH; k++)
				ab_tell_put(tell, w * EACH + k);
			_exit(0);
		}
	}
	do {
		while(done < WRITERS
				&& waitpid(pid[done], &status, WNOHANG) == pid[done])
			done++;
		n = ab_tell_take(tell, out, 512);
		for(i = 0; i < n; i++)
			twice += seen[out[i]]++;
		taken += n;
	} while(done < WRITERS || n > 0);
	print_message("tell: put=%u taken=%llu gave_way=%llu\n", WRITERS * EACH,
			(unsigned long long)taken,
			(unsigned long long)atomic_load(&tell->dropped));
	assert_int_equal(twice, 0);
	assert_int_equal(taken + atomic_load(&tell->dropped), WRITERS * EACH);
}

static void what_was_told_before_a_loss_is_told_again(void **state)
{
	(void)state;
	assert_int_equal(ab_tell_fresh(tell, 5000, 300), 300);
	ab_tell_again(tell, 5000);
	/* told in the second of the loss, or before: age 1 and more at 5001 */
	assert_int_equal(ab_tell_fresh(tell, 5000, 300), 0);
	assert_int_equal(ab_tell_fresh(tell, 5001, 300), 1);
	/* told at 5001: age 9 at 5010 is less than 10, age 10 is of 5000 */
	assert_int_equal(ab_tell_fresh(tell, 5010, 300), 10);
	assert_int_equal(ab_tell_fresh(tell, 6000, 300), 300);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(what_goes_in_comes_out_once_and_in_order),
			T(nothing_is_no_fact),
			T(the_oldest_give_way_and_are_counted),
			T(nothing_is_lost_among_processes),
			T(what_was_told_before_a_loss_is_told_again),
	};

	return cmocka_run_group_tests_name("tell", tests, NULL, NULL);
}
