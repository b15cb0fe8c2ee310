/*
 * authban: unit tests of what records of each kind may name
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_wire.h"
#include "unit.h"

static struct ab_wire_state state_of(const char *what)
{
	struct ab_wire_state s = {.key = key_of(what),
			.state = AB_STATE_BANNED,
			.proof = AB_PROOF_TOKEN,
			.repeats = 1,
			.version = (uint64_t)BOX_CLUSTER_S * 1000 << 16 | 1,
			.begin = (uint64_t)BOX_CLUSTER_S * 1000,
			.end = (uint64_t)BOX_CLUSTER_S * 1000 + 60000};

	return s;
}

static void each_kind_has_its_widths_and_its_user(void **state)
{
	static const struct
	{
		const char *what;
		uint8_t kind;
		uint64_t user;
		bool right;
	} row[] = {{"192.0.2.1", AB_KIND_PAIR, 7, true},
			{"192.0.2.0/24", AB_KIND_PAIR, 7, true}, /* ipv4_prefix 24 */
			{"2001:db8::/64", AB_KIND_PAIR, 7, true},
			{"192.0.2.1", AB_KIND_PAIR, 0, false},
			{"10.0.0.0/8", AB_KIND_PAIR, 7, false},
			{"2001::/16", AB_KIND_PAIR, 7, false},
			{"192.0.2.1", AB_KIND_SOURCE, 7, false},
			{"192.0.2.0/24", AB_KIND_NETWORK, 0, true},
			{"2001:db8:1::/48", AB_KIND_NETWORK, 0, true},
			{"192.0.2.0/24", AB_KIND_NETWORK, 7, false},
			{"192.0.2.1", AB_KIND_NETWORK, 0, false},
			{"192.0.2.0/25", AB_KIND_NETWORK, 0, false},
			{"192.0.0.0/16", AB_KIND_NETWORK, 0, false},
			{"0.0.0.0/0", AB_KIND_NETWORK, 0, false},
			{"2001:db8:1:2::/64", AB_KIND_NETWORK, 0, false},
			{"2001:db8::/47", AB_KIND_NETWORK, 0, false},
			{"::/0", AB_KIND_NETWORK, 0, false},
			{"1234:5678:9abc:def0::/64", AB_KIND_USER, 0, true},
			{"1234:5678:9abc:def0::/64", AB_KIND_USER, 7, false},
			{"::/64", AB_KIND_USER, 0, false}, /* nobody */
			{"1234::/63", AB_KIND_USER, 0, false},
			{"1234::1", AB_KIND_USER, 0, false},
			{"::/0", AB_KIND_USER, 0, false}};
	struct ab_wire w = {.prefix = "authban", .node = {1}, .boot = {2}};
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(row); i++) {
		struct ab_wire_state s = state_of(row[i].what), out;
		uint8_t bytes[AB_WIRE_STATE_MAX];
		size_t len;

		s.key.kind = row[i].kind;
		s.key.user = row[i].user;
		len = ab_wire_state_write(&w, &s, bytes);
		expect(ab_wire_state_read(&w, bytes, len, &out)
						== (row[i].right ? AB_WIRE_OK : AB_WIRE_RANGE),
				"%s, kind %d, user %d", row[i].what, row[i].kind,
				(int)row[i].user);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(each_kind_has_its_widths_and_its_user),
	};

	return cmocka_run_group_tests_name("wire_kinds", tests, NULL, NULL);
}
