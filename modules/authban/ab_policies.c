/*
 * authban: named policies, other limits for realms or carriers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_policies.h"

#include <string.h>

static const char *const field_names[AB_POLICY_FIELDS] = {"threshold",
		"max_users", "net_threshold", "long_threshold", "ban_time",
		"ban_time_max"};

static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t");
}

static enum ab_policies_wrong wrong(enum ab_policies_wrong what, const char *p,
		const char **at, size_t *at_len)
{
	*at = p;
	*at_len = strcspn(p, " \t,:=");
	if(*at_len == 0)
		*at_len = strlen(p) < 16 ? strlen(p) : 16;
	return what;
}

static int field_of(const char *name, size_t len)
{
	int i;

	for(i = 0; i < AB_POLICY_FIELDS; i++)
		if(strlen(field_names[i]) == len
				&& memcmp(field_names[i], name, len) == 0)
			return i;
	return -1;
}

/* A number of up to nine digits; -1: none. */
static int read_number(const char **p)
{
	size_t len = strspn(*p, "0123456789"), i;
	int n = 0;

	if(len < 1 || len > 9)
		return -1;
	for(i = 0; i < len; i++)
		n = n * 10 + ((*p)[i] - '0');
	*p += len;
	return n;
}

/* "setting=number" at *p, which moves behind it. */
static enum ab_policies_wrong read_value(struct ab_policy_row *made,
		const char **p, const char **at, size_t *at_len,
		const struct ab_setting **row)
{
	size_t len = strspn(*p, letters);
	int field = field_of(*p, len), n;
	const char *number = skip_blanks(*p + len);

	if(len == 0)
		return wrong(AB_POLICIES_SYNTAX, *p, at, at_len);
	if(field < 0)
		return wrong(AB_POLICIES_SETTING, *p, at, at_len);
	if(*number != '=')
		return wrong(AB_POLICIES_SYNTAX, *p, at, at_len);
	number = skip_blanks(number + 1);
	*row = ab_setting_find(field_names[field]);
	*p = number;
	n = read_number(p);
	if(n < (*row)->min || n > (*row)->max)
		return wrong(AB_POLICIES_VALUE, number, at, at_len);
	made->value[field] = n;
	return AB_POLICIES_OK;
}

enum ab_policies_wrong ab_policies_add(struct ab_policies *p, const char *text,
		const char **at, size_t *at_len, const struct ab_setting **row)
{
	const char *name = skip_blanks(text);
	size_t len = strspn(name, letters);
	struct ab_policy_row made = {.name = ""};
	const char *next = skip_blanks(name + len);

	*row = NULL;
	if(len == 0 || *next != ':')
		return wrong(AB_POLICIES_SYNTAX, name, at, at_len);
	if(len > AB_POLICY_NAME_LEN || ab_policies_find(p, name, len) != 0)
		return wrong(AB_POLICIES_NAME, name, at, at_len);
	if(p->count == AB_POLICIES_MAX)
		return wrong(AB_POLICIES_FULL, name, at, at_len);
	memcpy(made.name, name, len);
	do {
		enum ab_policies_wrong w;

		next = skip_blanks(next + 1);
		w = read_value(&made, &next, at, at_len, row);
		if(w != AB_POLICIES_OK)
			return w;
		next = skip_blanks(next);
	} while(*next == ',');
	if(*next != '\0')
		return wrong(AB_POLICIES_SYNTAX, next, at, at_len);
	p->row[p->count++] = made;
	return AB_POLICIES_OK;
}

unsigned ab_policies_find(
		const struct ab_policies *p, const char *name, size_t len)
{
	unsigned i;

	for(i = 0; i < p->count; i++)
		if(strlen(p->row[i].name) == len
				&& memcmp(p->row[i].name, name, len) == 0)
			return i + 1;
	return 0;
}

const struct ab_settings *ab_policies_settings(const struct ab_policies *p,
		unsigned number, const struct ab_settings *set,
		struct ab_settings *room)
{
	int *const target[AB_POLICY_FIELDS] = {&room->threshold, &room->max_users,
			&room->net_threshold, &room->long_threshold, &room->ban_time,
			&room->ban_time_max};
	const struct ab_policy_row *row;
	int i;

	if(!p || number == 0 || number > p->count)
		return set;
	row = &p->row[number - 1];
	*room = *set;
	for(i = 0; i < AB_POLICY_FIELDS; i++)
		if(row->value[i] != 0)
			*target[i] = row->value[i];
	if(room->ban_time > room->ban_time_max)
		room->ban_time = room->ban_time_max;
	return room;
}
