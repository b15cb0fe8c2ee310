/*
 * authban: what a reply tells of the credentials in its request
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_OUTCOME_H
#define AUTHBAN_OUTCOME_H

#include "ab_source.h"

#include "core/parser/msg_parser.h"

/* A request, and who sent it. */
struct authban_ask
{
	const sip_msg_t *msg;
	struct ab_addr addr;
	uint32_t now;
};

/* A final reply to it. */
struct authban_answer
{
	const char *text;
	size_t len;
	int code;
	bool own; /* made by this proxy, not by somebody behind it */
};

/* Lays out what is remembered. From mod_init. 0, or -1 (logged). */
int authban_outcome_init(void);

/* Counts what the reply says, and remembers its challenges. For each final reply
 * once, before it is sent. Only the text of the request is read, and its changes;
 * it may lie in shared memory. */
void authban_outcome(
		const struct authban_ask *ask, const struct authban_answer *answer);

#endif
