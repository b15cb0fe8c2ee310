/*
 * authban: what is to be done with a message
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The first look needs the address alone and is the same before parsing and in the
 * script. The second reads the credentials, and is taken only where something is
 * banned that spares those who are known-good.
 */
#ifndef AUTHBAN_CHECK_H
#define AUTHBAN_CHECK_H

#include "ab_guard.h"

#include "core/parser/msg_parser.h"

enum authban_verdict
{
	AUTHBAN_PASS = 0,
	AUTHBAN_WOULD_BLOCK, /* banned, but only in dry run */
	AUTHBAN_LOOK,		 /* passes without credentials; else ask again */
	AUTHBAN_BLOCK,		 /* the source */
	AUTHBAN_BLOCK_PAIR	 /* this user at this source */
};

/* By the address alone. Counts nothing. */
enum authban_verdict authban_verdict(const struct ab_addr *addr);

/* The same for a datagram that has just come in; authban_check_message() takes the
 * answer over when it is asked of the same address next, in the same process. */
enum authban_verdict authban_check_datagram(const struct ab_addr *addr);

/* Of a message: by its address, then by its credentials. Counts checks and blocks.
 * A message that cannot be parsed (event_route[core:msg-received]) is judged by its
 * address. *turn: it passes where strangers are let through one by one. */
enum authban_verdict authban_check_message(
		sip_msg_t *msg, const struct ab_addr *addr, bool *turn);

/* Of an address alone, counted. */
enum authban_verdict authban_check_addr(const struct ab_addr *addr);

/* A number of exact address, port and transport, for struct ab_party. */
uint64_t authban_flow(const struct receive_info *rcv);

#endif
