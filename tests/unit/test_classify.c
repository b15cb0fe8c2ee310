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

/* rc, credentials, free method, proven, our nonce, late -> class, whether it counts */
static const struct
{
	struct ab_attempt a;
	enum ab_class class;
	bool counts;
} rows[] = {
		/* right password */
		{{1, GOOD, false, true, true, false}, AB_CLASS_SUCCESS, false},
		{{1, GOOD, false, false, true, false}, AB_CLASS_SUCCESS, false},
		/* 1 without credentials: ACK, CANCEL, PRACK pass for free */
		{{1, NONE, true, true, true, false}, AB_CLASS_UNAUTHENTICATED_METHOD,
				false},
		{{1, GOOD, true, true, true, false}, AB_CLASS_UNAUTHENTICATED_METHOD,
				false},
		{{1, NONE, false, true, true, false}, AB_CLASS_NO_CREDENTIALS, false},
		{{-2, GOOD, true, true, true, false}, AB_CLASS_UNAUTHENTICATED_METHOD,
				false},
		/* -1 is four things */
		{{-1, BAD, false, true, true, false}, AB_CLASS_MALFORMED, true},
		{{-1, BAD, false, true, false, false}, AB_CLASS_MALFORMED, true},
		{{-1, BAD, false, false, true, false}, AB_CLASS_UNPROVEN, false},
		{{-1, GOOD, false, true, true, false}, AB_CLASS_BACKEND_ERROR, false},
		{{-1, GOOD, false, true, false, false}, AB_CLASS_FOREIGN_NONCE, false},
		{{-1, GOOD, false, false, true, false}, AB_CLASS_UNPROVEN, false},
		{{-1, GOOD, false, false, false, false}, AB_CLASS_UNPROVEN, false},
		{{-1, NONE, false, true, true, false}, AB_CLASS_NO_CREDENTIALS, false},
		{{-1, NONE, false, false, false, false}, AB_CLASS_NO_CREDENTIALS,
				false},
		/* wrong password, no such user */
		{{-2, GOOD, false, true, true, false}, AB_CLASS_WRONG_PASSWORD, true},
		{{-2, GOOD, false, true, false, false}, AB_CLASS_WRONG_PASSWORD, true},
		{{-2, GOOD, false, false, true, false}, AB_CLASS_UNPROVEN, false},
		{{-3, GOOD, false, true, true, false}, AB_CLASS_UNKNOWN_USER, true},
		{{-3, GOOD, false, false, true, false}, AB_CLASS_UNPROVEN, false},
		/* never */
		{{-4, GOOD, false, true, true, false}, AB_CLASS_STALE, false},
		{{-4, GOOD, false, false, false, false}, AB_CLASS_STALE, false},
		{{-5, GOOD, false, true, true, false}, AB_CLASS_NO_CREDENTIALS, false},
		{{-5, NONE, false, true, true, false}, AB_CLASS_NO_CREDENTIALS, false},
		{{-6, GOOD, false, true, true, false}, AB_CLASS_STALE, false},
		{{-7, GOOD, false, true, true, false}, AB_CLASS_STALE, false},
		/* the right password under another name */
		{{-8, GOOD, false, true, true, false}, AB_CLASS_MISMATCH, false},
		/* numbers that the back end does not document */
		{{0, GOOD, false, true, true, false}, AB_CLASS_UNKNOWN, false},
		{{2, GOOD, false, true, true, false}, AB_CLASS_UNKNOWN, false},
		{{-9, GOOD, false, true, true, false}, AB_CLASS_UNKNOWN, false},
		{{INT_MIN, GOOD, false, true, true, false}, AB_CLASS_UNKNOWN, false},
		{{INT_MAX, BAD, false, true, true, false}, AB_CLASS_UNKNOWN, false},
};

static void each_row_of_the_interface_holds(void **state)
{
	const struct ab_result_map *map = ab_results_of(AB_BACKEND_AUTH_DB);
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(rows); i++) {
		enum ab_class got = ab_classify(map, &rows[i].a);

		expect(got == rows[i].class, "row %zu (rc %d): %s, not %s", i,
				rows[i].a.rc, ab_class_name(got), ab_class_name(rows[i].class));
		expect(ab_class_is_failure(got) == rows[i].counts, "row %zu", i);
	}
}

#define PROVEN true
#define OURS true
#define LATE true

