/*
 * authban: a Kamailio module that drops each datagram before it is parsed, and does nothing else
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a worker with this module needs for a datagram is the kernel's part and Kamailio's way
 * of receiving it. No module can drop one for less.
 */
#include "core/events.h"
#include "core/sr_module.h"

MODULE_VERSION

static int drop(sr_event_param_t *evp)
{
	(void)evp;
	return -1;
}

static int mod_init(void)
{
	return sr_event_register_cb(SREV_NET_DGRAM_IN, drop) < 0 ? -1 : 0;
}

struct module_exports exports = {
		.name = "floor_module", .init_mod_f = mod_init};
