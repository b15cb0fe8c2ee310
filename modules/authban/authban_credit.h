/*
 * authban: telling other proxies who is known-good, and hearing of it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Facts that workers queued (ab_tell.h) go into the list of the hour in batches, with
 * an entry in the log that makes the others read on in that list. After a start the
 * lists of the last good_time are read, the newest first, in slices: before the first
 * packet as far as there is time, the rest beside the other work. At most half of the
 * process's time is spent so. Records: ab_credit.h.
 */
#ifndef AUTHBAN_CREDIT_H
#define AUTHBAN_CREDIT_H

#include "ab_credit.h"
#include "authban_redis.h"

#define AUTHBAN_CREDIT_RECORDS 32 /* in one batch */
#define AUTHBAN_CREDIT_BATCH (AUTHBAN_CREDIT_RECORDS * AB_CREDIT_FACTS)

struct authban_store;

struct authban_credit_list
{
	uint32_t hour; /* 0: none */
	uint32_t at;   /* records of it that were read */
	bool due;	   /* there may be more */
};

struct authban_credit
{
	/* what became of facts */
	uint64_t told, heard, batches;
	/* private */
	uint64_t unsent[AUTHBAN_CREDIT_BATCH];
	size_t n_unsent;
	uint64_t forgotten; /* of which proxies, when last looked at: a sum */
	uint64_t dropped;	/* of the queue, when last looked at */
	int64_t sent_at;	/* the last batch, monotonic ms */
	uint32_t lasting;	/* hour whose list has its end from us; 0: none */
	uint32_t last_hour; /* in which we were connected; 0: never */
	struct authban_credit_list live[2]; /* this hour's and the last one's */
	struct authban_credit_list load;	/* of older ones, going back */
	uint32_t oldest; /* hour to go back to; UINT32_MAX: done */
	uint64_t room;	 /* facts that the load may still bring */
	uint32_t slice;	 /* records asked for at once */
	int64_t rest;	 /* no slice before, monotonic ms */
};

/* After each opening of the store: what there is to be read. */
void authban_credit_opened(struct authban_store *s);

/* Redis may have forgotten: everything is told again with the next logins. */
void authban_credit_lost(struct authban_store *s);

/* Reads until all is read or the deadline. 0, or -1 with s->error. */
int authban_credit_load(struct authban_store *s, int64_t deadline);

/* Whether facts of the last good_time are still to be read. */
bool authban_credit_is_loading(const struct authban_store *s);

/* Takes an entry of the log when it is about facts; false: it is not. `fields`: of the
 * entry, name and value. */
bool authban_credit_news(
		struct authban_store *s, const authban_reply_t *fields);

/* Sends what is due and reads one slice; the store is open. 0, or -1 with s->error. */
int authban_credit_work(struct authban_store *s, int64_t now);

/* When there is something to do, monotonic ms; INT64_MAX: nothing. */
int64_t authban_credit_next(const struct authban_store *s);

#endif
