/*
 * authban: what the last authentication function returned
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * In
 *     auth_check("$fd", "subscriber", "1");
 *     if (!authban_result("$rc")) {
 * the script says what everybody means, but Kamailio runs a function inside an
 * expression in a fresh action context, which sets $rc to 0 before the
 * parameter is read (run_actions() in core/action.c, 5.6 to 6.x). So the known
 * authentication functions are wrapped: each passes its arguments on and
 * leaves its result here.
 */
#ifndef AUTHBAN_RC_H
#define AUTHBAN_RC_H

#include "core/parser/msg_parser.h"

/* Wraps the authentication functions of all loaded modules. From mod_init. */
void authban_rc_init(void);

/* The last result for this message; 0: no such function has run. */
int authban_rc_last(const sip_msg_t *msg);

#endif
