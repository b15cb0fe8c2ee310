/*
 * authban: unit tests of the bytes that outlive a restart
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "unit.h"

#include "ab_snapshot.h"

#include <string.h>

#define BYTES (4u << 20)

static const uint8_t key_a[16] = "key a", key_b[16] = "key b";
static const struct ab_wire unsigned_wire;
static uint64_t wall_ms = UINT64_C(1800000001123);

/* Bytes before the frame that follows the head. */
#define HEAD_END (16u + 5u + 77u + AB_MAC_LEN)

/* A file in memory, and what a reader was told of it. */
static struct file
{
	uint8_t bytes[BYTES];
	size_t len, at;
	size_t room; /* more is a full disk */
	uint32_t heads, facts, states, frames, frames_max;
	struct ab_snapshot_head head;
	struct ab_fact fact[1024]; /* the first ones */
	uint8_t state[1024][AB_WIRE_STATE_MAX];
	size_t state_len[1024];
} file;

static bool put(void *arg, const uint8_t *bytes, size_t len)
{
	struct file *f = arg;

	if(len > f->room - f->len)
		return false;
	memcpy(f->bytes + f->len, bytes, len);
	f->len += len;
	return true;
}

static bool get(void *arg, uint8_t *out, size_t n)
{
	struct file *f = arg;

	if(n > f->len - f->at)
		return false;
	memcpy(out, f->bytes + f->at, n);
	f->at += n;
	return true;
}

static void on_head(void *arg, const struct ab_snapshot_head *head)
{
	struct file *f = arg;

	f->heads++;
	f->head = *head;
}

static void on_fact(void *arg, const struct ab_fact *fact)
{
	struct file *f = arg;

	if(f->facts < COUNT_OF(f->fact))
		f->fact[f->facts] = *fact;
	f->facts++;
}

static void on_state(void *arg, const uint8_t *record, size_t len)
{
	struct file *f = arg;

	assert_true(len <= AB_WIRE_STATE_MAX);
	if(f->states < COUNT_OF(f->state)) {
		memcpy(f->state[f->states], record, len);
		f->state_len[f->states] = len;
	}
	f->states++;
}

static bool go_on(void *arg)
{
	struct file *f = arg;

	return f->frames++ < f->frames_max;
}

static struct ab_snapshot_mac mac_of(const uint8_t *key, bool keyed)
{
	struct ab_snapshot_mac m = {test_mac(key), keyed};

	return m;
}

static struct ab_snapshot_head head_of(void)
{
	struct ab_snapshot_head h = {.at = {.cluster_ms = UINT64_C(1800000000123),
										 .wall_ms = wall_ms,
										 .mono_ms = 77000,
										 .boot = {1, 2, 3}},
			.cluster_clock = true,
			.good_key = {4, 5},
			.user_key = {6, 7},
			.lines = 8192};

	return h;
}

static struct ab_fact fact_of(uint32_t n)
{
	struct ab_fact f = {
			UINT64_C(0xff00000001) * (n % 200 + 1) & 0xffffffffff, n, n * 3};

	return f;
}

static size_t record_of(uint32_t n, uint8_t out[static AB_WIRE_STATE_MAX])
{
	struct ab_wire_state s = {.key = key_v4(n),
			.state = AB_STATE_BANNED,
			.proof = AB_PROOF_TOKEN,
			.repeats = 1,
			.version = (uint64_t)(n + 1) << 16 | 1,
			.begin = 5,
			.end = 1000 + n};

	memset(s.reason, 'r', n % (AB_NAME_LEN + 1));
	return ab_wire_state_write(&unsigned_wire, &s, out);
}

/* A file of so many facts and states; whether it was written to its end. */
static bool write_file(
		const struct ab_snapshot_mac *mac, uint32_t facts, uint32_t states)
{
	static struct ab_snapshot_writer w;
	struct ab_snapshot_head head = head_of();
	uint8_t record[AB_WIRE_STATE_MAX];
	uint32_t i;

	memset(&w, 0xee, sizeof(w));
	w.mac = *mac;
	w.put = put;
	w.arg = &file;
	ab_snapshot_begin(&w, &head);
	for(i = 0; i < facts; i++) {
		struct ab_fact f = fact_of(i);

		ab_snapshot_put_fact(&w, &f);
	}
	for(i = 0; i < states; i++)
		ab_snapshot_put_state(&w, record, record_of(i, record));
	return ab_snapshot_end(&w);
}

static enum ab_snapshot_result read_file(const struct ab_snapshot_mac *mac)
{
	static struct ab_snapshot_reader r;

