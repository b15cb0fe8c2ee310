/*
 * authban: an arena of evidence for unit tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LEDGER_H
#define LEDGER_H

#include "ab_evidence.h"
#include "unit.h"

#define TTL 3600u
#define MONO 1000u
#define WALL UINT64_C(1900000000123)
#define AGENT "friendly-scanner"

extern struct ab_evidence ledger;

void ledger_open(uint32_t offenders);
void ledger_close(void);
/* An arena of 64, for cmocka. */
int ledger_setup(void **state);
int ledger_teardown(void **state);

/* A proven failure so many seconds after MONO and WALL, to be changed by a test. */
struct ab_evidence_event ledger_event(const char *source, uint32_t seconds);
bool ledger_fail(const char *source, uint32_t seconds);
bool ledger_get(
		const char *source, uint32_t seconds, struct ab_evidence_record *out);
bool ledger_knows(const char *source, uint32_t seconds);
void ledger_ban(const char *source, uint32_t at, uint32_t seconds);
/* Whether these bytes are anywhere in the ledger. */
bool ledger_has_bytes(const void *bytes, size_t len);
/* All parts. */
void ledger_sweep(uint32_t seconds);
/* 10.0.0.0 + n */
void ledger_text(uint32_t n, char out[static 20]);

#endif
