/*
 * authban: commands for kamcmd and JSON-RPC
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_RPC_H
#define AUTHBAN_RPC_H

#include "authban_compat.h"

extern rpc_export_t authban_rpcs[];

#endif
