/*
 * authban: named policies in this Kamailio
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * They come from the configuration (`policy`, fixed) and from a file
 * (`policy_file`), which is read at the start and by authban.policy_reload. All
 * processes see one set, in shared memory.
 */
#ifndef AUTHBAN_POLICIES_H
#define AUTHBAN_POLICIES_H

#include "ab_policies.h"

#include "authban_compat.h"

/* What a reading of the file has found. */
struct authban_policies_read
{
	int policies; /* that the file has now */
	int wrong;	  /* lines that were passed over; each is logged */
};

/* The modparam `policy`: "name: setting=number, ...". 0, or -1 (logged). */
int authban_policies_param(modparam_t type, void *val);

/* Moves them to shared memory and reads the file. 0, or -1 (logged). From mod_init. */
int authban_policies_init(void);

/* NULL only before authban_policies_init(). */
const struct ab_policies *authban_policies(void);

/* Reads the file again. 0; -1: it cannot be read (logged) and nothing has changed;
 * -2: another process is reading it. */
int authban_policies_reload(struct authban_policies_read *out);

#endif