	memset(&r, 0xee, sizeof(r));
	r.mac = *mac;
	r.get = get;
	r.head = on_head;
	r.fact = on_fact;
	r.state = on_state;
	r.go_on = go_on;
	r.arg = &file;
	file.at = file.heads = file.facts = file.states = file.frames = 0;
	return ab_snapshot_read(&r);
}

static int setup(void **state)
{
	(void)state;
	file.len = 0;
	file.room = sizeof(file.bytes);
	file.frames_max = UINT32_MAX;
	return 0;
}

static void it_comes_back_as_it_went(void **state)
{
	static const uint32_t sizes[][2] = {{0, 0}, {1, 0}, {0, 1}, {3, 300},
			{1000, 999}, {2730, 0}, {2731, 1}, {20000, 20000}};
	struct ab_snapshot_mac mac = mac_of(key_a, true);
	struct ab_snapshot_head want = head_of();
	uint8_t record[AB_WIRE_STATE_MAX];
	uint32_t i, k;

	for(k = 0; k < COUNT_OF(sizes); k++) {
		setup(state);
		mac.keyed = k % 2;
		assert_true(write_file(&mac, sizes[k][0], sizes[k][1]));
		assert_int_equal(read_file(&mac), AB_SNAPSHOT_OK);
		assert_int_equal(file.at, file.len);
		assert_int_equal(file.heads, 1);
		assert_int_equal(file.facts, sizes[k][0]);
		assert_int_equal(file.states, sizes[k][1]);
		assert_true(file.head.at.cluster_ms == want.at.cluster_ms
					&& file.head.at.wall_ms == want.at.wall_ms
					&& file.head.at.mono_ms == want.at.mono_ms);
		assert_memory_equal(file.head.at.boot, want.at.boot, 16);
		assert_memory_equal(file.head.good_key, want.good_key, 16);
		assert_memory_equal(file.head.user_key, want.user_key, 16);
		assert_int_equal(file.head.lines, want.lines);
		assert_true(file.head.cluster_clock);
		for(i = 0; i < sizes[k][0] && i < COUNT_OF(file.fact); i++) {
			struct ab_fact f = fact_of(i);

			assert_true(file.fact[i].name == f.name
						&& file.fact[i].line == f.line
						&& file.fact[i].age == f.age);
		}
		for(i = 0; i < sizes[k][1] && i < COUNT_OF(file.state); i++) {
			assert_int_equal(file.state_len[i], record_of(i, record));
			assert_memory_equal(file.state[i], record, file.state_len[i]);
		}
	}
}

