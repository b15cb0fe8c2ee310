/*
 * authban: sliding-window counters of two buckets
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Idea: HAProxy's freq_ctr. Time is cut into windows of equal length, aligned
 * to cluster time so that every proxy cuts at the same moment. A counter holds
 * this window and the one before; the rate over one window length back from now
 * is cur + prev * (what is left of the window) / window. Integers only.
 *
 * Bound: somebody who knows where the windows are cut gets at most 2T - 2
 * failures into one window length without reaching T.
 */
#ifndef AB_WINDOW_H
#define AB_WINDOW_H

#include <stdint.h>

/* Start of the window in which `now` lies; both in seconds. length >= 1. */
static inline uint32_t ab_window_start(uint32_t now, uint32_t length)
{
	return now - now % length;
}

/*
 * How many windows lie between a counter's window and the current one:
 * 0 the same (also when the counter's is ahead, after a step of the clock:
 * what was counted stays counted), 1 the one before, 2 older.
 */
static inline unsigned ab_window_age(
		uint32_t counter_start, uint32_t now_start, uint32_t length)
{
	if(counter_start >= now_start)
		return 0;
	return now_start - counter_start <= length ? 1 : 2;
}

/*
 * Failures during the last `length` seconds, rounded to the nearest, so that a
 * source which failed T - 1 times just before the cut is caught by the next
 * one just behind it.
 */
static inline uint32_t ab_window_estimate(uint32_t cur, uint32_t prev,
		uint32_t start, uint32_t now, uint32_t length)
{
	uint32_t elapsed = now > start ? now - start : 0;
	uint32_t left = elapsed < length ? length - elapsed : 0;

	if(left == 0)
		return cur;
	return cur + (uint32_t)(((uint64_t)prev * left + length / 2) / length);
}

/* Adds without wrapping. */
static inline uint16_t ab_saturate16(uint32_t a, uint32_t b)
{
	uint64_t sum = (uint64_t)a + b;

	return sum > UINT16_MAX ? UINT16_MAX : (uint16_t)sum;
}

#endif
