/*
 * authban: streams of banned sources
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_stream.h"

#include "authban_auth.h"

#include "core/tcp_conn.h"
#include "core/timer.h"

/* As tcp_main.c does it after a reply with set_reply_close(): whoever has the
 * connection, a worker or the main process, gives it up as soon as it looks at it. The
 * flag says that this is no fault, so nothing is logged. */
void authban_stream_close(const sip_msg_t *msg)
{
	struct tcp_connection *con;

	if(!authban_is_stream(msg) || msg->rcv.proto == PROTO_SCTP)
		return;
	con = tcpconn_get(msg->rcv.proto_reserved1, NULL, 0, NULL, 0);
	if(!con)
		return;
	con->send_flags.f |= SND_F_CON_CLOSE;
	con->state = S_CONN_BAD;
	con->timeout = get_ticks_raw();
	tcpconn_put(con);
}
