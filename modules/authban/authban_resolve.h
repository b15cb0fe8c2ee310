/*
 * authban: the address of a name, without waiting for it longer than told
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The resolver of libc knows no deadline: with a name server that is silent it
 * takes 5 to 30 s. So it runs in a child of the calling process, one a name, which is
 * waited for as long as there is time, and asked again at the next try. An address
 * that was known before is good enough when the name server does not answer.
 */
#ifndef AUTHBAN_RESOLVE_H
#define AUTHBAN_RESOLVE_H

#include <netinet/in.h>
#include <stdint.h>

#define AUTHBAN_ADDRESS INET6_ADDRSTRLEN

/*
 * Writes the address of `host`, a name or an address, as text. Returns NULL, or why
 * there is none in words. `deadline` is in monotonic milliseconds.
 */
const char *authban_resolve(
		const char *host, int64_t deadline, char out[static AUTHBAN_ADDRESS]);

/* Ends the children; what they would have said is asked for anew. A process that
 * forks others calls it first. */
void authban_resolve_end(void);

#endif
