/*
 * authban: unit tests of the list of proxies, and of those that are forgotten
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_nodes.h"
#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWNER 1
#define NOW (BOX_CLUSTER_S * UINT64_C(1000))

static const uint8_t key_a[16] = "key a", key_b[16] = "key b";

static struct ab_wire wire_of(const uint8_t *key)
{
	struct ab_wire w = {.prefix = "authban"};

	if(key)
		w.mac = test_mac(key);
	return w;
}

static struct ab_node node_of(const char *name, uint8_t boot, uint64_t start)
{
	struct ab_node n = {.wire = AB_WIRE_VERSION,
			.boot = {boot},
			.start = start,
			.seen = start + 1000};

	strcpy(n.name, name);
	strcpy(n.module, "1.2.3");
	ab_node_id(name, n.id);
	return n;
}

static struct ab_forgotten forgotten_of(
		const char *name, uint64_t at, uint64_t back, uint8_t boot)
{
	struct ab_forgotten f = {
			.at = at, .back = back, .boot = {boot}, .started = back};

	strcpy(f.name, name);
	strcpy(f.by, "somebody");
	ab_node_id(name, f.id);
	return f;
}

static struct ab_nodes *nodes_open(void)
{
	struct ab_nodes *n = calloc(1, sizeof(*n));

	assert_non_null(n);
	return n;
}

/* --- records --- */

static enum ab_wire_result read_node(const struct ab_wire *w,
		const uint8_t *field, const uint8_t *bytes, size_t len,
		struct ab_node *out)
{
	uint8_t *exact = malloc(len ? len : 1);
	enum ab_wire_result r;

	assert_non_null(exact);
	memcpy(exact, bytes, len);
	r = ab_node_read(w, field, 8, exact, len, out);
	free(exact);
	return r;
}

