/*
 * authban: secrets that are kept in files
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_secret.h"

#include "authban_compat.h"

#include "core/dprint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int authban_read_secret(
		const char *param, const char *path, char *out, int size)
{
	FILE *f = fopen(path, "re");
	size_t n;
	int err = errno, more;

	if(!f) {
		LM_ERR("parameter %s is \"%s\", which cannot be read (%s); allowed is"
			   " a file that Kamailio's user can read\n",
				param, path, strerror(err));
		return -1;
	}
	n = fread(out, 1, size - 1, f);
	more = fgetc(f) != EOF;
	fclose(f);
	while(n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r'))
		n--;
	out[n] = '\0';
	if(more || n == 0 || memchr(out, '\0', n)) {
		LM_ERR("parameter %s is \"%s\", which holds no secret; allowed is one"
			   " line of up to %d characters\n",
				param, path, size - 1);
		return -1;
	}
	return (int)n;
}

/* One line without its end. */
static int take_line(const char *line, size_t len, char *out, int size)
{
	if(len > 0 && line[len - 1] == '\r')
		len--;
	if(len >= (size_t)size)
		return -1;
	memcpy(out, line, len);
	out[len] = '\0';
	return (int)len;
}

int authban_read_secrets(const char *param, const char *path, char *first,
		char *second, int size)
{
	static char text[2 * 1024 + 8];
	int len = authban_read_secret(param, path, text, (int)sizeof(text));
	char *end;
	int lines = 1, rest = 0, got;

	if(len < 0)
		return -1;
	second[0] = '\0';
	end = memchr(text, '\n', (size_t)len);
	got = take_line(
			text, end ? (size_t)(end - text) : (size_t)len, first, size);
	if(end) {
		lines = 2;
		end++;
		rest = take_line(end, (size_t)(text + len - end), second, size);
	}
	memset(text, 0, sizeof(text));
	if(got > 0 && rest >= 0 && !strchr(second, '\n') && (lines == 1 || rest))
		return lines;
	LM_ERR("parameter %s is \"%s\", whose lines are no secrets; allowed are"
		   " one or two lines of up to %d characters: the key, and one more"
		   " that is still, or already, accepted\n",
			param, path, size - 1);
	return -1;
}
