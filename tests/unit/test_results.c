/*
 * authban: unit tests of the maps of results, and of maps out of a text
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_results.h"
#include "unit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ab_results_fault fault;

static int parse(struct ab_result_map *map, const char *text)
{
	memset(&fault, 0xee, sizeof(fault));
	return ab_results_parse(map, text, strlen(text), &fault);
}

static void a_text_becomes_a_map(void **state)
{
	struct ab_result_map map;
	static const char *const same[] = {
			"-1=error,-2=wrong_password,-3=unknown_user,-4=stale,"
			"-5=no_credentials,-6=stale,-8=mismatch,-7=stale",
			"  -8 = mismatch ,\t-7=stale, -6=stale,-5=no_credentials, "
			"-4=stale,-3= unknown_user\n, -2=wrong_password , -1 =error  "};
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(same); i++) {
		assert_int_equal(parse(&map, same[i]), 0);
		assert_memory_equal(
				&map, ab_results_of(AB_BACKEND_AUTH_DB), sizeof(map));
	}
	assert_int_equal(parse(&map, "-16=password_or_nonce"), 0);
	assert_int_equal(ab_results_meaning(&map, -16), AB_MEANS_PASSWORD_OR_NONCE);
	assert_int_equal(ab_results_meaning(&map, -15), AB_MEANS_UNKNOWN);
	assert_int_equal(ab_results_meaning(&map, 1), AB_MEANS_SUCCESS);
	assert_int_equal(parse(&map, "-3=ignore"), 0);
	assert_int_equal(ab_results_meaning(&map, -3), AB_MEANS_UNKNOWN);
}

static void each_word_has_its_meaning_and_is_told(void **state)
{
	struct ab_result_map map;
	char text[64];
	int m, found = 0;

	(void)state;
	for(m = -1; m <= AB_MEANS_COUNT; m++) {
		const char *word = ab_meaning_word((enum ab_meaning)m);

		if(!word)
			continue;
		found++;
		snprintf(text, sizeof(text), "-9=%s", word);
		assert_int_equal(parse(&map, text), 0);
		assert_int_equal(ab_results_meaning(&map, -9), m);
		assert_non_null(strstr(", " AB_MEANING_WORDS ", ", word));
	}
	/* all but success */
	assert_int_equal(found, AB_MEANS_COUNT - 1);
}

/* text, where and how long the wrong word is, a piece of the reason */
static const struct
{
	const char *text;
	size_t at, len;
	const char *why;
} wrong[] = {
		{"", 0, 0, "no number"},
		{"   ", 3, 0, "no number"},
		{"-1", 0, 2, "without ="},
		{"-1=", 3, 0, "not one of the words"},
		{"-1=wrong", 3, 5, "not one of the words"},
		{"-1=errors", 3, 6, "not one of the words"},
		{"-1=ERROR", 3, 5, "not one of the words"},
		{"-1=success", 3, 7, "not one of the words"},
		{"-1=error,", 9, 0, "no number"},
		{"-1=error,,-2=stale", 9, 0, "no number"},
		{",-1=error", 0, 0, "no number"},
		{"-1=error,-1=stale", 9, 2, "given twice"},
		{"-1=error, -01=stale", 10, 3, "given twice"},
		{"-17=stale", 0, 3, "no number from -16 to -1"},
		{"-1=error, 1=stale", 10, 1, "no number"},
		{"0=stale", 0, 1, "no number"},
		{"-0=stale", 0, 2, "no number"},
		{"2=stale", 0, 1, "no number"},
		{"--1=stale", 0, 3, "no number"},
		{"-=stale", 0, 1, "no number"},
		{"-1a=stale", 0, 3, "no number"},
		{"-99999999999999999999=stale", 0, 21, "no number"},
		{"error=-1", 0, 5, "no number"},
		{"-1=error -2=stale", 9, 1, "not a comma"},
		{"-1=error;-2=stale", 3, 8, "not one of the words"},
		{"-1==error", 3, 0, "not one of the words"},
		{"-1=error=stale", 8, 1, "not a comma"},
};

static void what_is_wrong_is_named(void **state)
{
	struct ab_result_map map;
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(wrong); i++) {
		expect(parse(&map, wrong[i].text) == -1, "\"%s\"", wrong[i].text);
		expect(fault.at == wrong[i].at && fault.len == wrong[i].len,
				"\"%s\": %zu bytes at %zu", wrong[i].text, fault.len, fault.at);
		expect(strstr(fault.why, wrong[i].why) != NULL, "\"%s\": %s",
				wrong[i].text, fault.why);
	}
}

