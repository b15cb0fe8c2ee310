/*
 * authban: what test_guard*.c share: one site, new for each test
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef GUARD_H
#define GUARD_H

#include "site.h"

#define ALICE 0xa11ce
#define BOB 0xb0b
#define HOME "192.0.2.1"

static struct site s;

static inline int setup(void **state)
{
	(void)state;
	site_open(&s);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	site_close(&s);
	return 0;
}

/* Which entries an attempt has touched. */
static inline void touched(const struct ab_findings *f, bool network, bool user,
		bool pair, bool source)
{
	assert_int_equal(f->entry[AB_FOUND_NETWORK].ok, network);
	assert_int_equal(f->entry[AB_FOUND_USER].ok, user);
	assert_int_equal(f->entry[AB_FOUND_PAIR].ok, pair);
	assert_int_equal(f->entry[AB_FOUND_SOURCE].ok, source);
}

#endif
