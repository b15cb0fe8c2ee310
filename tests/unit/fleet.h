/*
 * authban: a few proxies and a store in memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The store does what Redis does with the commands of one exchange, and on
 * demand loses the request, or the answer after everything was written.
 */
#ifndef FLEET_H
#define FLEET_H

#include "ab_sync.h"
#include "unit.h"

enum fault
{
	FAULT_NONE = 0,
	FAULT_REQUEST, /* nothing is written, -1 */
	FAULT_ANSWER   /* all is written, nothing is read, -1 */
};

struct cell
{
	char key[AB_WIRE_KEY_MAX];
	uint8_t field[AB_WIRE_FIELD_MAX];
	size_t field_len;
	uint8_t value[AB_WIRE_STATE_MAX];
	size_t len;
	bool ttl; /* its key will expire */
};

struct record
{
	uint8_t bytes[AB_WIRE_STATE_MAX];
	size_t len;
};

#define STORE_CELLS 8192
#define STORE_LOG 8192

struct store
{
	struct cell shares[STORE_CELLS], map[STORE_CELLS];
	size_t n_shares, n_map;
	struct record log[STORE_LOG];
	size_t n_log;
	uint32_t life; /* grows with each wipe */
	enum fault fault;
	/* called between the writing and the reading of an exchange */
	void (*between)(void *arg);
	void *between_arg;
	size_t exchanges, most; /* and the most entries in one of them */
};

struct proxy
{
	struct box b;
	struct ab_sync s;
	struct store *store;
	uint32_t life; /* of the store, as last seen */
	size_t heard;  /* records of the log */
	uint32_t news;
};

#define FLEET 3

struct fleet
{
	struct store store;
	struct proxy p[FLEET];
	uint8_t boots;
};

void store_wipe(struct store *st);
struct cell *store_share(
		struct store *st, const char *key, const uint8_t *field, size_t len);

void fleet_open(struct fleet *f, uint32_t entries);
void fleet_close(struct fleet *f);
void fleet_pass(struct fleet *f, uint32_t seconds);

/* A new process with an empty table; loads the map, as the glue does. */
void proxy_restart(struct fleet *f, unsigned i);
/* Until nothing is left; false when the store failed. */
bool proxy_push(struct proxy *p);
/* Reads on in the log. */
void proxy_hear(struct proxy *p);
/* All push and hear, until all have said all. */
void fleet_settle(struct fleet *f);

#endif
