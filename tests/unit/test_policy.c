/*
 * authban: unit tests of the settings and the decision
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_policy.h"
#include "unit.h"

#include <string.h>

/* As interface.md says; a change there is a change here. */
static void presets_are_those_of_the_interface(void **state)
{
	struct ab_settings set;

	(void)state;
	memset(&set, 0xff, sizeof(set));
	ab_settings_preset(&set);
	assert_int_equal(set.mode, AB_MODE_BAN);
	assert_int_equal(set.threshold, 8);
	assert_int_equal(set.window, 600);
	assert_int_equal(set.ban_time, 600);
	assert_int_equal(set.ban_time_max, 86400);
	assert_int_equal(set.memory, 86400);
	assert_int_equal(set.grace, 300);
	assert_int_equal(set.max_users, 5);
	assert_int_equal(set.net_sources, 8);
	assert_int_equal(set.net_threshold, 2);
	assert_int_equal(set.user_sources, 20);
	assert_null(ab_settings_check(&set));
}

static int *field(struct ab_settings *set, const struct ab_setting *row)
{
	return (int *)(void *)((char *)set + row->offset);
}

static void every_field_has_one_row(void **state)
{
	size_t i, k;

	(void)state;
	assert_int_equal(
			ab_settings_count, sizeof(struct ab_settings) / sizeof(int));
	for(i = 0; i < ab_settings_count; i++) {
		const struct ab_setting *row = &ab_settings_table[i];

		assert_ptr_equal(ab_setting_find(row->name), row);
		assert_true(row->min <= row->preset && row->preset <= row->max);
		assert_true(row->min >= 0 && strlen(row->help) > 0);
		assert_int_equal(row->offset % sizeof(int), 0);
		for(k = 0; k < i; k++)
			assert_true(ab_settings_table[k].offset != row->offset);
	}
	assert_null(ab_setting_find("nothing"));
	assert_null(ab_setting_find(""));
}

static void a_value_out_of_its_range_is_named(void **state)
{
	struct ab_settings set;
	size_t i;

	(void)state;
	for(i = 0; i < ab_settings_count; i++) {
		const struct ab_setting *row = &ab_settings_table[i];

		ab_settings_preset(&set);
		set.ban_time_max = 30 * 86400; /* above every ban_time */
		*field(&set, row) = row->max;
		assert_null(ab_settings_check(&set));
		*field(&set, row) = row->max + 1;
		assert_ptr_equal(ab_settings_check(&set), row);
		*field(&set, row) = row->min - 1;
		assert_ptr_equal(ab_settings_check(&set), row);
		if(strcmp(row->name, "ban_time_max") == 0)
			set.ban_time = 1;
		*field(&set, row) = row->min;
		assert_null(ab_settings_check(&set));
	}
}

static void a_first_ban_longer_than_the_longest_is_named(void **state)
{
	struct ab_settings set;

	(void)state;
	ab_settings_preset(&set);
	set.ban_time = set.ban_time_max = 3600;
	assert_null(ab_settings_check(&set));
	set.ban_time++;
	assert_string_equal(ab_settings_check(&set)->name, "ban_time");
}

static void bans_double_to_the_cap_and_lose_a_sixteenth_at_most(void **state)
{
	static const int times[][2] = {{600, 86400}, {1, 1}, {1, 2592000},
			{604800, 2592000}, {15, 20}, {16, 100000}, {7, 7000}};
	struct rng r = rng_of(16);
	struct ab_settings set;
	size_t i;
	unsigned repeats;
	int n;

	(void)state;
	ab_settings_preset(&set);
	for(i = 0; i < COUNT_OF(times); i++) {
		uint64_t full = (uint64_t)times[i][0];

		set.ban_time = times[i][0];
		set.ban_time_max = times[i][1];
		for(repeats = 0; repeats < 256; repeats++) {
			uint64_t max = (uint64_t)set.ban_time_max, least = UINT64_MAX;

			if(full > max)
				full = max;
			assert_int_equal(
					ab_policy_ban_seconds(&set, (uint8_t)repeats, 0), full);
			for(n = 0; n < 200; n++) {
				uint32_t spread = (uint32_t)rng_next(&r);
				uint32_t s =
						ab_policy_ban_seconds(&set, (uint8_t)repeats, spread);

				expect(s >= 1 && s <= full && (uint64_t)s * 16 >= full * 15,
						"%u of %llu s", s, (unsigned long long)full);
				expect(s
								== ab_policy_ban_seconds(
										&set, (uint8_t)repeats, spread),
						" ");
				least = s < least ? s : least;
			}
			/* and it does spread */
			expect(full < 160 || least < full - full / 32, "least %llu of %llu",
					(unsigned long long)least, (unsigned long long)full);
			full *= 2;
		}
	}
}