static void a_byte_0_ends_no_text(void **state)
{
	struct ab_result_map map;

	(void)state;
	assert_int_equal(ab_results_parse(&map, "-1=error\0", 9, &fault), -1);
	assert_int_equal(ab_results_parse(&map, "-1=error\0", 8, &fault), 0);
}

/* Pieces of right texts and any bytes: never beyond the text (ASan looks), and
 * either a map of known meanings or a fault within the text. */
static void any_text_is_read_or_refused(void **state)
{
	static const char *const pieces[] = {"-1", "-16", "=", "=", ",", ",",
			"error", "stale", "wrong_password", " ", "-", "-2=error",
			"-3=stale", ", -4=ignore", ",-5 = mismatch", "-6=no_credentials,",
			"1", "7", "password_or_nonce"};
	struct rng r = rng_of(20);
	struct ab_result_map map;
	int good = 0;

	(void)state;
	for(unit_at.step = 0; unit_at.step < 50000; unit_at.step++) {
		char *text = malloc(256);
		size_t len = 0, i;
		uint32_t n = rng_below(&r, 12);

		while(n--) {
			const char *p = pieces[rng_below(&r, COUNT_OF(pieces))];

			memcpy(text + len, p, strlen(p));
			len += strlen(p);
			if(rng_below(&r, 20) == 0)
				text[len++] = (char)rng_next(&r);
		}
		text = realloc(text, len ? len : 1);
		memset(&map, 0xff, sizeof(map));
		if(ab_results_parse(&map, text, len, &fault) == 0) {
			good++;
			for(i = 0; i < sizeof(map.meaning); i++)
				expect(map.meaning[i] < AB_MEANS_COUNT, "%zu", i);
		} else {
			expect(fault.at + fault.len <= len, "%zu + %zu", fault.at,
					fault.len);
			assert_non_null(fault.why);
		}
		free(text);
	}
	print_message("results: %d of 50000 random texts are maps\n", good);
	assert_true(good > 10 && good < 25000);
}

static void maps_know_1_and_nothing_beyond_their_ends(void **state)
{
	int b;

	(void)state;
	for(b = 0; b < AB_BACKENDS; b++) {
		const struct ab_result_map *map = ab_results_of((enum ab_backend)b);
		static const int nothing[] = {
				0, 2, AB_RC_MIN - 1, AB_RC_MAX + 1, INT_MIN, INT_MAX};
		size_t i;

		assert_int_equal(ab_results_meaning(map, 1), AB_MEANS_SUCCESS);
		for(i = 0; i < COUNT_OF(nothing); i++)
			assert_int_equal(
					ab_results_meaning(map, nothing[i]), AB_MEANS_UNKNOWN);
	}
	assert_ptr_equal(ab_results_of((enum ab_backend)77),
			ab_results_of(AB_BACKEND_CUSTOM));
}

/* With proof=nonce this makes a forged packet count: for auth_db exactly the
 * numbers 1, -2, -3 and -8. */
static void accepted_nonces(void **state)
{
	int rc;

	(void)state;
	for(rc = -20; rc < 5; rc++) {
		bool db = rc == 1 || rc == -2 || rc == -3 || rc == -8;
		bool radius = rc == 1 || rc == -2;
		bool uid = rc == 1;

		expect(ab_meaning_accepts_nonce(ab_results_meaning(
					   ab_results_of(AB_BACKEND_AUTH_DB), rc))
						== db,
				"rc %d", rc);
		expect(ab_meaning_accepts_nonce(
					   ab_results_meaning(ab_results_of(AB_BACKEND_RADIUS), rc))
						== radius,
				"rc %d", rc);
		expect(ab_meaning_accepts_nonce(ab_results_meaning(
					   ab_results_of(AB_BACKEND_UID_AUTH_DB), rc))
						== uid,
				"rc %d", rc);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_text_becomes_a_map),
			cmocka_unit_test(each_word_has_its_meaning_and_is_told),
			cmocka_unit_test(what_is_wrong_is_named),
			cmocka_unit_test(a_byte_0_ends_no_text),
			cmocka_unit_test(any_text_is_read_or_refused),
			cmocka_unit_test(maps_know_1_and_nothing_beyond_their_ends),
			cmocka_unit_test(accepted_nonces),
	};

	return cmocka_run_group_tests_name("results", tests, NULL, NULL);
}
