/*
 * authban: a fixed table of short texts in shared memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_names.h"

#include <string.h>

void ab_names_init(struct ab_names *names)
{
	int i;

	memset(names, 0, sizeof(*names));
	for(i = AB_REASON_THRESHOLD; i < AB_REASON_COUNT; i++)
		strncpy(names->text[i], ab_reason_name((enum ab_reason)i), AB_NAME_LEN);
	atomic_store(&names->used, AB_REASON_COUNT);
}

static void clean(
		char out[static AB_NAME_LEN + 1], const char *text, size_t len)
{
	size_t i;

	if(len > AB_NAME_LEN)
		len = AB_NAME_LEN;
	for(i = 0; i < len; i++)
		out[i] = text[i] > ' ' && text[i] < 0x7f && text[i] != '"'
								 && text[i] != '=' && text[i] != '\\'
						 ? text[i]
						 : '_';
	out[len] = '\0';
}

static uint16_t find(
		const struct ab_names *names, const char *text, uint32_t used)
{
	uint32_t i;

	for(i = 1; i < used; i++)
		if(strcmp(names->text[i], text) == 0)
			return (uint16_t)i;
	return 0;
}

uint16_t ab_names_intern(
		struct ab_names *names, uint32_t owner, const char *text, size_t len)
{
	char wanted[AB_NAME_LEN + 1];
	uint32_t used;
	uint16_t number;

	if(len == 0)
		return 0;
	clean(wanted, text, len);
	used = atomic_load_explicit(&names->used, memory_order_acquire);
	number = find(names, wanted, used);
	if(number != 0 || used >= AB_NAMES_MAX)
		return number;
	if(ab_lock(&names->lock, owner, ab_lock_process_alive) == AB_LOCK_TIMEOUT)
		return 0;
	used = atomic_load_explicit(&names->used, memory_order_relaxed);
	number = find(names, wanted, used); /* somebody may have been faster */
	if(number == 0 && used < AB_NAMES_MAX) {
		memcpy(names->text[used], wanted, sizeof(wanted));
		number = (uint16_t)used;
		atomic_store_explicit(&names->used, used + 1, memory_order_release);
	}
	ab_unlock(&names->lock);
	return number;
}

const char *ab_names_text(const struct ab_names *names, uint16_t number)
{
	if(number >= atomic_load_explicit(&names->used, memory_order_acquire))
		return "";
	return names->text[number];
}