static void the_threshold_decides(void **state)
{
	static const int limits[] = {1, 2, 8, 10000};
	struct ab_settings set;
	size_t i;

	(void)state;
	ab_settings_preset(&set);
	for(i = 0; i < COUNT_OF(limits); i++) {
		struct ab_counts c = {.kind = AB_KIND_SOURCE,
				.failures = (uint32_t)limits[i] - 1,
				.own = 100000,
				.things = 111,
				.repeats = 1,
				.spread = 5};
		struct ab_decision d;

		set.threshold = limits[i];
		d = ab_policy_decide(&set, &c);
		assert_int_equal(d.verdict, AB_VERDICT_PASS);
		assert_int_equal(d.reason, AB_REASON_NONE);
		c.failures++;
		d = ab_policy_decide(&set, &c);
		assert_int_equal(d.verdict, AB_VERDICT_BAN);
		assert_int_equal(d.reason, AB_REASON_THRESHOLD);
		assert_int_equal(d.seconds, ab_policy_ban_seconds(&set, 1, 5));
		c.failures = UINT32_MAX;
		assert_int_equal(ab_policy_decide(&set, &c).verdict, AB_VERDICT_BAN);
	}
}

static void modes_decide_alike_and_block_differently(void **state)
{
	struct ab_counts c = {
			.kind = AB_KIND_SOURCE, .failures = 8, .repeats = 2, .spread = 77};
	struct ab_settings set;
	struct ab_decision ban, dry;

	(void)state;
	ab_settings_preset(&set);
	ban = ab_policy_decide(&set, &c);
	set.mode = AB_MODE_DRY_RUN;
	dry = ab_policy_decide(&set, &c);
	assert_int_equal(dry.verdict, AB_VERDICT_DRY_RUN);
	assert_int_equal(dry.reason, ban.reason);
	assert_int_equal(dry.seconds, ban.seconds);
	set.mode = AB_MODE_OFF;
	assert_int_equal(ab_policy_decide(&set, &c).verdict, AB_VERDICT_PASS);
	c.failures = UINT32_MAX;
	assert_int_equal(ab_policy_decide(&set, &c).verdict, AB_VERDICT_PASS);
}

