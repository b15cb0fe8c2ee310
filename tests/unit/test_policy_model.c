/*
 * authban: the core against a second, slow version of docs/policy.md
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: test_policy_model [SEED]: plays that history alone and tells its steps.
 * AUTHBAN_LONG=1: ten times as many histories; AUTHBAN_SHORT=1: a tenth.
 */
#include "policy_story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STORIES 100000
#define ENTRIES 512
#define PROCESSES 2

/* Leaves out every step that the difference does not need. */
static void shorten(struct story *s, struct stage *stage, char why[static 400])
{
	int end = story_play(s, stage, why);
	bool shorter = true;
	int i;

	s->steps = (unsigned)end + 1;
	while(shorter) {
		shorter = false;
		for(i = end - 1; i >= 0; i--) {
			if(s->left_out[i])
				continue;
			s->left_out[i] = true;
			if(story_play(s, stage, why) == end)
				shorter = true;
			else
				s->left_out[i] = false;
		}
	}
	story_play(s, stage, why);
}

/* True: the core did what the text says. */
static bool agree(uint64_t seed, struct stage *stage)
{
	static struct story s;
	char why[400];

	story_make(&s, seed);
	if(story_play(&s, stage, why) < 0)
		return true;
	shorten(&s, stage, why);
	print_error("seed %llu: %s\n", (unsigned long long)seed, why);
	story_print(&s, s.steps);
	return false;
}

/* Every PROCESSES-th seed; the exit status tells. */
static int part(unsigned n)
{
	struct stage stage;
	uint64_t seed, end = unit_many(STORIES);
	unsigned bad = 0;

	stage_open(&stage, ENTRIES);
	for(seed = 1 + n; seed <= end && bad < 1; seed += PROCESSES)
		bad += !agree(seed, &stage);
	stage_close(&stage);
	return bad ? 1 : 0;
}

static void the_core_does_what_the_text_says(void **state)
{
	unsigned n, bad = 0;
	pid_t pid[PROCESSES];
	int status;

	(void)state;
	fflush(NULL);
	for(n = 0; n < PROCESSES; n++) {
		pid[n] = fork();
		assert_true(pid[n] >= 0);
		if(pid[n] == 0) {
			status = part(n);
			fflush(NULL);
			_exit(status);
		}
	}
	for(n = 0; n < PROCESSES; n++) {
		assert_int_equal(waitpid(pid[n], &status, 0), pid[n]);
		bad += status != 0;
	}
	assert_int_equal(bad, 0);
	print_message("%llu histories\n", (unsigned long long)unit_many(STORIES));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(the_core_does_what_the_text_says),
	};
	struct stage stage;
	int status;

	if(argc > 1) {
		stage_open(&stage, ENTRIES);
		status = agree(strtoull(argv[1], NULL, 10), &stage) ? 0 : 1;
		stage_close(&stage);
		return status;
	}
	return cmocka_run_group_tests_name("policy_model", tests, NULL, NULL);
}
