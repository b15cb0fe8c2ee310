/*
 * authban: a proxy's clock, network and sleep, as the checker makes them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Takes the place of a few functions of libc for the module and hiredis alike.
 */
#ifndef SIM_H
#define SIM_H

#include "world.h"

struct sim
{
	struct world *world;
	int index;		 /* of this proxy */
	int sock;		 /* to the checker */
	int64_t mono;	 /* what the monotonic clock shows at moment 0, us */
	int64_t wall;	 /* by how much the wall clock is wrong, us */
	uint64_t random; /* seed of all random bytes */
	/* told of every order but GO; fills in the answer */
	void (*obey)(const struct order *order, struct report *answer);
};

/* From here on this process lives in that world. */
void sim_begin(const struct sim *sim);

void sim_report(const struct report *report);

#endif