/* docs/policy.md, "is banned when", row by row: just below its limit, and at it. */
static void every_row_of_the_table_decides(void **state)
{
	static const struct
	{
		struct ab_counts c;
		enum ab_reason reason;
	} row[] = {
			{{.kind = AB_KIND_SOURCE, .failures = 7, .things = 111},
					AB_REASON_NONE},
			{{.kind = AB_KIND_SOURCE, .failures = 8}, AB_REASON_THRESHOLD},
			{{.kind = AB_KIND_SOURCE, .failures = 8, .net_level = 1},
					AB_REASON_THRESHOLD},
			{{.kind = AB_KIND_SOURCE,
					 .failures = 1,
					 .net_level = 2,
					 .user_level = 2},
					AB_REASON_NONE},
			{{.kind = AB_KIND_SOURCE, .failures = 2, .net_level = 1},
					AB_REASON_NETWORK},
			{{.kind = AB_KIND_SOURCE,
					 .failures = 2,
					 .net_level = 2,
					 .user_level = 1},
					AB_REASON_NETWORK},
			{{.kind = AB_KIND_SOURCE, .failures = 2, .user_level = 1},
					AB_REASON_USER_ATTACK},
			{{.kind = AB_KIND_SOURCE, .failures = 2, .slow = 19},
					AB_REASON_NONE},
			{{.kind = AB_KIND_SOURCE, .failures = 2, .slow = 20},
					AB_REASON_SLOW},
			/* shared: users and strangers alone */
			{{.kind = AB_KIND_SOURCE,
					 .shared = true,
					 .failures = 9999,
					 .slow = 19,
					 .net_level = 2,
					 .user_level = 2,
					 .things = 5},
					AB_REASON_NONE},
			{{.kind = AB_KIND_SOURCE, .shared = true, .slow = 20, .things = 5},
					AB_REASON_STRANGERS},
			{{.kind = AB_KIND_SOURCE, .shared = true, .slow = 20},
					AB_REASON_STRANGERS},
			{{.kind = AB_KIND_SOURCE, .shared = true, .slow = 20, .things = 6},
					AB_REASON_USERS},
			{{.kind = AB_KIND_SOURCE, .shared = true, .things = 6},
					AB_REASON_USERS},
			{{.kind = AB_KIND_PAIR, .failures = 7}, AB_REASON_NONE},
			{{.kind = AB_KIND_PAIR, .failures = 8}, AB_REASON_PAIR},
			{{.kind = AB_KIND_PAIR, .failures = 8, .good = true},
					AB_REASON_PAIR},
			{{.kind = AB_KIND_PAIR, .failures = 1, .user_level = 1},
					AB_REASON_NONE},
			{{.kind = AB_KIND_PAIR, .failures = 2, .user_level = 1},
					AB_REASON_PAIR},
			{{.kind = AB_KIND_PAIR,
					 .failures = 7,
					 .user_level = 2,
					 .good = true},
					AB_REASON_NONE},
			{{.kind = AB_KIND_PAIR, .failures = 1, .repeats = 1},
					AB_REASON_PAIR},
			{{.kind = AB_KIND_PAIR, .failures = 0, .repeats = 1},
					AB_REASON_NONE},
			{{.kind = AB_KIND_PAIR, .failures = 2, .slow = 20}, AB_REASON_SLOW},
			{{.kind = AB_KIND_NETWORK,
					 .failures = 9999,
					 .things = 12,
					 .slow = 255},
					AB_REASON_NONE},
			{{.kind = AB_KIND_NETWORK, .things = 13}, AB_REASON_CAMPAIGN},
			{{.kind = AB_KIND_USER,
					 .failures = 9999,
					 .things = 30,
					 .slow = 255},
					AB_REASON_NONE},
			{{.kind = AB_KIND_USER, .things = 31}, AB_REASON_USER_ATTACK},
			{{.kind = AB_KIND_ALLOW, .failures = 9999, .things = 111},
					AB_REASON_NONE},
			{{.kind = AB_KIND_FREE, .failures = 9999}, AB_REASON_NONE},
	};
	struct ab_settings set;
	size_t i;

	(void)state;
	ab_settings_preset(&set);
	for(i = 0; i < COUNT_OF(row); i++) {
		struct ab_decision d = ab_policy_decide(&set, &row[i].c);

		expect(d.reason == row[i].reason, "row %zu: %s, not %s", i,
				ab_reason_name(d.reason), ab_reason_name(row[i].reason));
		assert_int_equal(d.verdict, d.reason != AB_REASON_NONE);
		assert_int_equal(d.seconds > 0, d.reason != AB_REASON_NONE);
	}
}

static void levels_begin_above_their_limits(void **state)
{
	static const struct
	{
		enum ab_kind kind;
		uint32_t watched, restricted;
	} row[] = {{AB_KIND_NETWORK, 9, 13}, {AB_KIND_USER, 21, 31}};
	struct ab_settings set;
	size_t i;

	(void)state;
	ab_settings_preset(&set);
	for(i = 0; i < 2; i++) {
		struct ab_counts c = {.kind = row[i].kind};

		for(c.things = 0; c.things <= 111; c.things++)
			assert_int_equal(ab_policy_level(&set, &c),
					(c.things >= row[i].watched)
							+ (c.things >= row[i].restricted));
	}
}

