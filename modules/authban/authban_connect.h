/*
 * authban: sockets to Redis
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hiredis 0.14 ends the process when it has no memory for the name of a server,
 * so the socket is made here, without any memory of its own.
 */
#ifndef AUTHBAN_CONNECT_H
#define AUTHBAN_CONNECT_H

/*
 * Begins to connect to an address (in figures: names are authban_resolve.h's) and
 * port, or to the unix socket at a path. Returns a non-blocking descriptor whose SO_ERROR tells of the
 * end when it can be written to; or -1 with *why in words that stay valid until
 * the next call.
 */
int authban_connect_tcp(const char *host, int port, const char **why);
int authban_connect_unix(const char *path, const char **why);

#endif
