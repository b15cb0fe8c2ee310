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

/*
 * The same for a file of one or two lines, each a secret of up to size - 1 bytes. A
 * second one that is not there is empty. Returns how many, or -1 (logged).
 */
int authban_read_secrets(const char *param, const char *path, char *first,
		char *second, int size);

#endif
