/*
 * authban: the pseudo-variable $authban(field)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUTHBAN_PV_H
#define AUTHBAN_PV_H

#include "core/pvar.h"

extern pv_export_t authban_pvs[];

#endif
