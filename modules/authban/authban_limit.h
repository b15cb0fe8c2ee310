/*
 * authban: a limit of challenges to networks whose senders have proved nothing
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A challenge is larger than the request that asks for it, so requests with a
 * forged source make this proxy send to a victim. Without the limit (the default)
 * nothing here takes memory or time. Each proxy has a limit of its own.
 */
#ifndef AUTHBAN_LIMIT_H
#define AUTHBAN_LIMIT_H

#include "authban_script.h"

/* From mod_init, after the parameters are checked. 0, or -1 (logged). */
int authban_limit_init(void);

/* Whether a request of `addr` is to be left without a challenge; counts it. */
bool authban_limit_reached(sip_msg_t *msg, const struct authban_request *req,
		const struct ab_addr *addr);

#endif
