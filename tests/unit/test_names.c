/*
 * authban: unit tests of the table of short texts
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_names.h"
#include "ab_policy.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct ab_names *names;
static uint32_t self;

static int setup(void **state)
{
	(void)state;
	names = mmap(NULL, sizeof(*names), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(names != MAP_FAILED);
	ab_names_init(names);
	self = (uint32_t)getpid();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return munmap(names, sizeof(*names));
}

static uint16_t intern(const char *text)
{
	return ab_names_intern(names, self, text, strlen(text));
}

static void built_in_reasons_have_their_own_numbers(void **state)
{
	int i;

	(void)state;
	for(i = AB_REASON_THRESHOLD; i < AB_REASON_COUNT; i++) {
		const char *name = ab_reason_name((enum ab_reason)i);

		assert_string_equal(ab_names_text(names, (uint16_t)i), name);
		assert_int_equal(intern(name), i);
	}
	assert_string_equal(ab_names_text(names, 0), "");
	assert_string_equal(ab_names_text(names, AB_REASON_COUNT), "");
	assert_string_equal(ab_names_text(names, UINT16_MAX), "");
}

static void a_text_has_one_number_for_ever(void **state)
{
	uint16_t a = intern("spam"), b = intern("scan");

	(void)state;
	assert_true(a != 0 && b != 0 && a != b);
	assert_int_equal(intern("spam"), a);
	assert_int_equal(intern("scan"), b);
	assert_string_equal(ab_names_text(names, a), "spam");
	assert_int_equal(intern(""), 0);
	/* not by its begin */
	assert_int_equal(ab_names_intern(names, self, "spammer", 4), a);
	assert_int_not_equal(intern("spa"), a);
}

static void no_text_forges_a_line(void **state)
{
	char one;
	unsigned c;

	(void)state;
	for(c = 0; c < 256; c++) {
		char text[3] = {'a', (char)c, 'b'};
		uint16_t n = ab_names_intern(names, self, text, 3);
		const char *got = ab_names_text(names, n);

		one = got[1];
		expect(n != 0 && strlen(got) == 3 && got[0] == 'a' && got[2] == 'b',
				"byte %u", c);
		expect(one > ' ' && one < 0x7f && one != '"' && one != '\\', "byte %u",
				c);
		expect(one == (char)c || one == '_', "byte %u", c);
	}
}

static void a_long_text_is_cut(void **state)
{
	char text[100], want[AB_NAME_LEN + 1] = {0};

	(void)state;
	memset(text, 'n', sizeof(text));
	memset(want, 'n', AB_NAME_LEN);
	assert_string_equal(ab_names_text(names, ab_names_intern(names, self, text,
													 sizeof(text))),
			want);
	assert_int_equal(ab_names_intern(names, self, text, AB_NAME_LEN),
			ab_names_intern(names, self, text, AB_NAME_LEN + 1));
}

static void a_full_table_answers_0_and_keeps_what_it_has(void **state)
{
	char text[16];
	uint32_t i;

	(void)state;
	for(i = AB_REASON_COUNT; i < AB_NAMES_MAX; i++) {
		snprintf(text, sizeof(text), "text-%u", i);
		assert_int_equal(intern(text), i);
	}
	assert_int_equal(intern("one more"), 0);
	assert_int_equal(intern("text-511"), 511);
	assert_string_equal(ab_names_text(names, 511), "text-511");
	assert_int_equal(atomic_load(&names->lock), 0);
}

/* All processes get the same numbers for the same texts. */
static void processes_agree_on_numbers(void **state)
{
	char text[16];
	int i, p, status;

	(void)state;
	for(p = 0; p < 4; p++)
		if(fork() == 0) {
			for(i = 0; i < 500; i++) {
				uint16_t n;

				snprintf(text, sizeof(text), "text-%d", (i + 125 * p) % 500);
				n = ab_names_intern(
						names, (uint32_t)getpid(), text, strlen(text));
				if(n == 0 || strcmp(ab_names_text(names, n), text) != 0)
					_exit(1);
			}
			_exit(0);
		}
	for(p = 0; p < 4; p++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(atomic_load(&names->used), AB_REASON_COUNT + 500);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(built_in_reasons_have_their_own_numbers),
			T(a_text_has_one_number_for_ever),
			T(no_text_forges_a_line),
			T(a_long_text_is_cut),
			T(a_full_table_answers_0_and_keeps_what_it_has),
			T(processes_agree_on_numbers),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
