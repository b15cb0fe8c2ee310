/*
 * authban: the shared memory of this Kamailio, and the moment
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_SHARED_H
#define AUTHBAN_SHARED_H

#include "ab_guard.h"
#include "ab_nodes.h"
#include "ab_recent.h"
#include "ab_trouble.h"
#include "ab_url.h"

#include "core/ip_addr.h"
#include "core/str.h"

/* What the sync process tells everybody; it alone writes. */
struct authban_sync_state
{
	_Atomic int configured; /* a Redis is named */
	_Atomic int connected;
	_Atomic int role;			  /* 0 unknown, 1 master, 2 replica */
	_Atomic int64_t unsent_since; /* monotonic ms; 0: all is sent */
	_Atomic long batches, shares_sent, states_sent, states_applied;
	_Atomic long dropped; /* records refused, in all and by cause */
	_Atomic long refused[AB_WIRE_RESULTS];
	_Atomic long clipped; /* shares that claimed too much */
	_Atomic long errors;
	_Atomic long trouble[AB_TROUBLES]; /* the same by kind, and wrong types */
	_Atomic long reconnects;
	_Atomic int bad_keys;	/* of a wrong type, now */
	_Atomic long offset_ms; /* Redis's clock minus our wall clock */
	/* known-good facts of this proxy and of others */
	_Atomic long facts_told, facts_heard, facts_dropped;
	_Atomic int facts_loading;
	_Atomic int nodes; /* masters that we are connected to */
	/* Where the bans are, without the password: the server, the master that the
	 * sentinels named, the home node of a cluster. As last_error. */
	char server[AB_URL_PART + 8];
	/* The last error in words. Written without a lock: a reader may see two
	 * mixed, never beyond the last byte, which stays 0. */
	char last_error[128];
	char log_id[48]; /* of the last news that was read, likewise */
};

/* Lays out table and state in shared memory. From mod_init, after the
 * parameters are checked. 0, or -1 (logged). */
int authban_shared_init(void);

/* The table, opened for the calling process. */
const struct ab_table *authban_table(void);

struct authban_sync_state *authban_sync_state(void);

/* The proxies of the cluster. */
struct ab_nodes *authban_nodes(void);

/* For how many ms there has been something that Redis has not taken. */
long authban_sync_lag(void);

/* Answers seen lately. */
struct ab_recent *authban_attempts(void);

/* Now on both clocks. */
struct ab_now authban_now(void);

/* Monotonic seconds, cheap and up to 4 ms old: for the path of every message. */
uint32_t authban_now_mono(void);

/* Settings, moment and names for one judgement. *set is filled and used. */
struct ab_judge authban_judge(struct ab_settings *set);

/*
 * Everything that decides, for this process, as of now. The pointer is good until the
 * next call. authban_guard() has both clocks; the quick one only monotonic seconds,
 * up to 4 ms old, which is what ab_guard_check() needs.
 */
const struct ab_guard *authban_guard(void);
const struct ab_guard *authban_guard_quick(void);

/* The parts of it that no process changes, for the sync process. */
void authban_guard_fill(struct ab_guard *g);

/* Facts of an earlier start follow: their key, and the key of users' hashes anew from
 * authban_mac. Before any fork. False: they are of another cluster key, and no use. */
bool authban_guard_rekey(const uint8_t good_key[static 16]);

/* Number of this proxy in versions, and of its name in the names' table. */
uint16_t authban_node_number(void);
uint16_t authban_node_origin(void);

/* A Kamailio address in our form. */
void authban_addr(struct ab_addr *out, const struct ip_addr *ip);

/* The key under which an address is counted. */
struct ab_prefix authban_source(const struct ab_addr *addr);

/* Wakes the sync process when it sleeps and something is to be sent. */
void authban_wake(void);

/* The same, asleep or not; from a signal handler. */
void authban_wake_always(void);

/* The descriptor that authban_wake writes to. */
int authban_wake_fd(void);

#endif
