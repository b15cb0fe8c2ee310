/*
 * authban: what a judged attempt does to the table
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The one way from an attempt to the counts, whoever judged it: an auth function
 * in the script, a registrar behind this proxy, or the script itself.
 */
#ifndef AUTHBAN_COUNT_H
#define AUTHBAN_COUNT_H

#include "ab_evidence.h"

#include "core/parser/msg_parser.h"

/* One attempt that failed. */
struct authban_failure
{
	struct ab_addr addr;
	uint64_t user;		 /* authban_user_hash(); 0: nobody's */
	uint32_t weight;	 /* counts as so many; 1 and more */
	enum ab_proof proof; /* how the sender proved its address */
	uint64_t answer;	 /* hash of this very attempt, 0: it cannot repeat */
	uint64_t flow;		 /* authban_flow(); 0: none */
	unsigned policy;	 /* number of the policy; 0: the settings */
	/* for evidence (authban_record.h) */
	const sip_msg_t *msg; /* the request; NULL: none is at hand */
	enum ab_proof shown;  /* by which the sender itself proved its address */
	enum ab_guess guess;
	str name; /* of the user, may be empty */
};

enum authban_counted
{
	AUTHBAN_NOT_COUNTED = 0, /* off, allowed, seen already, or not proven */
	AUTHBAN_COUNTED,
	AUTHBAN_COUNTED_BANNED /* and source or pair banned by this very failure */
};

enum authban_counted authban_count_failure(const struct authban_failure *f);

/* A user has logged in; nothing is learnt of an address that is not proved. */
void authban_count_success(const struct ab_addr *addr, uint64_t user_hash,
		enum ab_proof proof, uint64_t flow);

#endif
