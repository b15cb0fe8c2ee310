/*
 * authban: streams of banned sources
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_STREAM_H
#define AUTHBAN_STREAM_H

#include "core/parser/msg_parser.h"

/*
 * Has the connection closed that a message came over: before more is read from it, or
 * within the 5 s for which a worker keeps an idle one. What is still to be sent over it
 * is lost. Nothing is done over datagrams and SCTP.
 */
void authban_stream_close(const sip_msg_t *msg);

#endif
