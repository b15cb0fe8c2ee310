/*
 * authban: unit tests of named policies
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_policies.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct said
{
	enum ab_policies_wrong wrong;
	char at[64];
	const struct ab_setting *row;
};

/* In a block that ends with the text, so that ASan sees a step beyond it. */
static struct said add(struct ab_policies *p, const char *text)
{
	char *copy = strdup(text);
	const char *at = NULL;
	size_t len = 0;
	struct said s = {.at = ""};

	s.wrong = ab_policies_add(p, copy, &at, &len, &s.row);
	if(s.wrong != AB_POLICIES_OK) {
		expect(at >= copy && at + len <= copy + strlen(copy), "%s", text);
		snprintf(s.at, sizeof(s.at), "%.*s", (int)len, at);
	}
	free(copy);
	return s;
}

static void each_wrong_text_is_refused_at_its_place(void **state)
{
	static const struct
	{
		const char *text;
		enum ab_policies_wrong wrong;
		const char *at;
	} row[] = {
			{"", AB_POLICIES_SYNTAX, ""},
			{"   ", AB_POLICIES_SYNTAX, ""},
			{"carrier", AB_POLICIES_SYNTAX, "carrier"},
			{": threshold=5", AB_POLICIES_SYNTAX, ": threshold=5"},
			{"carrier threshold=5", AB_POLICIES_SYNTAX, "carrier"},
			{"car/rier: threshold=5", AB_POLICIES_SYNTAX, "car/rier"},
			{"carrier:", AB_POLICIES_SYNTAX, ""},
			{"carrier: threshold", AB_POLICIES_SYNTAX, "threshold"},
			{"carrier: threshold 5", AB_POLICIES_SYNTAX, "threshold"},
			{"carrier: =5", AB_POLICIES_SYNTAX, "=5"},
			{"carrier: threshold=5,", AB_POLICIES_SYNTAX, ""},
			{"carrier: threshold=5,,ban_time=5", AB_POLICIES_SYNTAX,
					",ban_time=5"},
			{"carrier: threshold=5 ban_time=5", AB_POLICIES_SYNTAX, "ban_time"},
			{"carrier: threshold=5x", AB_POLICIES_SYNTAX, "x"},
			{"carrier: threshold=5;", AB_POLICIES_SYNTAX, ";"},
			{"a234567890123456789012345678901x: threshold=5", AB_POLICIES_NAME,
					"a234567890123456789012345678901x"},
			{"known: threshold=5", AB_POLICIES_NAME, "known"},
			{"carrier: treshold=5", AB_POLICIES_SETTING, "treshold"},
			{"carrier: window=5", AB_POLICIES_SETTING, "window"},
			{"carrier: mode=0", AB_POLICIES_SETTING, "mode"},
			{"carrier: Threshold=5", AB_POLICIES_SETTING, "Threshold"},
			{"carrier: threshold=5, breaker=0", AB_POLICIES_SETTING, "breaker"},
			{"carrier: threshold=", AB_POLICIES_VALUE, ""},
			{"carrier: threshold=0", AB_POLICIES_VALUE, "0"},
			{"carrier: threshold=-1", AB_POLICIES_VALUE, "-1"},
			{"carrier: threshold=10001", AB_POLICIES_VALUE, "10001"},
			{"carrier: threshold=4294967297", AB_POLICIES_VALUE, "4294967297"},
			{"carrier: threshold=many", AB_POLICIES_VALUE, "many"},
			{"carrier: max_users=81", AB_POLICIES_VALUE, "81"},
			{"carrier: threshold=5, long_threshold=201", AB_POLICIES_VALUE,
					"201"},
			{"carrier: ban_time=604801", AB_POLICIES_VALUE, "604801"},
			{"carrier: ban_time_max=2592001", AB_POLICIES_VALUE, "2592001"},
			{"carrier: net_threshold=0", AB_POLICIES_VALUE, "0"},
	};
	struct ab_policies p = {.count = 0};
	size_t i;

	(void)state;
	assert_int_equal(add(&p, "known: threshold=5").wrong, AB_POLICIES_OK);
	for(i = 0; i < COUNT_OF(row); i++) {
		struct said s = add(&p, row[i].text);

		expect(s.wrong == row[i].wrong && strcmp(s.at, row[i].at) == 0,
				"\"%s\": %d at \"%s\"", row[i].text, s.wrong, s.at);
		assert_true(s.wrong != AB_POLICIES_VALUE || s.row);
		assert_int_equal(p.count, 1);
	}
}

static void the_eighth_is_one_too_many(void **state)
{
	struct ab_policies p = {.count = 0};
	char text[] = "p0: threshold=5";

	(void)state;
	for(text[1] = '1'; text[1] <= '7'; text[1]++)
		assert_int_equal(add(&p, text).wrong, AB_POLICIES_OK);
	assert_int_equal(add(&p, text).wrong, AB_POLICIES_FULL);
	assert_int_equal(p.count, AB_POLICIES_MAX);
	/* numbers have three bits in an entry */
	assert_int_equal(ab_policies_find(&p, "p7", 2), 7);
}

