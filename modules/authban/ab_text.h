/*
 * authban: foreign bytes made safe for logs and RPC
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AB_TEXT_H
#define AB_TEXT_H

#include <stddef.h>

/*
 * Copies at most `max` bytes of text, each byte outside of printable ASCII and
 * each space, quote, backslash and '=' as \xNN, so that a line of key=value
 * pairs stays one. Cuts at a whole escape when out is full; always ends with a
 * NUL. Returns out.
 */
char *ab_text_escape(
		char *out, size_t size, const char *text, size_t len, size_t max);

#endif
