/*
 * authban: what a forgotten proxy leaves in the table
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_nodes.h"

#include <string.h>

#define ROWS 64

struct target
{
	const struct ab_table *table;
	const struct ab_settings *set;
	const struct ab_now *now;
	const char *name;
	uint64_t at;
};

/* One entry, and what becomes of it. */
struct step
{
	const struct target *t;
	bool dropped, anew;
};

static bool is_its(const struct target *t, const struct ab_entry *e)
{
	const char *origin = ab_names_text(ab_table_names(t->table), e->origin);

	return e->version >= AB_VERSION_TOLD && e->version >> 16 <= t->at
		   && strcmp(origin, t->name) == 0;
}

static void clean(struct ab_slot *s, void *arg)
{
	struct step *step = arg;
	const struct target *t = step->t;

	ab_entry_refresh(s, t->set, t->now);
	step->dropped =
			(s->state == AB_STATE_BANNED || s->state == AB_STATE_UNBANNED)
			&& is_its(t, s->e);
	if(step->dropped)
		ab_entry_drop(s, t->set, t->now);
	step->anew = ab_entry_anew(s, (uint32_t)(t->at / 1000));
}

static void count(const struct ab_view *v, const struct step *step,
		struct ab_dropped *out)
{
	out->counts += step->anew;
	if(!step->dropped)
		return;
	if(v->state == AB_STATE_UNBANNED)
		out->unbans++;
	else if(v->key.kind == AB_KIND_ALLOW)
		out->allowed++;
	else
		out->bans++;
}

static void pass(const struct target *t, struct ab_dropped *out)
{
	struct ab_cursor at = {0};
	struct ab_view row[ROWS];
	size_t n, i;

	while((n = ab_table_walk(t->table, &at, t->set, t->now, row, ROWS)) > 0)
		for(i = 0; i < n; i++) {
			struct step step = {.t = t};

			ab_table_update(t->table, &row[i].key, AB_FIND, t->set, t->now,
					clean, &step);
			count(&row[i], &step, out);
		}
}

void ab_forget_in_table(const struct ab_table *t, const struct ab_settings *set,
		const struct ab_now *now, const char *name, uint64_t at,
		struct ab_dropped *out)
{
	struct target target = {t, set, now, name, at};

	/* entries that were moved meanwhile are met by the second */
	pass(&target, out);
	pass(&target, out);
}
