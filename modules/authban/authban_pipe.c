/*
 * authban: commands to Redis in one go, wherever their keys live
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_pipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX (64u << 20)

struct authban_command
{
	size_t at, len;			/* in bytes */
	size_t key_at, key_len; /* its first argument there, which is the key */
	unsigned chain;
	int tag;
	int asked; /* index of the node that an ASK named; -1: none */
	uint8_t shard;
	uint8_t node; /* that it was sent to */
	bool done;
};

static int fail(struct authban_pipe *p, const char *why)
{
	snprintf(p->error, sizeof(p->error), "%s", why);
	authban_redis_clean(p->error);
	return -1;
}

/* --- gathering --- */

void authban_pipe_begin(struct authban_pipe *p)
{
	p->len = p->commands = 0;
	p->chain = 0;
}

void authban_pipe_chain(struct authban_pipe *p)
{
	p->chain++;
}

/* Room for more bytes and one more command. */
static int reserve(struct authban_pipe *p, size_t more)
{
	void *new;

	if(p->len + more > p->room) {
		size_t room = 2 * (p->len + more);

		if(room > BYTES_MAX || !(new = realloc(p->bytes, room)))
			return fail(p, "send: out of memory");
		p->bytes = new;
		p->room = room;
	}
	if(p->commands == p->command_room) {
		size_t room = p->command_room ? 2 * p->command_room : 256;

		new = realloc(p->command, room * sizeof(*p->command));
		if(!new)
			return fail(p, "send: out of memory");
		p->command = new;
		p->command_room = room;
	}
	return 0;
}

int authban_pipe_add(struct authban_pipe *p, unsigned shard, int tag, int argc,
		const char **argv, const size_t *argvlen)
{
	const size_t number = 24; /* "$18446744073709551615\r\n" and NUL */
	struct authban_command *c;
	size_t more = number;
	int i;

	for(i = 0; i < argc; i++)
		more += number + argvlen[i] + 2;
	if(reserve(p, more) < 0)
		return -1;
	c = &p->command[p->commands++];
	*c = (struct authban_command){.at = p->len,
			.chain = p->chain,
			.tag = tag,
			.asked = -1,
			.shard = (uint8_t)shard};
	p->len += (size_t)snprintf(p->bytes + p->len, number, "*%d\r\n", argc);
	for(i = 0; i < argc; i++) {
		p->len += (size_t)snprintf(
				p->bytes + p->len, number, "$%zu\r\n", argvlen[i]);
		if(i == 1) {
			c->key_at = p->len;
			c->key_len = argvlen[i];
		}
		memcpy(p->bytes + p->len, argv[i], argvlen[i]);
		memcpy(p->bytes + p->len + argvlen[i], "\r\n", 2);
		p->len += argvlen[i] + 2;
	}
	c->len = p->len - c->at;
	return 0;
}

int authban_pipe_addz(struct authban_pipe *p, unsigned shard, int tag,
		const char *const *words)
{
	const char *argv[16] = {NULL};
	size_t len[16] = {0};
	int n;

	for(n = 0; n < 16 && words[n]; n++) {
		argv[n] = words[n];
		len[n] = strlen(words[n]);
	}
	return authban_pipe_add(p, shard, tag, n, argv, len);
}

/* --- sending --- */

static struct authban_redis *redis_of(
		struct authban_pipe *p, const struct authban_command *c)
{
	return &p->topology->node[c->node].r;
}

/* Queues what is not done yet with its node's connection and sends it all. */
static int send_all(struct authban_pipe *p, size_t n, int64_t deadline)
{
	static const char *const asking[] = {"ASKING", NULL};
	bool touched[AUTHBAN_NODES] = {false};
	struct authban_redis *r;
	size_t i;

	for(i = 0; i < n; i++) {
		struct authban_command *c = &p->command[i];

		if(c->done)
			continue;
		c->node = c->asked >= 0 ? (uint8_t)c->asked
								: p->topology->of_shard[c->shard];
		touched[c->node] = true;
		r = redis_of(p, c);
		if((c->asked >= 0 && authban_redis_appendz(r, asking) < 0)
				|| authban_redis_append_raw(r, p->bytes + c->at, c->len) < 0)
			return fail(p, r->error);
	}
	/* all of them, before the first is waited for */
	for(i = 0; i < AUTHBAN_NODES; i++) {
		r = &p->topology->node[i].r;
		if(touched[i] && authban_redis_flush(r, deadline) < 0)
			return fail(p, r->error);
	}
	return 0;
}

/* --- reading --- */

/* What one round of answers led to. */
struct round
{
	int64_t deadline;
	bool redirected, moved;
	struct ab_place hint; /* where the last MOVED pointed */
	bool broken;		  /* the chain that is read has been redirected */
	size_t by;			  /* its command that was, as an index */
	int asked;			  /* node for what else it does with that key, or -1 */
};

