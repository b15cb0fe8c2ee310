/*
 * authban: commands to Redis in one go, wherever their keys live
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Commands are gathered, sent to the nodes that hold their shards, and answered
 * all under one deadline. A command that a Redis Cluster redirects is sent again
 * to where it belongs: after MOVED with a new map of the slots, after ASK once to
 * the node that was named.
 *
 * Commands of one chain keep their order: when one is redirected, those behind it
 * are sent again too. So they have to be commands that may be repeated.
 */
#ifndef AUTHBAN_PIPE_H
#define AUTHBAN_PIPE_H

#include "authban_topology.h"

#define AUTHBAN_PIPE_REDIRECTS 5 /* rounds of redirects; then it is a loop */

/*
 * Told of each command's answer, errors that are no redirect included. It may
 * take the reply: then it sets *reply to NULL. It may queue more commands. -1
 * ends the run.
 */
typedef int (*authban_pipe_got_f)(void *arg, int tag, authban_reply_t **reply);

struct authban_command;

struct authban_pipe
{
	struct authban_topology *topology;
	char *bytes; /* of all commands, as Redis reads them */
	size_t len, room;
	struct authban_command *command;
	size_t commands, command_room;
	unsigned chain;	  /* of the command that is queued next */
	size_t answering; /* index of the command whose answer is handed out */
	char error[AUTHBAN_REDIS_ERROR];
};

/* Empties it. */
void authban_pipe_begin(struct authban_pipe *p);

/* What is queued from now on may be answered apart from what was before. */
void authban_pipe_chain(struct authban_pipe *p);

/* Queues a command for a shard; `tag` comes back with the answer. 0, or -1 with
 * p->error. */
int authban_pipe_add(struct authban_pipe *p, unsigned shard, int tag, int argc,
		const char **argv, const size_t *argvlen);

/* The same for words. The list ends with NULL. */
int authban_pipe_addz(struct authban_pipe *p, unsigned shard, int tag,
		const char *const *words);

/* The first argument of the command whose answer is handed out just now. */
const char *authban_pipe_key(const struct authban_pipe *p, size_t *len);

/* Sends all and hands out all answers. 0, or -1: with p->error, unless `got` said
 * -1; then the topology has to be closed. */
int authban_pipe_run(struct authban_pipe *p, authban_pipe_got_f got, void *arg,
		int64_t deadline);

#endif
