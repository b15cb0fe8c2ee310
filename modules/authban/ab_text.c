/*
 * authban: foreign bytes made safe for logs and RPC
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_text.h"

#include <stdbool.h>

static bool is_plain(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != '\\'
		   && c != '=';
}

char *ab_text_escape(
		char *out, size_t size, const char *text, size_t len, size_t max)
{
	static const char hex[] = "0123456789abcdef";
	size_t used = 0, i;

	for(i = 0; i < len && i < max; i++) {
		unsigned char c = (unsigned char)text[i];
		size_t need = is_plain(c) ? 1 : 4;

		if(used + need >= size)
			break;
		if(need == 1) {
			out[used++] = (char)c;
			continue;
		}
		out[used++] = '\\';
		out[used++] = 'x';
		out[used++] = hex[c >> 4];
		out[used++] = hex[c & 15];
	}
	out[used] = '\0';
	return out;
}
