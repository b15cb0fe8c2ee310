/*
 * authban: keys in Redis that somebody made something else of
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_quarantine.h"

#include "authban_store_private.h"

#include <stdlib.h>
#include <string.h>

#define MAP_EVERY 5000 /* ms, and at most a tenth of the time */

static bool is_log(const char *name)
{
	size_t len = strlen(name);

	return len > 5 && strcmp(name + len - 5, "}:log") == 0;
}

void authban_quarantine_note(
		struct authban_store *s, const char *key, size_t len)
{
	struct authban_quarantine *q = &s->quarantine;
	int64_t now = authban_redis_now();
	unsigned i;

	q->met++;
	for(i = 0; i < q->n; i++)
		if(strlen(q->key[i].name) == len
				&& memcmp(q->key[i].name, key, len) == 0) {
			q->key[i].met = now;
			return;
		}
	if(q->n == AUTHBAN_BAD_KEYS || len >= sizeof(q->key[0].name))
		return;
	if(q->n == 0)
		q->probed = now;
	memcpy(q->key[q->n].name, key, len);
	q->key[q->n].name[len] = '\0';
	q->key[q->n++].met = now;
	q->news = true;
}

/* --- asking for them --- */

/* A command that is right for what belongs there, and small. */
static int append_probe(struct authban_store *s, unsigned i)
{
	const char *name = s->quarantine.key[i].name;
	const char *tail = strrchr(name, '}'), *number = tail;
	const char *words[8] = {NULL};
	size_t len[8];
	int n = 0;

	if(!tail)
		return 0;
	while(number > name && number[-1] >= '0' && number[-1] <= '9')
		number--;
	words[1] = name;
	if(is_log(name)) {
		words[0] = "XREVRANGE";
		words[2] = "+";
		words[3] = "-";
		words[4] = "COUNT";
		words[5] = "1";
	} else if(strncmp(tail, "}:g:", 4) == 0) {
		words[0] = "LRANGE";
		words[2] = words[3] = "0";
	} else if(strcmp(tail, "}:mark") == 0) {
		words[0] = "GET";
	} else {
		words[0] = "HSCAN";
		words[2] = "0";
		words[3] = "COUNT";
		words[4] = "1";
	}
	for(; words[n]; n++)
		len[n] = strlen(words[n]);
	authban_pipe_chain(&s->pipe);
	return authban_store_append(
			s, (unsigned)strtoul(number, NULL, 10), (int)i, n, words, len);
}

static int got_probe(void *arg, int tag, authban_reply_t **reply)
{
	struct authban_store *s = arg;

	if(authban_reply_type(*reply) != AUTHBAN_REPLY_ERROR)
		s->quarantine.gone[tag] = true;
	else if(!authban_store_is_wrong_type(*reply))
		return authban_store_fail_reply(s, "probe", *reply);
	return 0;
}

/* Counts of a window that is over are nobody's any more. */
static bool is_over(const struct authban_store *s, unsigned i, int64_t now)
{
	const struct authban_bad_key *key = &s->quarantine.key[i];
	const char *tail = strrchr(key->name, '}');
	int64_t life = 1000 * (2 * (int64_t)s->sync->set->window + 60);

	return tail && strncmp(tail, "}:c:", 4) == 0 && now - key->met > life;
}

static int probe(struct authban_store *s, int64_t now)
{
	struct authban_quarantine *q = &s->quarantine;
	unsigned i, n = 0;
	bool log = false;

	q->probed = now;
	memset(q->gone, 0, sizeof(q->gone));
	authban_store_begin(s);
	for(i = 0; i < q->n; i++)
		if(append_probe(s, i) < 0)
			return -1;
	if(authban_store_run(s, got_probe, s, now + AUTHBAN_STORE_DEADLINE) < 0)
		return -1;
	for(i = 0; i < q->n; i++) {
		if(q->gone[i]) {
			log |= is_log(q->key[i].name);
			q->healed = s->lost = true;
		} else if(!is_over(s, i, now)) {
			q->key[n++] = q->key[i];
		}
	}
	q->n = n;
	return log && q->log ? authban_store_resume_log(s, now + AUTHBAN_STORE_LOAD)
						 : 0;
}

static int load_map(struct authban_store *s, int64_t now)
{
	struct authban_quarantine *q = &s->quarantine;
	int rc = authban_store_load_map(s, now + AUTHBAN_STORE_LOAD);

	q->loaded = authban_redis_now();
	q->load_took = q->loaded - now;
	return rc;
}

static int64_t next_load(const struct authban_quarantine *q)
{
	int64_t pause = 10 * q->load_took;

	return q->loaded + (pause > MAP_EVERY ? pause : MAP_EVERY);
}

int authban_quarantine_work(struct authban_store *s, int64_t now)
{
	struct authban_quarantine *q = &s->quarantine;

	if(q->n > 0 && now >= q->probed + AUTHBAN_PROBE_EVERY && probe(s, now) < 0)
		return -1;
	return q->log && now >= next_load(q) ? load_map(s, now) : 0;
}

int64_t authban_quarantine_next(const struct authban_store *s)
{
	const struct authban_quarantine *q = &s->quarantine;
	int64_t next = INT64_MAX;

	if(q->n > 0)
		next = q->probed + AUTHBAN_PROBE_EVERY;
	if(q->log && next_load(q) < next)
		next = next_load(q);
	return next;
}