static void every_changed_bit_is_refused(void **state)
{
	struct ab_snapshot_mac mac = mac_of(key_a, true);
	size_t bit;

	(void)state;
	assert_true(write_file(&mac, 20, 20));
	for(bit = 0; bit < 8 * file.len; bit++) {
		file.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		expect(read_file(&mac) != AB_SNAPSHOT_OK, "bit %zu", bit);
		file.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	assert_int_equal(read_file(&mac), AB_SNAPSHOT_OK);
}

/* Cut off anywhere, also between frames, and with something behind the end. */
static void every_other_length_is_refused(void **state)
{
	struct ab_snapshot_mac mac = mac_of(key_a, false);
	size_t whole, len;

	(void)state;
	assert_true(write_file(&mac, 50, 400));
	whole = file.len;
	for(len = 0; len < whole; len++) {
		file.len = len;
		expect(read_file(&mac) == AB_SNAPSHOT_SHORT, "%zu of %zu bytes", len,
				whole);
	}
	file.bytes[whole] = 0;
	file.len = whole + 1;
	assert_int_equal(read_file(&mac), AB_SNAPSHOT_CONTENT);
}

static void every_zeroed_block_is_refused(void **state)
{
	struct ab_snapshot_mac mac = mac_of(key_a, false);
	static uint8_t keep[4096];
	size_t at;

	(void)state;
	assert_true(write_file(&mac, 5000, 5000));
	for(at = 0; at + sizeof(keep) <= file.len; at += sizeof(keep)) {
		memcpy(keep, file.bytes + at, sizeof(keep));
		memset(file.bytes + at, 0, sizeof(keep));
		expect(read_file(&mac) != AB_SNAPSHOT_OK, "block at %zu", at);
		memcpy(file.bytes + at, keep, sizeof(keep));
	}
	assert_int_equal(read_file(&mac), AB_SNAPSHOT_OK);
}

static void what_is_told_of_a_torn_file_is_true(void **state)
{
	struct ab_snapshot_mac mac = mac_of(key_a, true);

	(void)state;
	assert_true(write_file(&mac, 5000, 5000));
	file.bytes[file.len - 100] ^= 1;
	assert_int_equal(read_file(&mac), AB_SNAPSHOT_MAC);
	assert_int_equal(file.facts, 5000);
	assert_in_range(file.states, 1, 4999);
}

/* A frame of an older file with the same key, left out, or in another's place. */
static void a_frame_does_not_fit_elsewhere(void **state)
{
	struct ab_snapshot_mac mac = mac_of(key_a, true);
	const size_t frame = 5 + AB_SNAPSHOT_FACT * 2730 + AB_MAC_LEN;
	static uint8_t whole[BYTES];
	size_t len;

	(void)state;
	wall_ms++;
	assert_true(write_file(&mac, 3 * 2730, 10));
	len = file.len;
	memcpy(whole, file.bytes, len);
	wall_ms--;
	setup(state);
	assert_true(write_file(&mac, 3 * 2730, 10));
	assert_int_equal(file.len, len);
	memcpy(file.bytes + HEAD_END, whole + HEAD_END, len - HEAD_END);
	assert_int_equal(read_file(&mac), AB_SNAPSHOT_MAC);
	memcpy(file.bytes, whole, len);
	assert_int_equal(read_file(&mac), AB_SNAPSHOT_OK);
	memcpy(file.bytes + HEAD_END, whole + HEAD_END + frame, frame);
	memcpy(file.bytes + HEAD_END + frame, whole + HEAD_END, frame);
	assert_int_equal(read_file(&mac), AB_SNAPSHOT_MAC);
	assert_int_equal(file.facts, 0);
	memcpy(file.bytes + HEAD_END, whole + HEAD_END + frame,
			len - HEAD_END - frame);
	file.len -= frame;
	assert_int_equal(read_file(&mac), AB_SNAPSHOT_MAC);
}

static void another_key_is_told_apart(void **state)
{
	struct ab_snapshot_mac keyed = mac_of(key_a, true),
						   other = mac_of(key_b, true),
						   none = mac_of(key_b, false);

	(void)state;
	assert_true(write_file(&keyed, 1, 1));
	assert_int_equal(read_file(&other), AB_SNAPSHOT_MAC);
	assert_int_equal(read_file(&none), AB_SNAPSHOT_KEY);
	setup(state);
	assert_true(write_file(&none, 1, 1));
	assert_int_equal(read_file(&keyed), AB_SNAPSHOT_KEY);
	assert_int_equal(file.heads + file.facts + file.states, 0);
}

static void foreign_and_newer_files_are_told_apart(void **state)
{
	struct ab_snapshot_mac mac = mac_of(key_a, false);
	enum ab_snapshot_result r;

	(void)state;
	assert_true(write_file(&mac, 1, 1));
	file.bytes[8]++;
	assert_int_equal(read_file(&mac), AB_SNAPSHOT_NEWER);
	file.bytes[8] = 0;
	assert_int_equal(read_file(&mac), AB_SNAPSHOT_FOREIGN);
	memcpy(file.bytes, "REDIS0011\xfa\x09redis-ver", 20);
	assert_int_equal(read_file(&mac), AB_SNAPSHOT_FOREIGN);
	for(r = AB_SNAPSHOT_OK; r <= AB_SNAPSHOT_RESULTS; r++)
		assert_true(strlen(ab_snapshot_result_name(r)) > 4);
}

/* A true MAC over content that cannot be: a writer's fault, not a disk's. */
static void content_that_cannot_be_is_refused(void **state)
{
	struct ab_snapshot_mac mac = mac_of(key_a, false);
	static const struct
	{
		size_t at; /* in the frame's buffer */
		uint8_t to;
	} wrong[] = {
			{37 + 40, 2},		/* a flag of the head that nobody knows */
			{37 + 76, 3},		/* a number of lines that is no power of two */
			{36, 76}, {36, 78}, /* another length */
			{32, 0}, {32, 2}, {32, 3}, {32, 4}, {32, 5}, {32, 255}, /* type */
	};
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(wrong); i++) {
		uint8_t frame[AB_MAC_LEN + 5 + 78] = {0};
		size_t len;

		setup(state);
		assert_true(write_file(&mac, 0, 0));
		memcpy(frame, file.bytes, 16);
		memcpy(frame + 32, file.bytes + 16, 5 + 77);
		frame[wrong[i].at] = wrong[i].to;
		len = 32u + 5u + frame[36];
		mac.mac.sign(mac.mac.key, frame, len, file.bytes + 16 + len - 32);
		memcpy(file.bytes + 16, frame + 32, len - 32);
		expect(read_file(&mac) == AB_SNAPSHOT_CONTENT, "case %zu", i);
		assert_int_equal(file.heads, 0);
	}
}