/* The answer to a command, behind that to its ASKING. */
static int read_one(struct authban_pipe *p, const struct authban_command *c,
		const struct round *now, authban_reply_t **reply)
{
	struct authban_redis *r = redis_of(p, c);

	*reply = NULL;
	if(c->asked >= 0) {
		if(authban_redis_reply(r, now->deadline, reply) < 0)
			return fail(p, r->error);
		authban_reply_free(*reply);
	}
	return authban_redis_reply(r, now->deadline, reply) < 0 ? fail(p, r->error)
															: 0;
}

/* An ASK is about one key: another key of the chain may be where it was. */
static bool same_key(const struct authban_pipe *p,
		const struct authban_command *a, const struct authban_command *b)
{
	return a->key_len == b->key_len
		   && memcmp(p->bytes + a->key_at, p->bytes + b->key_at, a->key_len)
					  == 0;
}

static int note_redirect(struct authban_pipe *p,
		const struct authban_command *c, struct round *now,
		enum ab_redirect kind, struct ab_place *to)
{
	now->redirected = now->broken = true;
	now->by = (size_t)(c - p->command);
	now->asked = -1;
	if(to->host[0] == '\0')
		memcpy(to->host, p->topology->node[c->node].place.host,
				sizeof(to->host));
	/* an ASK that follows an ASK is no order that anybody gave: look again */
	if(kind == AB_REDIRECT_ASK && c->asked < 0) {
		now->asked = authban_topology_node(p->topology, to, now->deadline);
		return now->asked < 0 ? fail(p, p->topology->error) : 0;
	}
	now->moved = true;
	now->hint = *to;
	return 0;
}

static enum ab_redirect redirect_of(struct authban_pipe *p,
		const authban_reply_t *reply, struct ab_place *to)
{
	const char *text;
	size_t len;

	if(p->topology->url->kind != AB_URL_CLUSTER
			|| authban_reply_type(reply) != AUTHBAN_REPLY_ERROR)
		return AB_REDIRECT_NONE;
	text = authban_reply_text(reply, &len);
	return ab_redirect_read(text, len, to);
}

static int read_all(struct authban_pipe *p, size_t n, struct round *now,
		authban_pipe_got_f got, void *arg)
{
	size_t i;
	int rc = 0;

	for(i = 0; i < n && rc == 0; i++) {
		/* found anew each time: `got` may have queued more */
		struct authban_command *c = &p->command[i];
		authban_reply_t *reply;
		enum ab_redirect kind;
		struct ab_place to;

		if(c->done)
			continue;
		if(read_one(p, c, now, &reply) < 0)
			return -1;
		if(now->broken && p->command[now->by].chain == c->chain) {
			if(same_key(p, c, &p->command[now->by]))
				c->asked = now->asked;
			authban_reply_free(reply);
			continue;
		}
		now->broken = false;
		kind = redirect_of(p, reply, &to);
		if(kind != AB_REDIRECT_NONE) {
			rc = note_redirect(p, c, now, kind, &to);
			c->asked = now->asked;
		} else {
			c->done = true;
			p->answering = i;
			rc = got(arg, c->tag, &reply);
		}
		authban_reply_free(reply);
	}
	return rc;
}

const char *authban_pipe_key(const struct authban_pipe *p, size_t *len)
{
	const struct authban_command *c = &p->command[p->answering];

	*len = c->key_len;
	return p->bytes + c->key_at;
}

/* A new map may have closed a node that an ASK named: it will be named again. */
static int look_again(struct authban_pipe *p, const struct round *now)
{
	size_t i;

	for(i = 0; i < p->commands; i++)
		p->command[i].asked = -1;
	return authban_topology_refresh(p->topology, &now->hint, now->deadline) < 0
				   ? fail(p, p->topology->error)
				   : 0;
}

static bool all_done(const struct authban_pipe *p)
{
	size_t i;

	for(i = 0; i < p->commands; i++)
		if(!p->command[i].done)
			return false;
	return true;
}

int authban_pipe_run(struct authban_pipe *p, authban_pipe_got_f got, void *arg,
		int64_t deadline)
{
	int redirects = 0;

	p->error[0] = '\0';
	while(!all_done(p)) {
		struct round now = {.deadline = deadline};
		size_t n = p->commands;

		if(send_all(p, n, deadline) < 0 || read_all(p, n, &now, got, arg) < 0)
			return -1;
		if(now.redirected && ++redirects > AUTHBAN_PIPE_REDIRECTS)
			return fail(p, "redirect: the cluster sends us in a circle");
		if(now.moved && look_again(p, &now) < 0)
			return -1;
	}
	return 0;
}
