/*
 * authban: secrets that are kept in files
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_SECRET_H
#define AUTHBAN_SECRET_H

/*
 * Reads a secret from a file, without trailing line ends, into a NUL-terminated
 * buffer. Returns its length, or -1 with a sentence logged that names `param`.
 */
int authban_read_secret(
		const char *param, const char *path, char *out, int size);

#endif
