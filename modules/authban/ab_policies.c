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

/* All of them, from the colon on. */
static enum ab_policies_wrong read_values(struct ab_policy_row *made,
		const char *p, const char **at, size_t *at_len,
		const struct ab_setting **row)
{
	enum ab_policies_wrong w;

	do {
		p = skip_blanks(p + 1);
		w = read_value(made, &p, at, at_len, row);
		if(w != AB_POLICIES_OK)
			return w;
		p = skip_blanks(p);
	} while(*p == ',');
	return *p == '\0' ? AB_POLICIES_OK
					  : wrong(AB_POLICIES_SYNTAX, p, at, at_len);
}

/* The row of a name, taken away or not; NULL: none. */
static struct ab_policy_row *row_of(
		struct ab_policies *p, const char *name, size_t len)
{
	unsigned i;

	for(i = 0; i < p->count; i++)
		if(strlen(p->row[i].name) == len
				&& memcmp(p->row[i].name, name, len) == 0)
			return &p->row[i];
	return NULL;
}

/* Whether a name may (not) be given values now. */
static enum ab_policies_wrong name_wrong(const struct ab_policies *p,
		const struct ab_policy_row *old, size_t len)
{
	if(len > AB_POLICY_NAME_LEN
			|| (old && (old->reading == 0 || old->reading == p->reading)))
		return AB_POLICIES_NAME;
	return !old && p->count == AB_POLICIES_MAX ? AB_POLICIES_FULL
											   : AB_POLICIES_OK;
}

static void put(struct ab_policies *p, struct ab_policy_row *old,
		struct ab_policy_row *made)
{
	int i;

	made->reading = p->reading;
	if(!old) {
		p->row[p->count] = *made;
		p->count++; /* now it can be found */
		return;
	}
	for(i = 0; i < AB_POLICY_FIELDS; i++)
		old->value[i] = made->value[i];
	old->reading = made->reading;
	old->gone = false;
}

enum ab_policies_wrong ab_policies_add(struct ab_policies *p, const char *text,
		const char **at, size_t *at_len, const struct ab_setting **row)
{
	const char *name = skip_blanks(text);
	size_t len = strspn(name, letters);
	struct ab_policy_row made = {.name = ""};
	struct ab_policy_row *old = row_of(p, name, len);
	const char *next = skip_blanks(name + len);
	enum ab_policies_wrong w;

	*row = NULL;
	if(len == 0 || *next != ':')
		w = wrong(AB_POLICIES_SYNTAX, name, at, at_len);
	else if((w = name_wrong(p, old, len)) != AB_POLICIES_OK)
		return wrong(w, name, at, at_len);
	else
		w = read_values(&made, next, at, at_len, row);
	if(w == AB_POLICIES_OK) {
		memcpy(made.name, name, len);
		put(p, old, &made);
	} else if(old && old->reading != 0)
		old->reading = p->reading; /* it keeps what it had */
	return w;
}

void ab_policies_begin(struct ab_policies *p)
{
	p->reading++;
}

unsigned ab_policies_end(struct ab_policies *p)
{
	unsigned i, n = 0;
	int f;

	for(i = 0; i < p->count; i++) {
		struct ab_policy_row *row = &p->row[i];

		n += row->reading == p->reading && !row->gone;
		if(row->reading == 0 || row->reading == p->reading)
			continue;
		row->gone = true;
		for(f = 0; f < AB_POLICY_FIELDS; f++)
			row->value[f] = 0;
	}
	return n;
}

unsigned ab_policies_find(
		const struct ab_policies *p, const char *name, size_t len)
{
	unsigned i;

	for(i = 0; i < p->count; i++)
		if(strlen(p->row[i].name) == len
				&& memcmp(p->row[i].name, name, len) == 0)
			return p->row[i].gone ? 0 : i + 1;
	return 0;
}

const char *ab_policies_name(const struct ab_policies *p, unsigned number)
{
	return number >= 1 && number <= p->count && !p->row[number - 1].gone
				   ? p->row[number - 1].name
				   : "";
}

const struct ab_settings *ab_policies_settings(const struct ab_policies *p,
		unsigned number, const struct ab_settings *set,
		struct ab_settings *room)
{
	int *const target[AB_POLICY_FIELDS] = {&room->threshold, &room->max_users,
			&room->net_threshold, &room->long_threshold, &room->ban_time,
			&room->ban_time_max};
	const struct ab_policy_row *row;
	int i, value;

	if(!p || number == 0 || number > p->count)
		return set;
	row = &p->row[number - 1];
	*room = *set;
	for(i = 0; i < AB_POLICY_FIELDS; i++)
		if((value = row->value[i]) != 0)
			*target[i] = value;
	if(room->ban_time > room->ban_time_max)
		room->ban_time = room->ban_time_max;
	return room;
}
