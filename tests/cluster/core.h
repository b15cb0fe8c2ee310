/*
 * authban: one proxy's sync process and its workers, without Kamailio
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The calling process becomes a proxy: the module's own table, judgement, sync
 * process, Redis glue and snapshot, in the order in which authban_mod.c starts them.
 */
#ifndef CORE_H
#define CORE_H

#include "ab_guard.h"

struct core_config
{
	const char *node;	  /* its name */
	const char *redis;	  /* a URL */
	const char *prefix;	  /* of the cluster */
	const char *snapshot; /* a file; "": none */
	int snapshot_interval;
	int shards; /* redis_shards */
	int size;	/* entries of the table */
};

/* Makes the table and loads what is to be loaded. 0, or -1. kamailio_settings must
 * be set. The strings must stay valid. */
int core_open(const struct core_config *config);

/* The sync process's loop; does not return. */
void core_run(void);

/* What workers and operators do. A source is a small number: its address is in a
 * network of its own. `who` 0: no user. */
struct ab_key core_source(unsigned source);
struct ab_key core_pair(unsigned source, uint64_t who);

/* A wrong password. Returns false when the request was dropped, and nothing was
 * counted. */
bool core_fail(unsigned source, uint64_t who);
/* The right one. Returns false when the request was dropped. */
bool core_success(unsigned source, uint64_t who);
void core_ban(unsigned source, uint32_t seconds);
void core_unban(unsigned source);

/* What is known; false: nothing. */
bool core_view(const struct ab_key *key, struct ab_view *out);

/* All counts are sent, and read, once more. */
void core_mark_all(void);

/* Whether something waits to be sent. */
bool core_has_dirty(void);

/* Whether it has been connected to Redis, so that its clock is the cluster's. */
bool core_has_met(void);

#endif
