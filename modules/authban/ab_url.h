/*
 * authban: the URL of a Redis server, of its sentinels or of a Redis Cluster
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * redis://[user:password@]host[:port][/db]
 * redis+unix://[user:password@]/path/to/socket[?db=N]
 * redis+sentinel://[user:password@]host[:port],.../master[/db]
 * redis+cluster://[user:password@]host[:port],...
 * With rediss in the place of redis all of it goes through TLS (not the socket).
 * User and password are percent-decoded. IPv6 hosts stand in brackets.
 */
#ifndef AB_URL_H
#define AB_URL_H

#include <stdbool.h>
#include <stddef.h>

#define AB_URL_PART 256
#define AB_URL_PLACES 8 /* sentinels, or nodes to ask for the others */

enum ab_url_kind
{
	AB_URL_SERVER,
	AB_URL_SENTINEL,
	AB_URL_CLUSTER
};

struct ab_place
{
	char host[AB_URL_PART]; /* or the path of a socket */
	int port;
};

struct ab_url
{
	enum ab_url_kind kind;
	bool is_unix;
	bool tls;
	int db;
	unsigned places; /* 1 or more, of a server 1 */
	struct ab_place place[AB_URL_PLACES];
	char master[AB_URL_PART];	/* what the sentinels call it */
	char user[AB_URL_PART];		/* "" for the default user */
	char password[AB_URL_PART]; /* "" for none; never print it */
};

/* Returns NULL, or a phrase that says what is wrong; it never quotes the
 * password. */
const char *ab_url_parse(struct ab_url *url, const char *text);

/* A loopback address: nobody outside can listen. */
bool ab_host_is_local(const char *host);

/* The first place that is neither a unix socket nor local, or NULL. */
const char *ab_url_remote(const struct ab_url *url);

/* A host as others may name it: a name or an address, not more. */
bool ab_host_ok(const char *host, size_t len);

bool ab_place_equal(const struct ab_place *a, const struct ab_place *b);

#endif
