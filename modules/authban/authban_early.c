/*
 * authban: banned datagrams dropped before they are parsed
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_early.h"

#include "authban_blocked.h"
#include "authban_params.h"
#include "authban_check.h"
#include "authban_shared.h"

#include "core/cfg/cfg_struct.h"
#include "core/dprint.h"
#include "core/events.h"

static int active;

static int on_datagram(sr_event_param_t *evp)
{
	void **data = evp->data;
	const receive_info_t *rcv = data[2];
	struct ab_addr addr;

	/* a worker that only drops would never see a changed setting */
	cfg_update();
	if(rcv->src_ip.af != AF_INET && rcv->src_ip.af != AF_INET6)
		return 0;
	authban_addr(&addr, &rcv->src_ip);
	if(authban_check_datagram(&addr) != AUTHBAN_BLOCK)
		return 0;
	authban_blocked(&addr);
	return -1;
}

void authban_early_init(void)
{
	if(!authban_params.early)
		return;
	active = sr_event_register_cb(SREV_NET_DGRAM_IN, on_datagram) >= 0;
	if(!active)
		LM_WARN("another module (sipcapture?) looks at datagrams before they"
				" are parsed, so early is off; banned datagrams are dropped by"
				" authban_check() in the script\n");
}

int authban_early_active(void)
{
	return active;
}