static void a_full_disk_is_told(void **state)
{
	struct ab_snapshot_mac mac = mac_of(key_a, false);
	size_t whole;

	(void)state;
	assert_true(write_file(&mac, 4000, 100));
	whole = file.len;
	for(file.room = 0; file.room < whole; file.room += 997) {
		file.len = 0;
		assert_false(write_file(&mac, 4000, 100));
		assert_true(file.len <= file.room);
		assert_int_equal(read_file(&mac), AB_SNAPSHOT_SHORT);
	}
}

static void a_reader_may_stop(void **state)
{
	struct ab_snapshot_mac mac = mac_of(key_a, false);

	(void)state;
	assert_true(write_file(&mac, 20000, 1));
	file.frames_max = 3;
	assert_int_equal(read_file(&mac), AB_SNAPSHOT_STOPPED);
	assert_true(file.facts > 0 && file.facts < 20000);
}

static void random_damage_never_passes(void **state)
{
	struct ab_snapshot_mac mac = mac_of(key_a, false);
	struct rng r = rng_of(17);
	static uint8_t whole[BYTES];
	size_t len;
	uint32_t i, k;

	(void)state;
	assert_true(write_file(&mac, 40, 40));
	len = file.len;
	memcpy(whole, file.bytes, len);
	for(i = 0; i < 200000; i++) {
		uint32_t n = 1 + rng_below(&r, 8);

		unit_at.step = i;
		file.len = rng_below(&r, 4) ? len : rng_below(&r, (uint32_t)len + 64);
		memcpy(file.bytes, whole, len);
		for(k = 0; k < n; k++)
			/* the prologue and the first frames' heads more often */
			file.bytes[rng_below(&r, i % 2 ? (uint32_t)len : 200)] =
					(uint8_t)rng_next(&r);
		expect(memcmp(file.bytes, whole, len) == 0
						|| read_file(&mac) != AB_SNAPSHOT_OK,
				" ");
	}
}

/* --- time --- */

static void clocks_that_jump_do_not_matter_within_a_boot(void **state)
{
	struct ab_snapshot_head h = head_of();
	struct ab_snapshot_moment now = h.at;

	(void)state;
	assert_int_equal(ab_snapshot_elapsed(&h, &now), 0);
	now.mono_ms += 5000;
	now.wall_ms += 3600000; /* an hour forth */
	assert_int_equal(ab_snapshot_elapsed(&h, &now), 5000);
	now.wall_ms -= 2 * 3600000;
	assert_int_equal(ab_snapshot_elapsed(&h, &now), 5000);
	/* another boot: the wall clock, but never backwards */
	now.boot[0]++;
	assert_int_equal(ab_snapshot_elapsed(&h, &now), 0);
	now.wall_ms = h.at.wall_ms + 60000;
	assert_int_equal(ab_snapshot_elapsed(&h, &now), 60000);
	now.mono_ms = 3;
	assert_int_equal(ab_snapshot_elapsed(&h, &now), 60000);
	/* a boot that nobody knows is no boot */
	memset(now.boot, 0, sizeof(now.boot));
	memset(h.at.boot, 0, sizeof(h.at.boot));
	now.mono_ms = h.at.mono_ms + 1;
	assert_int_equal(ab_snapshot_elapsed(&h, &now), 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup(it_comes_back_as_it_went, setup),
			cmocka_unit_test_setup(every_changed_bit_is_refused, setup),
			cmocka_unit_test_setup(every_other_length_is_refused, setup),
			cmocka_unit_test_setup(every_zeroed_block_is_refused, setup),
			cmocka_unit_test_setup(what_is_told_of_a_torn_file_is_true, setup),
			cmocka_unit_test_setup(a_frame_does_not_fit_elsewhere, setup),
			cmocka_unit_test_setup(another_key_is_told_apart, setup),
			cmocka_unit_test_setup(
					foreign_and_newer_files_are_told_apart, setup),
			cmocka_unit_test_setup(content_that_cannot_be_is_refused, setup),
			cmocka_unit_test_setup(a_full_disk_is_told, setup),
			cmocka_unit_test_setup(a_reader_may_stop, setup),
			cmocka_unit_test_setup(random_damage_never_passes, setup),
			cmocka_unit_test(clocks_that_jump_do_not_matter_within_a_boot),
	};

	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
