/*
 * authban: what the script does by its own word: ban, unban, count a failure
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * All return 1 or -1. `msg` is used only where no address is given.
 */
#ifndef AUTHBAN_ACTS_H
#define AUTHBAN_ACTS_H

#include "ab_source.h"

#include "core/parser/msg_parser.h"

/* An address out of the script, and the source it is counted as. 0, or -1 (logged
 * with the function's name). */
int authban_parse_address(const char *function, const str *ip,
		struct ab_addr *addr, struct ab_prefix *prefix);

int authban_ki_ban(sip_msg_t *msg, str *ip, int seconds, str *reason);
int authban_ki_unban(sip_msg_t *msg, str *ip);

/* Counts a failure; the script vouches for the address. `ip` empty: the message's;
 * `name`: user or user@realm, may be empty. */
int authban_ki_fail(sip_msg_t *msg);
int authban_ki_fail_ip(sip_msg_t *msg, str *ip);
int authban_ki_fail_user(sip_msg_t *msg, str *ip, str *name);
int authban_ki_fail_weight(sip_msg_t *msg, str *ip, str *name, int weight);

/* The same for kamailio.cfg. */
int authban_w_ban(sip_msg_t *msg, char *p1, char *p2, char *p3);
int authban_w_unban(sip_msg_t *msg, char *p1, char *p2);
int authban_w_fail0(sip_msg_t *msg, char *p1, char *p2);
int authban_w_fail1(sip_msg_t *msg, char *p1, char *p2);
int authban_w_fail2(sip_msg_t *msg, char *p1, char *p2);
int authban_w_fail3(sip_msg_t *msg, char *p1, char *p2, char *p3);
int authban_fixup_ban(void **param, int no);
int authban_fixup_fail(void **param, int no);

#endif
