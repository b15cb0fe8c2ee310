/*
 * authban: banned datagrams dropped before they are parsed
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Kamailio hands each UDP datagram to one callback right behind recvfrom(); a
 * negative answer drops it. There is a single slot: in Kamailio's tree only
 * sipcapture takes it too.
 */
#ifndef AUTHBAN_EARLY_H
#define AUTHBAN_EARLY_H

/* Takes the slot when `early` is 1; a slot that is taken is said in the log and
 * leaves the work to authban_check(). From mod_init. */
void authban_early_init(void);

/* Whether the slot is ours. */
int authban_early_active(void);

#endif
