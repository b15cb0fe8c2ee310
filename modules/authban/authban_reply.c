/*
 * authban: what Redis has answered
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_redis.h"

#include <hiredis/hiredis.h>

enum authban_reply_type authban_reply_type(const authban_reply_t *reply)
{
	switch(reply ? reply->type : REDIS_REPLY_NIL) {
		case REDIS_REPLY_NIL:
			return AUTHBAN_REPLY_NIL;
		case REDIS_REPLY_STRING:
		case REDIS_REPLY_STATUS:
			return AUTHBAN_REPLY_TEXT;
		case REDIS_REPLY_INTEGER:
			return AUTHBAN_REPLY_NUMBER;
		case REDIS_REPLY_ARRAY:
			return AUTHBAN_REPLY_LIST;
		case REDIS_REPLY_ERROR:
			return AUTHBAN_REPLY_ERROR;
		default:
			return AUTHBAN_REPLY_OTHER;
	}
}

const char *authban_reply_text(const authban_reply_t *reply, size_t *len)
{
	enum authban_reply_type type = authban_reply_type(reply);

	if((type != AUTHBAN_REPLY_TEXT && type != AUTHBAN_REPLY_ERROR)
			|| !reply->str) {
		*len = 0;
		return "";
	}
	*len = (size_t)reply->len;
	return reply->str;
}

long long authban_reply_number(const authban_reply_t *reply)
{
	return authban_reply_type(reply) == AUTHBAN_REPLY_NUMBER ? reply->integer
															 : -1;
}

size_t authban_reply_size(const authban_reply_t *reply)
{
	return authban_reply_type(reply) == AUTHBAN_REPLY_LIST ? reply->elements
														   : 0;
}

const authban_reply_t *authban_reply_at(const authban_reply_t *reply, size_t i)
{
	return i < authban_reply_size(reply) ? reply->element[i] : NULL;
}

void authban_reply_free(authban_reply_t *reply)
{
	if(reply)
		freeReplyObject(reply);
}
