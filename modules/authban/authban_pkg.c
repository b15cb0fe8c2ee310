/*
 * authban: small free pieces of a process's own memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_pkg.h"

#include "authban_compat.h"

#include "core/mem/mem.h"

#define COPIES 6 /* a message needs several of a size at the same time */

/* Bytes: the usual allocations of one message are a little smaller than these. */
static const unsigned sizes[] = {64, 128, 256, 512, 1024, 2048};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

void authban_pkg_split(void)
{
	void *piece[SIZES * COPIES];
	unsigned n = 0, i;

	for(i = 0; i < SIZES * COPIES; i++) {
		piece[n] = pkg_malloc(sizes[i % SIZES]);
		if(!piece[n])
			break;
		n++;
		/* stays for ever, so that the free pieces around it stay apart */
		if(!pkg_malloc(8))
			break;
	}
	for(i = 0; i < n; i++)
		pkg_free(piece[i]);
}
