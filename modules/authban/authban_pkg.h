/*
 * authban: small free pieces of a process's own memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Kamailio's default allocator (qm) keeps free memory in lists by size, some 2,000 of
 * them, and an allocation looks through all from its size up to the first that is not
 * empty. In a worker that gives everything back after each message all free memory is
 * one piece in the last list, and each allocation looks at a thousand empty ones: 85 %
 * of what a refused REGISTER costs with the distribution's configuration (callgrind).
 * A free piece of each usual size, which cannot grow together with its neighbours,
 * ends the search at once. The other allocators (fm, tlsf) do not need it.
 */
#ifndef AUTHBAN_PKG_H
#define AUTHBAN_PKG_H

/* Once for each process, from child_init. Takes some 40 kB of its memory, all but 2 kB
 * of which can be allocated by anybody. Never fails: without memory it does nothing. */
void authban_pkg_split(void);

#endif
