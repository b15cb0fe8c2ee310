/*
 * authban: what differs between Kamailio 5.6 and 6.x, in one place
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_COMPAT_H
#define AUTHBAN_COMPAT_H

#include "core/rpc.h"
#include "core/sr_module.h"

/* 5.6 has RET_ARRAY (an enum value), 6.x has RPC_RET_ARRAY; both are bit 0. */
#define AUTHBAN_RPC_ARRAY (1 << 0)

#endif
