/*
 * authban: slots of a Redis Cluster, and where its nodes send us
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A Redis Cluster keeps a key on one of 16384 slots: the CRC of what stands
 * between the first { and the next } of the key, or of the whole key.
 */
#ifndef AB_SLOT_H
#define AB_SLOT_H

#include "ab_url.h"

#define AB_SLOTS 16384

unsigned ab_slot_of(const char *key, size_t len);

enum ab_redirect
{
	AB_REDIRECT_NONE,  /* it is another error */
	AB_REDIRECT_MOVED, /* the slot lives elsewhere now */
	AB_REDIRECT_ASK	   /* this key lives elsewhere already, the slot not yet */
};

/* Reads "MOVED 3999 127.0.0.1:6381". A node that does not know its own name
 * leaves the host out: then place->host is "". A damaged one is
 * AB_REDIRECT_NONE. */
enum ab_redirect ab_redirect_read(
		const char *text, size_t len, struct ab_place *place);

#endif
