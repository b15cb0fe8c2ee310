/*
 * authban: what the unit tests share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "unit.h"

#include "ab_siphash.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARD 0xa5

struct unit_at unit_at;

static bool wanted(const char *name)
{
	const char *text = getenv(name);

	return text && strcmp(text, "1") == 0;
}

uint64_t unit_many(uint64_t usual)
{
	if(wanted("AUTHBAN_LONG"))
		return usual * 10;
	return wanted("AUTHBAN_SHORT") ? usual / 10 : usual;
}

struct rng rng_of(uint64_t seed)
{
	struct rng r = {seed, seed};

	unit_at.seed = seed;
	unit_at.step = 0;
	return r;
}

uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)(rng_next(r) >> 32) % n;
}

void box_open(struct box *b, uint32_t entries)
{
	static const uint8_t key[16] = {7, 3, 9, 1, 4, 4, 8, 2};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t whole;

	memset(b, 0, sizeof(*b));
	b->bytes = ab_table_bytes(entries);
	whole = (b->bytes + 64 + page - 1) / page * page;
	b->map_len = whole + page;
	b->map = mmap(NULL, b->map_len, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(b->map != MAP_FAILED);
	/* the block ends where the forbidden page begins */
	b->guard = whole - b->bytes;
	assert_int_equal(mprotect(b->map + whole, page, PROT_NONE), 0);
	memset(b->map, GUARD, whole);
	ab_table_init(
			&b->table, b->map + b->guard, entries, key, (uint32_t)getpid());
	ab_settings_preset(&b->set);
	/* these tests are about the short window */
	b->set.long_window = 60;
	b->set.long_threshold = 200;
	b->now.mono = BOX_MONO;
	b->now.cluster_ms = (uint64_t)BOX_CLUSTER_S * 1000;
	b->node = 1;
	b->origin = 0;
}

void box_check_guards(const struct box *b)
{
	size_t i;

	for(i = 0; i < b->guard; i++)
		expect(b->map[i] == GUARD, "%zu bytes before the block", b->guard - i);
}

void box_close(struct box *b)
{
	box_check_guards(b);
	munmap(b->map, b->map_len);
}

void box_pass(struct box *b, uint32_t seconds)
{
	b->now.mono += seconds;
	b->now.cluster_ms += (uint64_t)seconds * 1000;
}

struct ab_judge box_judge(const struct box *b)
{
	struct ab_judge j = {&b->table, &b->set, b->now, b->node, b->origin};

	return j;
}

struct ab_key key_v4(uint32_t n)
{
	uint8_t v4[4] = {(uint8_t)(10 + (n >> 24)), (uint8_t)(n >> 16),
			(uint8_t)(n >> 8), (uint8_t)n};
	struct ab_prefix p = {.len = 128};

	ab_addr_from_v4(&p.addr, v4);
	return ab_key_source(&p);
}

struct ab_prefix prefix_of(const char *text)
{
	struct ab_prefix p = {.len = 0};

	expect(ab_prefix_parse(&p, text, strlen(text), NULL) == 0, "%s", text);
	return p;
}

struct ab_key key_of(const char *text)
{
	struct ab_prefix p = prefix_of(text);

	return ab_key_source(&p);
}

struct ab_judgement box_fail_as(
		struct box *b, const struct ab_key *key, uint64_t user, uint32_t weight)
{
	struct ab_judge j = box_judge(b);
	struct ab_blow blow = {.thing = user,
			.weight = weight,
			.slow = weight,
			.proof = AB_PROOF_TOKEN};
	struct ab_judgement out;

	ab_judge_failure(&j, key, &blow, &out);
	return out;
}

struct ab_judgement box_fail(struct box *b, const struct ab_key *key)
{
	return box_fail_as(b, key, 0, 1);
}

struct ab_judgement box_ban(
		struct box *b, const struct ab_key *key, uint32_t seconds)
{
	struct ab_judge j = box_judge(b);
	struct ab_judgement out;

	ab_judge_ban(&j, key, seconds, AB_REASON_OPERATOR, &out);
	return out;
}

struct ab_judgement box_unban(struct box *b, const struct ab_key *key)
{
	struct ab_judge j = box_judge(b);
	struct ab_judgement out;

	ab_judge_unban(&j, key, AB_REASON_OPERATOR, &out);
	return out;
}

enum ab_state box_check(const struct box *b, const struct ab_key *key)
{
	struct ab_prefix p = {key->addr, key->plen};

	return ab_table_check(&b->table, &key->addr, &p, b->now.mono).state;
}

struct ab_view box_view(const struct box *b, const struct ab_key *key)
{
	struct ab_view v;

	memset(&v, 0, sizeof(v));
	ab_table_get(&b->table, key, &b->set, &b->now, &v);
	return v;
}

uint32_t box_walk(const struct box *b)
{
	struct ab_view out[64];
	struct ab_cursor at = {0};
	uint32_t n = 0;
	size_t got;

	while((got = ab_table_walk(&b->table, &at, &b->set, &b->now, out, 64)) > 0)
		n += (uint32_t)got;
	return n;
}

static void sign(const void *key, const void *data, size_t len,
		uint8_t out[static AB_MAC_LEN])
{
	uint8_t k[16];
	unsigned i, n;

	memcpy(k, key, sizeof(k));
	for(i = 0; i < 4; i++, k[0]++) {
		uint64_t h = ab_siphash13(k, data, len);

		for(n = 0; n < 8; n++)
			out[8 * i + n] = (uint8_t)(h >> (8 * n));
	}
}

struct ab_mac test_mac(const uint8_t key[static 16])
{
	struct ab_mac mac = {sign, key};

	return mac;
}
