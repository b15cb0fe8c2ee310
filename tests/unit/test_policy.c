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

static void reasons_have_names(void **state)
{
	(void)state;
	assert_string_equal(ab_reason_name(AB_REASON_NONE), "none");
	assert_string_equal(ab_reason_name(AB_REASON_THRESHOLD), "threshold");
	assert_string_equal(ab_reason_name(AB_REASON_OPERATOR), "operator");
	assert_string_equal(ab_reason_name(AB_REASON_SCRIPT), "script");
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
			cmocka_unit_test(reasons_have_names),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
