/*
 * authban: the world that the checker makes for its proxies
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Each proxy is a process that runs only while the checker lets it: whatever it would
 * wait for, it asks the checker to be woken at a moment of a made-up clock. Between
 * processes go these messages, and a page that the checker writes: the moment, and what
 * is wrong with each proxy's network.
 */
#ifndef WORLD_H
#define WORLD_H

#include "ab_entry.h"

#include <stdint.h>

#define CORES_MAX 5
#define SERVERS 2

#define MS INT64_C(1000) /* moments are microseconds since the seed began */
#define SECONDS INT64_C(1000000)

/* Of all clocks when the first seed begins: a window of 600 s begins 100 s later. */
#define WORLD_BEGIN_S INT64_C(1799999900)
#define DAY_S 86400

enum link_mode
{
	LINK_UP = 0,
	LINK_REFUSED,		/* connections break, new ones are refused */
	LINK_HOLE,			/* nothing comes through */
	LINK_HOLE_REQUESTS, /* only replies do */
	LINK_HOLE_REPLIES	/* only requests do */
};

/* The network between a proxy and Redis. */
struct link
{
	enum link_mode mode;
	int server;			 /* that the address of Redis leads to */
	uint32_t generation; /* connections of an earlier one are broken */
	int64_t delay;		 /* of a reply */
	int64_t late; /* how long after the end of a hole what was sent arrives */
	long cut_request; /* so many bytes go out, then the connection breaks; -1 */
	long cut_reply;	  /* the same, bytes that come in */
};

struct world
{
	_Atomic int64_t now;
	int64_t begin_s; /* what all clocks showed then, seconds since 1970 */
	struct link link[CORES_MAX];
	int port[SERVERS];
	_Atomic uint32_t touched; /* grows when something is sent to Redis */
};

/* --- messages, one a datagram --- */

enum order_kind
{
	ORDER_GO = 1, /* what was slept for may be there */
	ORDER_FAIL,
	ORDER_SUCCESS,
	ORDER_BAN,
	ORDER_UNBAN,
	ORDER_VIEW,
	ORDER_MARK,
	ORDER_TERM /* end in peace */
};

struct order
{
	enum order_kind kind;
	unsigned source;
	uint64_t who;
	uint32_t seconds;
	uint8_t entry; /* enum ab_kind, of ORDER_VIEW */
};

enum report_kind
{
	REPORT_SLEEP = 1, /* until a moment */
	REPORT_READY,	  /* the start is over: workers answer */
	REPORT_NEWS,	  /* what would be logged */
	REPORT_ANSWER	  /* to an order other than GO */
};

struct report
{
	enum report_kind kind;
	int64_t until;
	bool idle; /* sleeps in its loop, not for an answer */
	bool ok;   /* of an order */
	bool dirty;
	bool met; /* Redis, since its start */
	struct ab_view view;
};

#endif
