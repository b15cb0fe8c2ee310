/*
 * authban: the URL of a Redis server
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * redis://[user:password@]host[:port][/db]
 * redis+unix://[user:password@]/path/to/socket[?db=N]
 * User and password are percent-decoded. IPv6 hosts stand in brackets.
 */
#ifndef AB_URL_H
#define AB_URL_H

#include <stdbool.h>

#define AB_URL_PART 256

struct ab_url
{
	bool is_unix; /* host is the path of a socket */
	bool tls;
	int port;
	int db;
	char host[AB_URL_PART];
	char user[AB_URL_PART];		/* "" for the default user */
	char password[AB_URL_PART]; /* "" for none; never print it */
};

/* Returns NULL, or a phrase that says what is wrong; it never quotes the
 * password. */
const char *ab_url_parse(struct ab_url *url, const char *text);

/* A unix socket, or a loopback address: nobody outside can listen. */
bool ab_url_is_local(const struct ab_url *url);

#endif
