/*
 * authban: the functions of the routing script
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Each ki_ function does the work and is what KEMI calls; the w_ functions
 * unpack the parameters of kamailio.cfg. They return what the manual says:
 * positive true, negative false, never 0.
 */
#ifndef AUTHBAN_SCRIPT_H
#define AUTHBAN_SCRIPT_H

#include "ab_classify.h"
#include "ab_entry.h"

#include "core/kemi.h"
#include "core/sr_module.h"

/* What was found out about the request that this process works on. */
struct authban_request
{
	unsigned int id; /* of the message, with pid: whose it is */
	int pid;
	enum ab_class class;
	enum ab_proof proof;
	bool turn;	  /* credentials passed in a stranger's turn */
	bool checked; /* authban_check() has let it pass */
	bool banned;  /* source or pair, by this very request */
};

/* The notes on a message; empty ones when it is another than before. */
struct authban_request *authban_request(sip_msg_t *msg);

/* The class that was found for a message, AB_CLASS_NONE when it is not the one
 * that this process works on, or was not judged. Keeps the notes as they are. */
enum ab_class authban_class_of(const sip_msg_t *msg);

/*
 * The source of a message: the datagram's or connection's address, in
 * event_route[core:msg-received] too. 0, or -1 when there is none.
 */
int authban_source_of(sip_msg_t *msg, struct ab_addr *addr);

extern cmd_export_t authban_cmds[];
extern sr_kemi_t authban_kemi_exports[];

#endif
