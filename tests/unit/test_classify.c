/*
 * authban: unit tests of what an authentication result means
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_classify.h"
#include "unit.h"

#include <limits.h>
#include <string.h>

#define NONE AB_CREDENTIALS_NONE
#define BAD AB_CREDENTIALS_MALFORMED
#define GOOD AB_CREDENTIALS_WELL_FORMED

/* rc, credentials, free method, proven, our nonce -> class, whether it counts */
static const struct
{
	struct ab_attempt a;
	enum ab_class class;
	bool counts;
} rows[] = {
		/* right password */
		{{1, GOOD, false, true, true}, AB_CLASS_SUCCESS, false},
		{{1, GOOD, false, false, true}, AB_CLASS_SUCCESS, false},
		/* 1 without credentials: ACK, CANCEL, PRACK pass for free */
		{{1, NONE, true, true, true}, AB_CLASS_UNAUTHENTICATED_METHOD, false},
		{{1, GOOD, true, true, true}, AB_CLASS_UNAUTHENTICATED_METHOD, false},
		{{1, NONE, false, true, true}, AB_CLASS_NO_CREDENTIALS, false},
		{{-2, GOOD, true, true, true}, AB_CLASS_UNAUTHENTICATED_METHOD, false},
		/* -1 is four things */
		{{-1, BAD, false, true, true}, AB_CLASS_MALFORMED, true},
		{{-1, BAD, false, true, false}, AB_CLASS_MALFORMED, true},
		{{-1, BAD, false, false, true}, AB_CLASS_UNPROVEN, false},
		{{-1, GOOD, false, true, true}, AB_CLASS_BACKEND_ERROR, false},
		{{-1, GOOD, false, true, false}, AB_CLASS_FOREIGN_NONCE, false},
		{{-1, GOOD, false, false, true}, AB_CLASS_UNPROVEN, false},
		{{-1, GOOD, false, false, false}, AB_CLASS_UNPROVEN, false},
		{{-1, NONE, false, true, true}, AB_CLASS_NO_CREDENTIALS, false},
		{{-1, NONE, false, false, false}, AB_CLASS_NO_CREDENTIALS, false},
		/* wrong password, no such user */
		{{-2, GOOD, false, true, true}, AB_CLASS_WRONG_PASSWORD, true},
		{{-2, GOOD, false, true, false}, AB_CLASS_WRONG_PASSWORD, true},
		{{-2, GOOD, false, false, true}, AB_CLASS_UNPROVEN, false},
		{{-3, GOOD, false, true, true}, AB_CLASS_UNKNOWN_USER, true},
		{{-3, GOOD, false, false, true}, AB_CLASS_UNPROVEN, false},
		/* never */
		{{-4, GOOD, false, true, true}, AB_CLASS_STALE, false},
		{{-4, GOOD, false, false, false}, AB_CLASS_STALE, false},
		{{-5, GOOD, false, true, true}, AB_CLASS_NO_CREDENTIALS, false},
		{{-5, NONE, false, true, true}, AB_CLASS_NO_CREDENTIALS, false},
		{{-6, GOOD, false, true, true}, AB_CLASS_STALE, false},
		{{-7, GOOD, false, true, true}, AB_CLASS_STALE, false},
		/* the right password under another name */
		{{-8, GOOD, false, true, true}, AB_CLASS_MISMATCH, false},
		/* numbers that the back end does not document */
		{{0, GOOD, false, true, true}, AB_CLASS_UNKNOWN, false},
		{{2, GOOD, false, true, true}, AB_CLASS_UNKNOWN, false},
		{{-9, GOOD, false, true, true}, AB_CLASS_UNKNOWN, false},
		{{INT_MIN, GOOD, false, true, true}, AB_CLASS_UNKNOWN, false},
		{{INT_MAX, BAD, false, true, true}, AB_CLASS_UNKNOWN, false},
};

static void each_row_of_the_interface_holds(void **state)
{
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(rows); i++) {
		enum ab_class got = ab_classify(&rows[i].a);

		expect(got == rows[i].class, "row %zu (rc %d): %s, not %s", i,
				rows[i].a.rc, ab_class_name(got), ab_class_name(rows[i].class));
		expect(ab_class_is_failure(got) == rows[i].counts, "row %zu", i);
	}
}

