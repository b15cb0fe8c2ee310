/*
 * authban: many proxies on one machine, measured against a real Redis
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A member is two processes, as in Kamailio: the sync process with the module's own
 * loop, and a worker that counts and bans when the driver says so.
 */
#ifndef FLEET_H
#define FLEET_H

#include <stdbool.h>
#include <stdint.h>

#define MEMBERS_MAX 1000
#define MASTERS_MAX 3
#define BANS \
	64 /* sources that are banned while it is measured who hears when */

/* What all processes see. Moments are us of the monotonic clock. */
struct board
{
	_Atomic int ready;						  /* members that are connected */
	_Atomic int64_t heard[BANS][MEMBERS_MAX]; /* 0: not yet */
	_Atomic uint64_t failures;				  /* that workers have counted */
};

int64_t fleet_now(void);

/* --- Redis --- */

struct masters
{
	unsigned n; /* 1: one server; more: a cluster */
	int pid[MASTERS_MAX], port[MASTERS_MAX];
	void *control[MASTERS_MAX];
	char dir[64];
};

/* Sums over all masters, since they started. */
struct usage
{
	double commands, bytes_in, bytes_out, cpu; /* cpu in seconds */
	double cpu_most;						   /* of the busiest master */
	int64_t at;
};

/* 0, or -1. */
int masters_start(struct masters *m, unsigned n);
void masters_stop(struct masters *m);
/* The URL for proxies. */
void masters_url(const struct masters *m, char *out, unsigned size);
struct usage masters_usage(const struct masters *m);
struct usage usage_since(const struct usage *then, const struct usage *now);

/* --- members --- */

/* Starts `n` of them, and waits until all are connected. 0, or -1. */
int members_start(
		struct board *board, unsigned n, const char *url, unsigned shards);
void members_stop(void);
/* One failure of a source, or a ban, at member `i`. */
void member_fails(unsigned i, unsigned source);
void member_bans(unsigned i, unsigned source);

#endif
