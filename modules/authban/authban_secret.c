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