static void a_known_good_pair_waits_half_and_never_longer(void **state)
{
	struct ab_counts c = {.kind = AB_KIND_PAIR, .failures = 8, .good = true};
	struct ab_settings set;

	(void)state;
	ab_settings_preset(&set);
	for(c.repeats = 0; c.repeats < 15; c.repeats++)
		assert_int_equal(ab_policy_decide(&set, &c).seconds, 300);
	set.ban_time = 1;
	assert_int_equal(ab_policy_decide(&set, &c).seconds, 1);
}

/* net_threshold above threshold lowers nothing and raises nothing. */
static void net_threshold_never_raises_a_limit(void **state)
{
	struct ab_counts pair = {.kind = AB_KIND_PAIR,
			.failures = 8,
			.user_level = AB_LEVEL_WATCHED};
	struct ab_settings set;

	(void)state;
	ab_settings_preset(&set);
	set.net_threshold = 100;
	assert_int_equal(ab_policy_decide(&set, &pair).reason, AB_REASON_PAIR);
	pair.kind = AB_KIND_SOURCE;
	assert_int_equal(ab_policy_decide(&set, &pair).reason, AB_REASON_THRESHOLD);
}

static void every_reason_of_the_policy_has_its_limit(void **state)
{
	static const struct
	{
		enum ab_kind kind;
		enum ab_reason reason;
		const char *name;
		int value, window;
		const char *unit;
	} row[] = {
			{AB_KIND_SOURCE, AB_REASON_THRESHOLD, "threshold", 8, 600,
					"failures"},
			{AB_KIND_SOURCE, AB_REASON_NETWORK, "net_threshold", 2, 600,
					"failures"},
			{AB_KIND_SOURCE, AB_REASON_USER_ATTACK, "net_threshold", 2, 600,
					"failures"},
			{AB_KIND_SOURCE, AB_REASON_SLOW, "long_threshold", 20, 86400,
					"failures"},
			{AB_KIND_SOURCE, AB_REASON_STRANGERS, "long_threshold", 20, 86400,
					"failures"},
			{AB_KIND_SOURCE, AB_REASON_USERS, "max_users", 5, 600, "users"},
			{AB_KIND_PAIR, AB_REASON_PAIR, "threshold", 8, 600, "failures"},
			{AB_KIND_PAIR, AB_REASON_SLOW, "long_threshold", 20, 86400,
					"failures"},
			{AB_KIND_NETWORK, AB_REASON_CAMPAIGN, "net_sources", 12, 600,
					"sources"},
			{AB_KIND_USER, AB_REASON_USER_ATTACK, "user_sources", 30, 600,
					"sources"},
			{AB_KIND_SOURCE, AB_REASON_NONE, NULL, 0, 0, NULL},
			{AB_KIND_SOURCE, AB_REASON_OPERATOR, NULL, 0, 0, NULL},
			{AB_KIND_SOURCE, AB_REASON_SCRIPT, NULL, 0, 0, NULL},
			{AB_KIND_SOURCE, AB_REASON_COUNT, NULL, 0, 0, NULL},
			{AB_KIND_SOURCE, (enum ab_reason)511, NULL, 0, 0, NULL},
	};
	struct ab_settings set;
	size_t i;

	(void)state;
	ab_settings_preset(&set);
	for(i = 0; i < COUNT_OF(row); i++) {
		struct ab_limit l;

		assert_int_equal(ab_policy_limit(&set, row[i].kind, row[i].reason, &l),
				row[i].name != NULL);
		if(!row[i].name)
			continue;
		assert_string_equal(l.name, row[i].name);
		assert_non_null(ab_setting_find(l.name));
		assert_int_equal(l.value, row[i].value);
		assert_int_equal(l.window, row[i].window);
		assert_string_equal(l.unit, row[i].unit);
	}
	/* who allows much in the short window means more in the long one */
	set.threshold = 50;
	{
		struct ab_limit l;

		ab_policy_limit(&set, AB_KIND_SOURCE, AB_REASON_SLOW, &l);
		assert_int_equal(l.value, 125);
	}
}