static void an_announcement_comes_back(void **state)
{
	struct ab_wire w = wire_of(key_a), other = wire_of(key_b);
	struct ab_wire none = wire_of(NULL);
	struct ab_node n = node_of("proxy-a", 7, NOW), got;
	uint8_t bytes[AB_NODE_RECORD_MAX + 1], field[8];
	size_t len = ab_node_write(&w, &n, bytes), bit;

	(void)state;
	memcpy(field, n.id, 4);
	memcpy(field + 4, n.boot, 4);
	assert_int_equal(read_node(&w, field, bytes, len, &got), AB_WIRE_OK);
	assert_memory_equal(&got, &n, sizeof(n));
	assert_int_equal(read_node(&other, field, bytes, len, &got), AB_WIRE_MAC);
	assert_int_equal(
			read_node(&none, field, bytes, len, &got), AB_WIRE_UNSIGNED);
	for(bit = 0; bit < 8 * len; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(
				read_node(&w, field, bytes, len, &got), AB_WIRE_OK);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for(bit = 0; bit < len; bit++)
		assert_int_not_equal(
				read_node(&w, field, bytes, bit, &got), AB_WIRE_OK);
	field[0] ^= 1; /* moved to another proxy's field */
	assert_int_equal(read_node(&w, field, bytes, len, &got), AB_WIRE_RANGE);
}

/* A later version has another number and says more. */
static void a_later_version_is_understood_so_far(void **state)
{
	struct ab_wire w = wire_of(key_a);
	struct ab_node n = node_of("proxy-a", 7, NOW), got;
	uint8_t bytes[AB_NODE_RECORD_MAX], field[8];
	size_t len;

	(void)state;
	n.wire = AB_WIRE_VERSION + 1;
	memcpy(field, n.id, 4);
	memcpy(field + 4, n.boot, 4);
	len = ab_node_write(&w, &n, bytes) - AB_WIRE_MAC_LEN;
	memcpy(bytes + len, "more", 4);
	len += 4;
	len += ab_wire_sign(&w, "node", bytes, len, bytes + len);
	assert_int_equal(read_node(&w, field, bytes, len, &got), AB_WIRE_OK);
	assert_int_equal(got.wire, AB_WIRE_VERSION + 1);
	assert_string_equal(got.name, "proxy-a");
}

static void the_second_key_is_believed_and_never_used(void **state)
{
	struct ab_wire old = wire_of(key_a), both = wire_of(key_b), got_w;
	struct ab_node n = node_of("proxy-a", 7, NOW), got;
	uint8_t bytes[AB_NODE_RECORD_MAX], field[8];
	size_t len = ab_node_write(&old, &n, bytes);

	(void)state;
	memcpy(field, n.id, 4);
	memcpy(field + 4, n.boot, 4);
	assert_int_equal(read_node(&both, field, bytes, len, &got), AB_WIRE_MAC);
	both.mac_old = old.mac;
	assert_int_equal(read_node(&both, field, bytes, len, &got), AB_WIRE_OK);
	len = ab_node_write(&both, &n, bytes);
	got_w = wire_of(key_b);
	assert_int_equal(read_node(&got_w, field, bytes, len, &got), AB_WIRE_OK);
	assert_int_equal(read_node(&old, field, bytes, len, &got), AB_WIRE_MAC);
}

static void a_forgetting_comes_back(void **state)
{
	struct ab_wire w = wire_of(key_a);
	struct ab_forgotten f = forgotten_of("proxy-a", NOW, NOW + 5, 7), got;
	uint8_t bytes[AB_NODE_RECORD_MAX];
	size_t len = ab_forget_write(&w, &f, bytes), bit;

	(void)state;
	assert_true(ab_forget_is(bytes, len));
	assert_int_equal(ab_forget_read(&w, bytes, len, &got), AB_WIRE_OK);
	assert_memory_equal(&got, &f, sizeof(f));
	for(bit = 0; bit < 8 * len; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(ab_forget_read(&w, bytes, len, &got), AB_WIRE_OK);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for(bit = 0; bit < len; bit++)
		assert_int_not_equal(ab_forget_read(&w, bytes, bit, &got), AB_WIRE_OK);
	f.back = f.at; /* back before it was gone */
	len = ab_forget_write(&w, &f, bytes);
	assert_int_equal(ab_forget_read(&w, bytes, len, &got), AB_WIRE_RANGE);
}

/* --- who is there --- */

static void starts_that_overlap_are_twins(void **state)
{
	struct ab_nodes *n = nodes_open();
	struct ab_node rows[3] = {node_of("a", 1, NOW), node_of("a", 2, NOW + 2000),
			node_of("b", 3, NOW)};
	struct ab_node got;

	(void)state;
	ab_nodes_replace(n, OWNER, rows, 3, 0);
	assert_true(ab_nodes_get(n, OWNER, 1, &got));
	assert_false(got.twin); /* the first had ended */
	ab_nodes_refused(n, OWNER, rows[2].id, rows[2].boot);
	rows[0].seen = rows[1].start + 1;
	ab_nodes_replace(n, OWNER, rows, 3, 0);
	assert_true(ab_nodes_get(n, OWNER, 0, &got) && got.twin);
	assert_true(ab_nodes_get(n, OWNER, 1, &got) && got.twin);
	assert_true(ab_nodes_get(n, OWNER, 2, &got) && !got.twin);
	assert_int_equal(got.refused, 1);
	assert_false(ab_nodes_get(n, OWNER, 3, &got));
	free(n);
}

/* --- who is not believed --- */

static void records_in_any_order_leave_the_same(void **state)
{
	struct rng r = rng_of(25);
	unsigned i, round;

	(void)state;
	for(round = 0; round < 5000; round++) {
		struct ab_nodes *n[2] = {nodes_open(), nodes_open()};
		struct ab_forgotten f[5], got[2];
		unsigned at;

		unit_at.step = round;
		for(i = 0; i < 5; i++) {
			uint64_t when = NOW + rng_below(&r, 3) * 1000;
			uint64_t back = rng_below(&r, 2) ? when + 1 + rng_below(&r, 50) : 0;

			f[i] = forgotten_of("a", when, back, (uint8_t)(back & 0xff));
		}
		for(i = 0; i < 5; i++)
			ab_nodes_forget(n[0], OWNER, &f[i], NOW);
		for(i = 0, at = rng_below(&r, 5); i < 10; i++, at = (at + 2) % 5)
			ab_nodes_forget(n[1], OWNER, &f[at], NOW);
		assert_true(ab_nodes_forgotten(n[0], OWNER, f[0].id, &got[0]));
		assert_true(ab_nodes_forgotten(n[1], OWNER, f[0].id, &got[1]));
		expect(got[0].at == got[1].at && got[0].back == got[1].back
						&& got[0].started == got[1].started
						&& got[0].boot[0] == got[1].boot[0],
				"orders differ");
		free(n[0]);
		free(n[1]);
	}
	print_message("%u sets of records, each in two orders\n", round);
}

static void a_return_is_believed_from_then_on(void **state)
{
	struct ab_nodes *n = nodes_open();
	struct ab_forgotten f = forgotten_of("a", NOW, 0, 0);
	uint8_t old[4] = {1}, new[4] = {2}, id[4];

	(void)state;
	ab_node_id("a", id);
	assert_true(ab_nodes_believes_state(n, OWNER, "a", NOW << 16));
	assert_true(ab_nodes_forget(n, OWNER, &f, NOW));
	assert_false(ab_nodes_forget(n, OWNER, &f, NOW));
	assert_false(ab_nodes_believes_state(n, OWNER, "a", (NOW + 9) << 16));
	assert_false(ab_nodes_believes_share(n, OWNER, id, old));
	assert_true(ab_nodes_believes_state(n, OWNER, "b", NOW << 16));
	f = forgotten_of("a", NOW, NOW + 1000, 2);
	assert_false(ab_nodes_forget(n, OWNER, &f, NOW));
	assert_false(ab_nodes_believes_state(n, OWNER, "a", (NOW + 999) << 16));
	assert_true(ab_nodes_believes_state(n, OWNER, "a", (NOW + 1000) << 16));
	assert_false(ab_nodes_believes_share(n, OWNER, id, old));
	assert_true(ab_nodes_believes_share(n, OWNER, id, new));
	f = forgotten_of("a", NOW + 2000, 0, 0); /* once more */
	assert_true(ab_nodes_forget(n, OWNER, &f, NOW));
	assert_false(ab_nodes_believes_share(n, OWNER, id, new));
	f = forgotten_of("c", NOW - UINT64_C(1000) * AB_FORGET_MAX_S - 1, 0, 0);
	assert_false(ab_nodes_forget(n, OWNER, &f, NOW)); /* too old to matter */
	free(n);
}

static void a_full_list_loses_who_was_forgotten_first(void **state)
{
	struct ab_nodes *n = nodes_open();
	struct ab_forgotten f;
	char name[8];
	unsigned i;

	(void)state;
	for(i = 0; i <= AB_FORGOTTEN_MAX; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		f = forgotten_of(name, NOW + i, 0, 0);
		assert_true(ab_nodes_forget(n, OWNER, &f, NOW));
	}
	assert_true(ab_nodes_believes_state(n, OWNER, "n0", NOW << 16));
	assert_false(ab_nodes_believes_state(n, OWNER, "n1", NOW << 16));
	assert_false(ab_nodes_believes_state(n, OWNER, "n64", NOW << 16));
	free(n);
}

/* --- in the table --- */

static struct fleet fleet;

static struct ab_nodes *join_fleet(struct fleet *f, unsigned i)
{
	f->p[i].s.nodes = nodes_open();
	memcpy(f->p[i].s.wire.node, (uint8_t[4]){0}, 4);
	ab_node_id((char[2]){"abc"[i], 0}, f->p[i].s.wire.node);
	return f->p[i].s.nodes;
}

static void forget_drops_states_and_counts(void **state)
{
	struct fleet *f = &fleet;
	struct ab_key bad = key_v4(1), good = key_v4(2), both = key_v4(3);
	struct ab_forgotten who;
	struct ab_dropped out;
	unsigned i;

	(void)state;
	fleet_open(f, 256);
	for(i = 0; i < FLEET; i++)
		join_fleet(f, i);
	box_ban(&f->p[0].b, &bad, 600);
	box_ban(&f->p[1].b, &good, 600);
	box_fail_as(&f->p[0].b, &both, 1, 5);
	box_fail_as(&f->p[1].b, &both, 2, 2);
	fleet_settle(f);
	assert_int_equal(box_view(&f->p[1].b, &both).failures, 7);
	fleet_pass(f, 2);
	who = forgotten_of("a", f->p[1].b.now.cluster_ms, 0, 0);
	for(i = 1; i < FLEET; i++) {
		ab_sync_forget(&f->p[i].s, &f->p[i].b.now, &who, &out);
		assert_int_equal(out.bans, 1);
	}
	fleet_settle(f);
	for(i = 1; i < FLEET; i++) {
		assert_int_equal(box_check(&f->p[i].b, &bad), AB_STATE_NONE);
		assert_int_equal(box_check(&f->p[i].b, &good), AB_STATE_BANNED);
		assert_int_equal(box_view(&f->p[i].b, &both).failures, 0);
		assert_int_equal(box_view(&f->p[i].b, &both).users, 0);
	}
	assert_true(f->p[2].s.stats.dropped[AB_WIRE_FORGOTTEN] > 0);
	/* what fails from now on is counted from one */
	box_fail_as(&f->p[1].b, &both, 2, 1);
	box_fail_as(&f->p[2].b, &both, 3, 1);
	box_fail_as(&f->p[0].b, &both, 3, 1);
	fleet_settle(f);
	assert_int_equal(box_view(&f->p[1].b, &both).failures, 2);
	for(i = 0; i < FLEET; i++)
		free(f->p[i].s.nodes);
	fleet_close(f);
}

static void more_changes_than_a_minutes_wait(void **state)
{
	struct fleet *f = &fleet;
	struct ab_key key;
	unsigned i;

	(void)state;
	fleet_open(f, 1024);
	join_fleet(f, 1);
	f->p[1].s.peer_changes = 10;
	for(i = 0; i < 30; i++) {
		key = key_v4(i);
		box_ban(&f->p[0].b, &key, 600);
	}
	assert_true(proxy_push(&f->p[0]));
	proxy_hear(&f->p[1]);
	assert_int_equal(ab_table_banned(&f->p[1].b.table, f->p[1].b.now.mono), 10);
	assert_int_equal(f->p[1].s.stats.dropped[AB_WIRE_TOO_MANY], 20);
	fleet_pass(f, 60);
	f->p[1].heard = 0; /* what it knows is no change */
	proxy_hear(&f->p[1]);
	assert_int_equal(ab_table_banned(&f->p[1].b.table, f->p[1].b.now.mono), 20);
	f->p[1].s.loading = true;
	f->p[1].heard = 0;
	proxy_hear(&f->p[1]);
	assert_int_equal(ab_table_banned(&f->p[1].b.table, f->p[1].b.now.mono), 30);
	free(f->p[1].s.nodes);
	fleet_close(f);
}

static void a_share_is_clipped(void **state)
{
	struct fleet *f = &fleet;
	struct ab_key key = key_v4(1);

	(void)state;
	fleet_open(f, 64);
	f->p[0].b.set.mode = f->p[1].b.set.mode = AB_MODE_DRY_RUN;
	box_fail_as(&f->p[0].b, &key, 1, 60000);
	box_fail_as(&f->p[1].b, &key, 1, 1);
	assert_true(proxy_push(&f->p[0]));
	assert_true(proxy_push(&f->p[1]));
	assert_int_equal(box_view(&f->p[1].b, &key).failures,
			1 + ab_sync_share_max(&f->p[1].s));
	assert_int_equal(ab_sync_share_max(&f->p[1].s),
			(uint32_t)f->p[1].b.set.long_threshold + 64);
	assert_true(f->p[1].s.stats.clipped > 0);
	fleet_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(an_announcement_comes_back),
			cmocka_unit_test(a_later_version_is_understood_so_far),
			cmocka_unit_test(the_second_key_is_believed_and_never_used),
			cmocka_unit_test(a_forgetting_comes_back),
			cmocka_unit_test(starts_that_overlap_are_twins),
			cmocka_unit_test(records_in_any_order_leave_the_same),
			cmocka_unit_test(a_return_is_believed_from_then_on),
			cmocka_unit_test(a_full_list_loses_who_was_forgotten_first),
			cmocka_unit_test(forget_drops_states_and_counts),
			cmocka_unit_test(more_changes_than_a_minutes_wait),
			cmocka_unit_test(a_share_is_clipped)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
