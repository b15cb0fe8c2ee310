/*
 * authban: unit tests of the lock that survives its owner
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_lock.h"
#include "unit.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct shared
{
	_Atomic uint32_t lock;
	_Atomic uint32_t ready;
	uint32_t counter; /* under the lock */
};

static struct shared *sh;

static int setup(void **state)
{
	(void)state;
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(sh != MAP_FAILED);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return munmap(sh, sizeof(*sh));
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static uint32_t self(void)
{
	return (uint32_t)getpid();
}

static enum ab_lock_result take(void)
{
	return ab_lock(&sh->lock, self(), ab_lock_process_alive);
}

static void a_free_lock_is_taken_and_given_back(void **state)
{
	(void)state;
	assert_int_equal(take(), AB_LOCK_OK);
	assert_int_equal(atomic_load(&sh->lock), self());
	ab_unlock(&sh->lock);
	assert_int_equal(atomic_load(&sh->lock), 0);
	assert_int_equal(take(), AB_LOCK_OK);
}

static bool says_dead(uint32_t owner)
{
	return owner != 4711;
}

static void a_dead_owner_is_replaced_soon(void **state)
{
	int64_t begin, best = INT64_MAX;
	int i;

	(void)state;
	/* the best of a few, since others use this machine too */
	for(i = 0; i < 5; i++) {
		atomic_store(&sh->lock, 4711);
		begin = now_us();
		assert_int_equal(ab_lock(&sh->lock, self(), says_dead), AB_LOCK_STOLEN);
		if(now_us() - begin < best)
			best = now_us() - begin;
		assert_int_equal(atomic_load(&sh->lock), self());
	}
	assert_in_range(best, 900, 10000);
}

static bool says_alive(uint32_t owner)
{
	(void)owner;
	return true;
}

static void a_living_owner_keeps_it_and_the_waiter_gives_up(void **state)
{
	int64_t begin = now_us();

	(void)state;
	atomic_store(&sh->lock, 4711);
	assert_int_equal(ab_lock(&sh->lock, self(), says_alive), AB_LOCK_TIMEOUT);
	assert_in_range(now_us() - begin, AB_LOCK_PATIENCE_MS * 1000,
			AB_LOCK_PATIENCE_MS * 1000 * 20);
	assert_int_equal(atomic_load(&sh->lock), 4711);
}

static void a_lock_changing_hands_is_not_taken_from_the_living(void **state)
{
	pid_t pid = fork();
	int status, n = 0;

	(void)state;
	if(pid == 0) { /* takes it again and again */
		int64_t end = now_us() + 60000;

		while(now_us() < end) {
			if(take() != AB_LOCK_OK)
				_exit(1);
			sh->counter++;
			ab_unlock(&sh->lock);
		}
		_exit(0);
	}
	while(waitpid(pid, &status, WNOHANG) == 0) {
		enum ab_lock_result r = take();

		assert_int_equal(r, AB_LOCK_OK);
		sh->counter++;
		ab_unlock(&sh->lock);
		n++;
	}
	assert_int_equal(status, 0);
	assert_true(n > 0);
}

static void a_killed_process_leaves_a_lock_that_can_be_taken(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if(pid == 0) {
		take();
		sh->counter = 1;
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(atomic_load(&sh->lock), pid);
	assert_int_equal(take(), AB_LOCK_STOLEN);
	assert_int_equal(sh->counter, 1);
}

static void of_many_waiters_one_inherits(void **state)
{
	pid_t dead = fork();
	int status, p, stolen = 0;

	(void)state;
	if(dead == 0)
		_exit(0);
	assert_int_equal(waitpid(dead, &status, 0), dead);
	atomic_store(&sh->lock, (uint32_t)dead);
	for(p = 0; p < 6; p++)
		if(fork() == 0) {
			enum ab_lock_result r = take();

			sh->counter++;
			ab_unlock(&sh->lock);
			_exit((int)r);
		}
	for(p = 0; p < 6; p++) {
		assert_true(wait(&status) > 0);
		assert_true(WIFEXITED(status));
		assert_int_not_equal(WEXITSTATUS(status), AB_LOCK_TIMEOUT);
		stolen += WEXITSTATUS(status) == AB_LOCK_STOLEN;
	}
	assert_int_equal(stolen, 1);
	assert_int_equal(sh->counter, 6);
}

static void processes_exclude_each_other(void **state)
{
	int p, i, status;

	(void)state;
	for(p = 0; p < 4; p++)
		if(fork() == 0) {
			for(i = 0; i < 50000; i++) {
				if(take() != AB_LOCK_OK)
					_exit(1);
				sh->counter++;
				ab_unlock(&sh->lock);
			}
			_exit(0);
		}
	for(p = 0; p < 4; p++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(sh->counter, 200000);
}

static void processes_are_told_alive_or_dead(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if(pid == 0)
		pause();
	assert_true(ab_lock_process_alive((uint32_t)pid));
	assert_true(ab_lock_process_alive(self()));
	assert_true(ab_lock_process_alive(1)); /* of another user, perhaps */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(ab_lock_process_alive((uint32_t)pid));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(a_free_lock_is_taken_and_given_back),
			T(a_dead_owner_is_replaced_soon),
			T(a_living_owner_keeps_it_and_the_waiter_gives_up),
			T(a_lock_changing_hands_is_not_taken_from_the_living),
			T(a_killed_process_leaves_a_lock_that_can_be_taken),
			T(of_many_waiters_one_inherits),
			T(processes_exclude_each_other),
			T(processes_are_told_alive_or_dead),
	};

	return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