/* What a number of a back end is for an attempt of a method that is judged. */
static const struct
{
	enum ab_backend backend;
	int rc;
	enum ab_credentials credentials;
	bool proven, ours, late;
	enum ab_class class;
} others[] = {
		{AB_BACKEND_RADIUS, 1, GOOD, PROVEN, OURS, false, AB_CLASS_SUCCESS},
		{AB_BACKEND_RADIUS, 1, NONE, PROVEN, OURS, false,
				AB_CLASS_NO_CREDENTIALS},
		{AB_BACKEND_RADIUS, -1, BAD, PROVEN, OURS, false, AB_CLASS_MALFORMED},
		{AB_BACKEND_RADIUS, -1, GOOD, PROVEN, OURS, false,
				AB_CLASS_BACKEND_ERROR},
		{AB_BACKEND_RADIUS, -1, GOOD, PROVEN, false, false,
				AB_CLASS_FOREIGN_NONCE},
		/* a wrong password and a dead server are told apart by time alone */
		{AB_BACKEND_RADIUS, -2, GOOD, PROVEN, OURS, false,
				AB_CLASS_WRONG_PASSWORD},
		{AB_BACKEND_RADIUS, -2, GOOD, PROVEN, OURS, LATE,
				AB_CLASS_BACKEND_ERROR},
		{AB_BACKEND_RADIUS, -2, GOOD, false, OURS, false, AB_CLASS_UNPROVEN},
		{AB_BACKEND_RADIUS, -3, GOOD, PROVEN, OURS, false, AB_CLASS_UNKNOWN},
		{AB_BACKEND_RADIUS, -4, GOOD, PROVEN, OURS, LATE, AB_CLASS_STALE},
		{AB_BACKEND_RADIUS, -5, GOOD, PROVEN, OURS, false,
				AB_CLASS_NO_CREDENTIALS},
		{AB_BACKEND_RADIUS, -6, GOOD, PROVEN, OURS, false, AB_CLASS_STALE},
		{AB_BACKEND_RADIUS, -7, GOOD, PROVEN, OURS, false,
				AB_CLASS_BACKEND_ERROR},
		{AB_BACKEND_RADIUS, -8, GOOD, PROVEN, OURS, false, AB_CLASS_UNKNOWN},

		{AB_BACKEND_UID_AUTH_DB, 1, GOOD, PROVEN, OURS, false,
				AB_CLASS_SUCCESS},
		/* a guess, unless auth does not accept the nonce */
		{AB_BACKEND_UID_AUTH_DB, -1, GOOD, PROVEN, OURS, false,
				AB_CLASS_WRONG_PASSWORD},
		{AB_BACKEND_UID_AUTH_DB, -1, GOOD, PROVEN, false, false,
				AB_CLASS_FOREIGN_NONCE},
		{AB_BACKEND_UID_AUTH_DB, -1, GOOD, false, OURS, false,
				AB_CLASS_UNPROVEN},
		{AB_BACKEND_UID_AUTH_DB, -1, BAD, PROVEN, OURS, false,
				AB_CLASS_MALFORMED},
		{AB_BACKEND_UID_AUTH_DB, -1, BAD, false, OURS, false,
				AB_CLASS_UNPROVEN},
		/* the database is down: nobody's failure, whatever they sent */
		{AB_BACKEND_UID_AUTH_DB, -2, GOOD, PROVEN, OURS, false,
				AB_CLASS_BACKEND_ERROR},
		{AB_BACKEND_UID_AUTH_DB, -2, BAD, PROVEN, OURS, false,
				AB_CLASS_BACKEND_ERROR},
		{AB_BACKEND_UID_AUTH_DB, -3, BAD, PROVEN, OURS, false,
				AB_CLASS_MALFORMED},
		{AB_BACKEND_UID_AUTH_DB, -3, GOOD, PROVEN, OURS, false,
				AB_CLASS_BACKEND_ERROR},
		{AB_BACKEND_UID_AUTH_DB, -4, GOOD, PROVEN, OURS, false, AB_CLASS_STALE},
		{AB_BACKEND_UID_AUTH_DB, -5, GOOD, PROVEN, OURS, false,
				AB_CLASS_NO_CREDENTIALS},
		{AB_BACKEND_UID_AUTH_DB, -6, GOOD, PROVEN, OURS, false, AB_CLASS_STALE},
		{AB_BACKEND_UID_AUTH_DB, -7, GOOD, PROVEN, OURS, false,
				AB_CLASS_UNKNOWN},

		{AB_BACKEND_DIAMETER, 1, GOOD, PROVEN, OURS, false, AB_CLASS_SUCCESS},
		{AB_BACKEND_DIAMETER, 1, NONE, PROVEN, OURS, false,
				AB_CLASS_NO_CREDENTIALS},
		{AB_BACKEND_DIAMETER, -1, GOOD, PROVEN, OURS, false,
				AB_CLASS_UNKNOWN_USER},
		{AB_BACKEND_DIAMETER, -2, GOOD, PROVEN, OURS, false,
				AB_CLASS_WRONG_PASSWORD},
		{AB_BACKEND_DIAMETER, -3, GOOD, PROVEN, OURS, false, AB_CLASS_STALE},
		{AB_BACKEND_DIAMETER, -4, GOOD, PROVEN, OURS, false,
				AB_CLASS_NO_CREDENTIALS},
		/* all that auth_diameter 5.6.3 returns for a failure of any kind */
		{AB_BACKEND_DIAMETER, -5, GOOD, PROVEN, OURS, false, AB_CLASS_UNKNOWN},
		{AB_BACKEND_DIAMETER, -5, BAD, PROVEN, OURS, false, AB_CLASS_UNKNOWN},
		{AB_BACKEND_DIAMETER, -6, GOOD, PROVEN, OURS, false, AB_CLASS_STALE},

		/* a map of the operator's knows nothing until it is filled */
		{AB_BACKEND_CUSTOM, 1, GOOD, PROVEN, OURS, false, AB_CLASS_SUCCESS},
		{AB_BACKEND_CUSTOM, -1, BAD, PROVEN, OURS, false, AB_CLASS_UNKNOWN},
		{AB_BACKEND_CUSTOM, -2, GOOD, PROVEN, OURS, false, AB_CLASS_UNKNOWN},
};