static void names_are_found_as_a_whole(void **state)
{
	struct ab_policies p = {.count = 0};

	(void)state;
	add(&p, "carrier.one-2_A: threshold=5");
	add(&p, "carrier: threshold=6");
	assert_int_equal(ab_policies_find(&p, "carrier.one-2_A", 15), 1);
	assert_int_equal(ab_policies_find(&p, "carrier", 7), 2);
	assert_int_equal(ab_policies_find(&p, "carrier.one-2_A", 7), 2);
	assert_int_equal(ab_policies_find(&p, "carrie", 6), 0);
	assert_int_equal(ab_policies_find(&p, "Carrier", 7), 0);
	assert_int_equal(ab_policies_find(&p, "", 0), 0);
}

static void what_it_names_changes_and_the_rest_follows_the_settings(
		void **state)
{
	struct ab_policies p = {.count = 0};
	struct ab_settings set, room;
	const struct ab_settings *with;

	(void)state;
	ab_settings_preset(&set);
	add(&p, " all :threshold = 1,max_users=2 , net_threshold=3,"
			"long_threshold=4,ban_time=5,ban_time_max=6");
	add(&p, "one: max_users=80");
	with = ab_policies_settings(&p, 1, &set, &room);
	assert_ptr_equal(with, &room);
	assert_int_equal(room.threshold, 1);
	assert_int_equal(room.max_users, 2);
	assert_int_equal(room.net_threshold, 3);
	assert_int_equal(room.long_threshold, 4);
	assert_int_equal(room.ban_time, 5);
	assert_int_equal(room.ban_time_max, 6);
	assert_int_equal(room.window, set.window);
	set.threshold = 77; /* while running */
	with = ab_policies_settings(&p, 2, &set, &room);
	assert_int_equal(with->threshold, 77);
	assert_int_equal(with->max_users, 80);
	assert_null(ab_settings_check(with));
}

static void no_policy_are_the_settings_themselves(void **state)
{
	struct ab_policies p = {.count = 0};
	struct ab_settings set, room;

	(void)state;
	ab_settings_preset(&set);
	add(&p, "one: max_users=80");
	assert_ptr_equal(ab_policies_settings(NULL, 1, &set, &room), &set);
	assert_ptr_equal(ab_policies_settings(&p, 0, &set, &room), &set);
	/* of another proxy, which has more of them */
	assert_ptr_equal(ab_policies_settings(&p, 2, &set, &room), &set);
	assert_ptr_equal(ab_policies_settings(&p, 7, &set, &room), &set);
}

static void the_first_ban_is_never_longer_than_the_longest(void **state)
{
	struct ab_policies p = {.count = 0};
	struct ab_settings set, room;

	(void)state;
	ab_settings_preset(&set);
	add(&p, "short: ban_time_max=60");
	add(&p, "long: ban_time=604800");
	assert_int_equal(ab_policies_settings(&p, 1, &set, &room)->ban_time, 60);
	assert_int_equal(ab_policies_settings(&p, 2, &set, &room)->ban_time, 86400);
}

/* Texts of the parser's own words in any order: what is taken is in range. */
static void nothing_out_of_range_gets_in(void **state)
{
	static const char *const words[] = {"threshold", "max_users", "ban_time",
			"ban_time_max", "net_threshold", "long_threshold", "=", "=", ",",
			":", " ", "\t", "5", "0", "99999", "999999999", "9999999999", "x",
			"carrier", "-", "\xff", "%s%n", "\n"};
	struct rng r = rng_of(99);
	struct ab_settings set;
	uint32_t taken = 0;

	(void)state;
	ab_settings_preset(&set);
	for(unit_at.step = 0; unit_at.step < 200000; unit_at.step++) {
		struct ab_policies p = {.count = 0};
		struct ab_settings room;
		char text[256] = "carrier:";
		uint32_t n = rng_below(&r, 10);

		if(rng_below(&r, 8) == 0)
			text[0] = '\0';
		while(n-- > 0) /* a value behind most names */
			strcat(text, words[rng_below(&r, COUNT_OF(words))]);
		if(rng_below(&r, 2))
			strcat(text, "threshold=7");
		if(add(&p, text).wrong != AB_POLICIES_OK) {
			assert_int_equal(p.count, 0);
			continue;
		}
		taken++;
		expect(ab_settings_check(ab_policies_settings(&p, 1, &set, &room))
						== NULL,
				"%s", text);
	}
	print_message("policies: texts=200000 taken=%u\n", taken);
	assert_true(taken > 1000);
}

