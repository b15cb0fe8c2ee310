/*
 * authban: an arena of evidence for unit tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint8_t key[16] = "a key of a test";
static const uint8_t user_key[16] = "one of a period";
static const char request[] =
		"REGISTER sip:sip.test SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 192.0.2.1:5060\r\n"
		"user-AGENT :  " AGENT "\r\n"
		"Authorization: Digest username=\"alice\", nonce=\"the-nonce\", "
		"response=\"the-response\"\r\n"
		"\r\nUser-Agent: body\r\n";

struct ab_evidence ledger;
static void *memory;
static size_t memory_bytes;

void ledger_open(uint32_t offenders)
{
	memory_bytes = ab_evidence_bytes(offenders);
	memory = aligned_alloc(64, (memory_bytes + 63) / 64 * 64);
	assert_non_null(memory);
	ab_evidence_init(memory, offenders, key);
	ledger = (struct ab_evidence){memory, (uint32_t)getpid(), TTL};
}

void ledger_close(void)
{
	free(memory);
}

int ledger_setup(void **state)
{
	(void)state;
	ledger_open(64);
	return 0;
}

int ledger_teardown(void **state)
{
	(void)state;
	ledger_close();
	return 0;
}

struct ab_evidence_event ledger_event(const char *source, uint32_t seconds)
{
	struct ab_evidence_event ev = {.source = prefix_of(source),
			.address = prefix_of(source).addr,
			.local = prefix_of("198.51.100.1").addr,
			.port = 40000,
			.local_port = 5060,
			.origin = 3,
			.transport = AB_TRANSPORT_UDP,
			.proof = AB_PROOF_TOKEN,
			.guess = AB_GUESS_PASSWORD,
			.method = AB_METHOD_REGISTER,
			.weight = 1,
			.user = 77,
			.user_key = user_key,
			.message = {request, sizeof(request) - 1},
			.wall_ms = WALL + (uint64_t)seconds * 1000,
			.mono = MONO + seconds};

	return ev;
}

bool ledger_fail(const char *source, uint32_t seconds)
{
	struct ab_evidence_event ev = ledger_event(source, seconds);

	return ab_evidence_failure(&ledger, &ev);
}

bool ledger_get(
		const char *source, uint32_t seconds, struct ab_evidence_record *out)
{
	struct ab_prefix p = prefix_of(source);

	return ab_evidence_get(&ledger, &p, MONO + seconds, out);
}

bool ledger_knows(const char *source, uint32_t seconds)
{
	struct ab_evidence_record r;

	return ledger_get(source, seconds, &r);
}

void ledger_ban(const char *source, uint32_t at, uint32_t seconds)
{
	struct ab_prefix p = prefix_of(source);

	ab_evidence_ban(&ledger, &p, MONO + at, seconds, AB_REASON_THRESHOLD);
}

bool ledger_has_bytes(const void *bytes, size_t len)
{
	const char *p = memory;
	size_t i;

	for(i = 0; i + len <= memory_bytes; i++)
		if(memcmp(p + i, bytes, len) == 0)
			return true;
	return false;
}

void ledger_sweep(uint32_t seconds)
{
	uint32_t part;

	for(part = 0; part < 8; part++)
		ab_evidence_sweep(&ledger, part, 8, WALL + (uint64_t)seconds * 1000,
				MONO + seconds);
}

void ledger_text(uint32_t n, char out[static 20])
{
	snprintf(out, 20, "10.%u.%u.%u", n >> 16 & 255, n >> 8 & 255, n & 255);
}
