/*
 * authban: what the sync process needs of Kamailio, without Kamailio
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef KAMAILIO_H
#define KAMAILIO_H

#include "ab_judge.h"

/* What authban_settings() gives; a caller may change it. */
extern struct ab_settings kamailio_settings;

/* Told of what the module would log; NULL: nobody is. */
extern void (*kamailio_news)(const struct ab_judgement *what);

/* Of fastrand(). */
void kamailio_seed(uint64_t seed);

#endif
