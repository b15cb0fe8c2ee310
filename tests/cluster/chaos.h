/*
 * authban: what happens to the proxies of one seed
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CHAOS_H
#define CHAOS_H

#include "stage.h"

/* What came of it. */
struct outcome
{
	char wrong[256];   /* "": all held */
	int64_t converged; /* us after the last fault until all agreed */
	unsigned failures, states, faults, kills, wipes, failovers;
	uint64_t trace; /* the same for the same seed */
};

/* Plays a seed. s->truth.wrong tells what did not hold. */
void chaos_play(struct stage *s, uint64_t seed, struct outcome *out);

#endif