static void each_row_of_the_other_back_ends_holds(void **state)
{
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(others); i++) {
		struct ab_attempt a = {others[i].rc, others[i].credentials, false,
				others[i].proven, others[i].ours, others[i].late};
		enum ab_class got = ab_classify(ab_results_of(others[i].backend), &a);

		expect(got == others[i].class, "row %zu (rc %d): %s, not %s", i, a.rc,
				ab_class_name(got), ab_class_name(others[i].class));
		a.free_method = true;
		got = ab_classify(ab_results_of(others[i].backend), &a);
		assert_int_equal(got, AB_CLASS_UNAUTHENTICATED_METHOD);
	}
}

/* All inputs, called one by one, for each back end's map and for one that has
 * every meaning. */
static void all_attempts(void (*f)(
		const struct ab_result_map *, const struct ab_attempt *, enum ab_class))
{
	struct ab_result_map all;
	int b, rc, bits;

	memset(&all, 0, sizeof(all));
	for(rc = -2; rc > -AB_MEANS_COUNT; rc--)
		all.meaning[rc - AB_RC_MIN] = (uint8_t)-rc;
	all.meaning[1 - AB_RC_MIN] = AB_MEANS_SUCCESS;
	for(b = 0; b <= AB_BACKENDS; b++)
		for(rc = -20; rc <= 20; rc++)
			for(bits = 0; bits < 48; bits++) {
				const struct ab_result_map *map =
						b < AB_BACKENDS ? ab_results_of((enum ab_backend)b)
										: &all;
				struct ab_attempt a = {rc, (enum ab_credentials)(bits / 16),
						bits & 1, bits & 2, bits & 4, bits & 8};

				f(map, &a, ab_classify(map, &a));
			}
}

static void unproven_never_counts(const struct ab_result_map *map,
		const struct ab_attempt *a, enum ab_class class)
{
	(void)map;
	expect(a->proven || !ab_class_is_failure(class), "rc %d", a->rc);
}

static void free_methods_never_count(const struct ab_result_map *map,
		const struct ab_attempt *a, enum ab_class class)
{
	(void)map;
	expect(!a->free_method || class == AB_CLASS_UNAUTHENTICATED_METHOD, "rc %d",
			a->rc);
}

static void without_credentials_nothing_counts_or_succeeds(
		const struct ab_result_map *map, const struct ab_attempt *a,
		enum ab_class class)
{
	(void)map;
	expect(a->credentials != NONE
					|| (!ab_class_is_failure(class)
							&& class != AB_CLASS_SUCCESS),
			"rc %d", a->rc);
}

/* Stale and used nonces, no credentials, the right password under another
 * name, a back end that is down, and what nobody documents. */
static void only_what_judges_a_password_counts(const struct ab_result_map *map,
		const struct ab_attempt *a, enum ab_class class)
{
	switch(ab_results_meaning(map, a->rc)) {
		case AB_MEANS_SUCCESS:
		case AB_MEANS_WRONG_PASSWORD:
		case AB_MEANS_UNKNOWN_USER:
		case AB_MEANS_PASSWORD_OR_NONCE:
			break;
		case AB_MEANS_PASSWORD_OR_TIMEOUT:
			expect(!a->timed_out || !ab_class_is_failure(class), "rc %d",
					a->rc);
			break;
		case AB_MEANS_ERROR:
			expect(a->credentials == BAD || !ab_class_is_failure(class),
					"rc %d", a->rc);
			break;
		default:
			expect(!ab_class_is_failure(class), "rc %d", a->rc);
	}
	expect(a->rc == 1 || class != AB_CLASS_SUCCESS, "rc %d", a->rc);
}

static void every_attempt_has_a_class(const struct ab_result_map *map,
		const struct ab_attempt *a, enum ab_class class)
{
	(void)map;
	expect(class > AB_CLASS_NONE && class < AB_CLASS_COUNT, "rc %d", a->rc);
}

static void what_holds_for_all_attempts(void **state)
{
	(void)state;
	all_attempts(unproven_never_counts);
	all_attempts(free_methods_never_count);
	all_attempts(without_credentials_nothing_counts_or_succeeds);
	all_attempts(only_what_judges_a_password_counts);
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
			cmocka_unit_test(each_row_of_the_other_back_ends_holds),
			cmocka_unit_test(what_holds_for_all_attempts),
			cmocka_unit_test(three_classes_count_and_three_are_stale),
			cmocka_unit_test(names_of_classes_are_different_words),
	};

	return cmocka_run_group_tests_name("classify", tests, NULL, NULL);
}