/* All inputs, called one by one. */
static void all_attempts(void (*f)(const struct ab_attempt *, enum ab_class))
{
	int rc, bits;

	for(rc = -20; rc <= 20; rc++)
		for(bits = 0; bits < 24; bits++) {
			struct ab_attempt a = {rc, (enum ab_credentials)(bits / 8),
					bits & 1, bits & 2, bits & 4};

			f(&a, ab_classify(&a));
		}
}

static void unproven_never_counts(
		const struct ab_attempt *a, enum ab_class class)
{
	expect(a->proven || !ab_class_is_failure(class), "rc %d", a->rc);
}

static void free_methods_never_count(
		const struct ab_attempt *a, enum ab_class class)
{
	expect(!a->free_method || class == AB_CLASS_UNAUTHENTICATED_METHOD, "rc %d",
			a->rc);
}

static void without_credentials_nothing_counts_or_succeeds(
		const struct ab_attempt *a, enum ab_class class)
{
	expect(a->credentials != NONE
					|| (!ab_class_is_failure(class)
							&& class != AB_CLASS_SUCCESS),
			"rc %d", a->rc);
}

static void only_1_to_minus_3_judge_a_password(
		const struct ab_attempt *a, enum ab_class class)
{
	expect((a->rc <= 1 && a->rc >= -3 && a->rc != 0)
					|| (!ab_class_is_failure(class)
							&& class != AB_CLASS_SUCCESS),
			"rc %d", a->rc);
}

static void every_attempt_has_a_class(
		const struct ab_attempt *a, enum ab_class class)
{
	expect(class > AB_CLASS_NONE && class < AB_CLASS_COUNT, "rc %d", a->rc);
}

static void what_holds_for_all_attempts(void **state)
{
	(void)state;
	all_attempts(unproven_never_counts);
	all_attempts(free_methods_never_count);
	all_attempts(without_credentials_nothing_counts_or_succeeds);
	all_attempts(only_1_to_minus_3_judge_a_password);
	all_attempts(every_attempt_has_a_class);
}

static void three_classes_count_and_three_are_stale(void **state)
{
	int c, failures = 0, stale = 0;

	(void)state;
	for(c = -1; c <= AB_CLASS_COUNT; c++) {
		failures += ab_class_is_failure((enum ab_class)c);
		stale += ab_class_is_stale((enum ab_class)c);
		assert_false(ab_class_is_failure((enum ab_class)c)
					 && ab_class_is_stale((enum ab_class)c));
	}
	assert_int_equal(failures, 3);
	assert_int_equal(stale, 3);
	assert_true(ab_class_is_failure(AB_CLASS_WRONG_PASSWORD));
	assert_true(ab_class_is_failure(AB_CLASS_UNKNOWN_USER));
	assert_true(ab_class_is_failure(AB_CLASS_MALFORMED));
	assert_true(ab_class_is_stale(AB_CLASS_STALE));
	assert_true(ab_class_is_stale(AB_CLASS_FOREIGN_NONCE));
	assert_true(ab_class_is_stale(AB_CLASS_UNPROVEN));
}

static void names_of_classes_are_different_words(void **state)
{
	int a, b;

	(void)state;
	for(a = 0; a < AB_CLASS_COUNT; a++) {
		const char *name = ab_class_name((enum ab_class)a);

		assert_int_equal(
				strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
		for(b = 0; b < a; b++)
			assert_string_not_equal(name, ab_class_name((enum ab_class)b));
	}
	assert_string_equal(ab_class_name(AB_CLASS_COUNT), "unknown");
	assert_string_equal(ab_class_name((enum ab_class) - 1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(each_row_of_the_interface_holds),
			cmocka_unit_test(what_holds_for_all_attempts),
			cmocka_unit_test(three_classes_count_and_three_are_stale),
			cmocka_unit_test(names_of_classes_are_different_words),
	};

	return cmocka_run_group_tests_name("classify", tests, NULL, NULL);
}