/* 20 in 86400 s: one each 4320 s, in whole steps. */
static void the_bucket_leaks_in_whole_steps(void **state)
{
	static const uint32_t row[][3] = {{20, 0, 20}, {20, 4319, 20},
			{20, 4320, 19}, {20, 8639, 19}, {20, 8640, 18}, {20, 86400, 0},
			{1, 4320, 0}, {0, 100000, 0}, {255, 86400, 235},
			{255, UINT32_MAX, 0}};
	struct ab_settings set;
	size_t i;

	(void)state;
	ab_settings_preset(&set);
	for(i = 0; i < COUNT_OF(row); i++)
		assert_int_equal(ab_policy_leak(&set, row[i][0], row[i][1]), row[i][2]);
	/* the extremes of both settings never wrap */
	set.long_window = 60;
	set.long_threshold = 200;
	assert_int_equal(ab_policy_leak(&set, 255, UINT32_MAX), 0);
	assert_int_equal(ab_policy_leak(&set, 255, 60), 55);
}

/* As long as the bucket takes to leak one: 4320 s, and up to a sixteenth more. */
static void slow_bans_last_one_step(void **state)
{
	struct ab_counts c = {.kind = AB_KIND_SOURCE, .slow = 20, .repeats = 9};
	struct ab_settings set;

	(void)state;
	ab_settings_preset(&set);
	for(c.spread = 0; c.spread < 1000; c.spread++)
		assert_in_range(ab_policy_decide(&set, &c).seconds, 4320, 4590);
	c.kind = AB_KIND_PAIR;
	assert_in_range(ab_policy_decide(&set, &c).seconds, 4320, 4590);
	/* a pair's ban grows up to that */
	c.slow = 0;
	c.failures = 8;
	assert_in_range(ab_policy_decide(&set, &c).seconds, 4320, 4590);
	c.repeats = 1;
	assert_in_range(ab_policy_decide(&set, &c).seconds, 1125, 1200);
	/* and no ban is longer than the longest */
	set.ban_time_max = 1000;
	c.repeats = 9;
	assert_in_range(ab_policy_decide(&set, &c).seconds, 937, 1000);
	c.kind = AB_KIND_SOURCE;
	c.failures = 0;
	c.slow = 20;
	assert_int_equal(ab_policy_decide(&set, &c).seconds, 1000);
}

static void reasons_have_names(void **state)
{
	(void)state;
	assert_string_equal(ab_reason_name(AB_REASON_NONE), "none");
	assert_string_equal(ab_reason_name(AB_REASON_THRESHOLD), "threshold");
	assert_string_equal(ab_reason_name(AB_REASON_OPERATOR), "operator");
	assert_string_equal(ab_reason_name(AB_REASON_SCRIPT), "script");
	assert_string_equal(ab_reason_name(AB_REASON_NETWORK), "network");
	assert_string_equal(ab_reason_name(AB_REASON_USER_ATTACK), "user_attack");
	assert_string_equal(ab_reason_name(AB_REASON_SLOW), "slow");
	assert_string_equal(ab_reason_name(AB_REASON_USERS), "users");
	assert_string_equal(ab_reason_name(AB_REASON_PAIR), "pair");
	assert_string_equal(ab_reason_name(AB_REASON_CAMPAIGN), "campaign");
	assert_string_equal(ab_reason_name(AB_REASON_STRANGERS), "strangers");
	assert_string_equal(ab_reason_name(AB_REASON_COUNT), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(presets_are_those_of_the_interface),
			cmocka_unit_test(every_field_has_one_row),
			cmocka_unit_test(a_value_out_of_its_range_is_named),
			cmocka_unit_test(a_first_ban_longer_than_the_longest_is_named),
			cmocka_unit_test(
					bans_double_to_the_cap_and_lose_a_sixteenth_at_most),
			cmocka_unit_test(the_threshold_decides),
			cmocka_unit_test(modes_decide_alike_and_block_differently),
			cmocka_unit_test(every_row_of_the_table_decides),
			cmocka_unit_test(levels_begin_above_their_limits),
			cmocka_unit_test(a_known_good_pair_waits_half_and_never_longer),
			cmocka_unit_test(net_threshold_never_raises_a_limit),
			cmocka_unit_test(every_reason_of_the_policy_has_its_limit),
			cmocka_unit_test(the_bucket_leaks_in_whole_steps),
			cmocka_unit_test(slow_bans_last_one_step),
			cmocka_unit_test(reasons_have_names),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
