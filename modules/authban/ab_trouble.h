/*
 * authban: what kind of trouble with Redis an error text tells of
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AB_TROUBLE_H
#define AB_TROUBLE_H

enum ab_trouble
{
	AB_TROUBLE_TIMEOUT = 0, /* no answer in time */
	AB_TROUBLE_REFUSED,		/* no connection could be made */
	AB_TROUBLE_CLOSED,		/* the connection ended */
	AB_TROUBLE_AUTH,		/* the login, or a right, is missing */
	AB_TROUBLE_MAXCLIENTS,	/* Redis has as many connections as it may */
	AB_TROUBLE_LOADING,		/* Redis reads its file yet */
	AB_TROUBLE_READONLY,	/* a replica */
	AB_TROUBLE_OOM,			/* Redis has no room for writes */
	AB_TROUBLE_BUSY,		/* somebody's script runs and runs */
	AB_TROUBLE_MOVED,		/* the cluster or the sentinels send us elsewhere */
	AB_TROUBLE_PROTOCOL,	/* not Redis, or a damaged one */
	AB_TROUBLE_WRONGTYPE,	/* a key of ours is somebody else's */
	AB_TROUBLE_TLS,
	AB_TROUBLE_OTHER,
	AB_TROUBLES
};

/* By the words of authban_redis, authban_topology, or Redis itself. */
enum ab_trouble ab_trouble_of(const char *error);

/* In one word, snake case. */
const char *ab_trouble_name(enum ab_trouble t);

#endif