static void a_file_is_read_again(void **state)
{
	struct ab_policies p = {.count = 0};
	struct ab_settings set, room;

	(void)state;
	ab_settings_preset(&set);
	add(&p, "fixed: threshold=3");
	ab_policies_begin(&p);
	assert_int_equal(add(&p, "one: threshold=4").wrong, AB_POLICIES_OK);
	assert_int_equal(add(&p, "two: threshold=5").wrong, AB_POLICIES_OK);
	assert_int_equal(add(&p, "two: threshold=6").wrong, AB_POLICIES_NAME);
	assert_int_equal(add(&p, "fixed: threshold=6").wrong, AB_POLICIES_NAME);
	assert_int_equal(ab_policies_end(&p), 2);

	ab_policies_begin(&p);
	assert_int_equal(add(&p, "two: ban_time=7").wrong, AB_POLICIES_OK);
	assert_int_equal(add(&p, "three: threshold=8").wrong, AB_POLICIES_OK);
	assert_int_equal(ab_policies_end(&p), 2);
	assert_int_equal(ab_policies_find(&p, "fixed", 5), 1);
	assert_int_equal(ab_policies_find(&p, "one", 3), 0);
	assert_int_equal(ab_policies_find(&p, "two", 3), 3);
	assert_int_equal(ab_policies_find(&p, "three", 5), 4);
	assert_string_equal(ab_policies_name(&p, 2), "");
	assert_string_equal(ab_policies_name(&p, 3), "two");
	assert_string_equal(ab_policies_name(&p, 0), "");
	assert_string_equal(ab_policies_name(&p, 5), "");
	/* all of what it had is replaced; what is gone follows the settings */
	ab_policies_settings(&p, 3, &set, &room);
	assert_int_equal(room.threshold, set.threshold);
	assert_int_equal(room.ban_time, 7);
	assert_int_equal(
			ab_policies_settings(&p, 2, &set, &room)->threshold, set.threshold);
	assert_int_equal(ab_policies_settings(&p, 1, &set, &room)->threshold, 3);

	/* one comes back to its number */
	ab_policies_begin(&p);
	assert_int_equal(add(&p, "one: threshold=9").wrong, AB_POLICIES_OK);
	assert_int_equal(ab_policies_end(&p), 1);
	assert_int_equal(ab_policies_find(&p, "one", 3), 2);
	assert_int_equal(ab_policies_settings(&p, 2, &set, &room)->threshold, 9);
	assert_int_equal(ab_policies_find(&p, "two", 3), 0);
}

static void a_wrong_line_changes_nothing(void **state)
{
	static const char *const texts[] = {"one: threshold=0", "one: treshold=5",
			"one: threshold=5 x", "one: threshold=5,", "one threshold=5",
			"one"};
	struct ab_policies p = {.count = 0};
	struct ab_settings set, room;
	size_t i;

	(void)state;
	ab_settings_preset(&set);
	ab_policies_begin(&p);
	add(&p, "one: threshold=4");
	assert_int_equal(ab_policies_end(&p), 1);
	for(i = 0; i < COUNT_OF(texts); i++) {
		ab_policies_begin(&p);
		assert_true(add(&p, texts[i]).wrong != AB_POLICIES_OK);
		assert_int_equal(ab_policies_end(&p), 1);
		assert_int_equal(ab_policies_find(&p, "one", 3), 1);
		assert_int_equal(
				ab_policies_settings(&p, 1, &set, &room)->threshold, 4);
	}
	/* but it brings nobody back */
	ab_policies_begin(&p);
	assert_int_equal(ab_policies_end(&p), 0);
	ab_policies_begin(&p);
	add(&p, "one: threshold=0");
	assert_int_equal(ab_policies_end(&p), 0);
	assert_int_equal(ab_policies_find(&p, "one", 3), 0);
}

static void a_place_is_taken_until_the_restart(void **state)
{
	struct ab_policies p = {.count = 0};
	char text[] = "p0: threshold=5";

	(void)state;
	for(text[1] = '1'; text[1] <= '7'; text[1]++) {
		ab_policies_begin(&p);
		assert_int_equal(add(&p, text).wrong, AB_POLICIES_OK);
		assert_int_equal(ab_policies_end(&p), 1);
	}
	ab_policies_begin(&p);
	assert_int_equal(add(&p, text).wrong, AB_POLICIES_FULL);
	assert_int_equal(add(&p, "p3: threshold=5").wrong, AB_POLICIES_OK);
	assert_int_equal(ab_policies_end(&p), 1);
	assert_int_equal(ab_policies_find(&p, "p3", 2), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(each_wrong_text_is_refused_at_its_place),
			cmocka_unit_test(the_eighth_is_one_too_many),
			cmocka_unit_test(names_are_found_as_a_whole),
			cmocka_unit_test(
					what_it_names_changes_and_the_rest_follows_the_settings),
			cmocka_unit_test(no_policy_are_the_settings_themselves),
			cmocka_unit_test(the_first_ban_is_never_longer_than_the_longest),
			cmocka_unit_test(nothing_out_of_range_gets_in),
			cmocka_unit_test(a_file_is_read_again),
			cmocka_unit_test(a_wrong_line_changes_nothing),
			cmocka_unit_test(a_place_is_taken_until_the_restart),
	};

	return cmocka_run_group_tests_name("policies", tests, NULL, NULL);
}
