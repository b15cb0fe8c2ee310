/*
 * authban: which number of an authentication function means what
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_results.h"

#include <stdbool.h>
#include <string.h>

#define AT(rc) ((rc)-AB_RC_MIN)

/*
 * What the sources of Kamailio 5.6.3 return (modules/.../authorize.c):
 *
 * auth, auth_db, auth_ephemeral: enum auth_cfg_result in auth/api.h, the same
 * in master. -1 is malformed credentials, a wrong length of the response, a
 * nonce that is not ours, a header that cannot be parsed, or the database; -7
 * an expired user of auth_ephemeral.
 *
 * auth_radius: the same enum, but -2 is all that radius_authorize_sterman()
 * did not like: a rejection, no answer, an answer with a wrong signature, no
 * route to the server, an attribute that cannot be sent; -3 does not occur,
 * and -7 is no memory, or a challenge that cannot be built.
 *
 * uid_auth_db: -1 is a wrong password, a wrong length of the response, an
 * unknown user, or a nonce that is not ours (with check_all_ha1 a failed query
 * too); -2 a failed query, or a challenge that cannot be built; -3 malformed
 * credentials, or a header that cannot be parsed; -4 to -6 as in auth.
 *
 * auth_diameter: its enum auth_diam_result has -6 nonce reused, -5 error, -4
 * no credentials, -3 stale, -2 wrong password, -1 unknown user, but authorize()
 * returns only 1, 0 (which ends the script) and -5: for a challenge, for a
 * rejection and for a server that is down. So -5 means nothing.
 */
static const struct ab_result_map maps[AB_BACKENDS] = {
		[AB_BACKEND_AUTH_DB] = {{[AT(1)] = AB_MEANS_SUCCESS,
				[AT(-1)] = AB_MEANS_ERROR,
				[AT(-2)] = AB_MEANS_WRONG_PASSWORD,
				[AT(-3)] = AB_MEANS_UNKNOWN_USER,
				[AT(-4)] = AB_MEANS_STALE,
				[AT(-5)] = AB_MEANS_NO_CREDENTIALS,
				[AT(-6)] = AB_MEANS_STALE,
				[AT(-7)] = AB_MEANS_STALE,
				[AT(-8)] = AB_MEANS_MISMATCH}},
		[AB_BACKEND_RADIUS] = {{[AT(1)] = AB_MEANS_SUCCESS,
				[AT(-1)] = AB_MEANS_ERROR,
				[AT(-2)] = AB_MEANS_PASSWORD_OR_TIMEOUT,
				[AT(-4)] = AB_MEANS_STALE,
				[AT(-5)] = AB_MEANS_NO_CREDENTIALS,
				[AT(-6)] = AB_MEANS_STALE,
				[AT(-7)] = AB_MEANS_BACKEND_ERROR}},
		[AB_BACKEND_UID_AUTH_DB] = {{[AT(1)] = AB_MEANS_SUCCESS,
				[AT(-1)] = AB_MEANS_PASSWORD_OR_NONCE,
				[AT(-2)] = AB_MEANS_BACKEND_ERROR,
				[AT(-3)] = AB_MEANS_ERROR,
				[AT(-4)] = AB_MEANS_STALE,
				[AT(-5)] = AB_MEANS_NO_CREDENTIALS,
				[AT(-6)] = AB_MEANS_STALE}},
		[AB_BACKEND_DIAMETER] = {{[AT(1)] = AB_MEANS_SUCCESS,
				[AT(-1)] = AB_MEANS_UNKNOWN_USER,
				[AT(-2)] = AB_MEANS_WRONG_PASSWORD,
				[AT(-3)] = AB_MEANS_STALE,
				[AT(-4)] = AB_MEANS_NO_CREDENTIALS,
				[AT(-6)] = AB_MEANS_STALE}},
		[AB_BACKEND_CUSTOM] = {{[AT(1)] = AB_MEANS_SUCCESS}}};

const struct ab_result_map *ab_results_of(enum ab_backend backend)
{
	return &maps[(unsigned)backend < AB_BACKENDS ? backend : AB_BACKEND_CUSTOM];
}

enum ab_meaning ab_results_meaning(const struct ab_result_map *map, int rc)
{
	return rc < AB_RC_MIN || rc > AB_RC_MAX
				   ? AB_MEANS_UNKNOWN
				   : (enum ab_meaning)map->meaning[AT(rc)];
}

int ab_meaning_accepts_nonce(enum ab_meaning meaning)
{
	return meaning == AB_MEANS_SUCCESS || meaning == AB_MEANS_WRONG_PASSWORD
		   || meaning == AB_MEANS_UNKNOWN_USER
		   || meaning == AB_MEANS_PASSWORD_OR_TIMEOUT
		   || meaning == AB_MEANS_MISMATCH;
}

/* 1 alone is a success, so that has no word. */
static const char *const words[AB_MEANS_COUNT] = {[AB_MEANS_UNKNOWN] = "ignore",
		[AB_MEANS_WRONG_PASSWORD] = "wrong_password",
		[AB_MEANS_UNKNOWN_USER] = "unknown_user",
		[AB_MEANS_PASSWORD_OR_NONCE] = "password_or_nonce",
		[AB_MEANS_PASSWORD_OR_TIMEOUT] = "password_or_timeout",
		[AB_MEANS_ERROR] = "error",
		[AB_MEANS_BACKEND_ERROR] = "backend_error",
		[AB_MEANS_STALE] = "stale",
		[AB_MEANS_NO_CREDENTIALS] = "no_credentials",
		[AB_MEANS_MISMATCH] = "mismatch"};

const char *ab_meaning_word(enum ab_meaning meaning)
{
	return (unsigned)meaning < AB_MEANS_COUNT ? words[meaning] : NULL;
}

/* --- a map out of a text --- */

struct reader
{
	const char *text;
	size_t len, at; /* at the next byte */
};

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static void skip_blanks(struct reader *r)
{
	while(r->at < r->len && is_one_of(r->text[r->at], " \t\r\n"))
		r->at++;
}

/* The bytes up to a blank, = or comma; *fault is left at them. */
static void take_word(struct reader *r, struct ab_results_fault *fault)
{
	skip_blanks(r);
	fault->at = r->at;
	while(r->at < r->len && !is_one_of(r->text[r->at], " \t\r\n=,"))
		r->at++;
	fault->len = r->at - fault->at;
	skip_blanks(r);
}

/* -1 to -9999 as written; 0: no such number. */
static int to_number(const char *s, size_t len)
{
	int n = 0;
	size_t i;

	if(len < 2 || len > 5 || s[0] != '-')
		return 0;
	for(i = 1; i < len; i++) {
		if(s[i] < '0' || s[i] > '9')
			return 0;
		n = n * 10 + (s[i] - '0');
	}
	return -n;
}

static int to_meaning(const char *s, size_t len)
{
	int m;

	for(m = 0; m < AB_MEANS_COUNT; m++)
		if(words[m] && strlen(words[m]) == len && memcmp(words[m], s, len) == 0)
			return m;
	return -1;
}

static int refuse(struct ab_results_fault *fault, const char *why)
{
	fault->why = why;
	return -1;
}

/* One "number=word". */
static int read_pair(struct ab_result_map *map, uint32_t *given,
		struct reader *r, struct ab_results_fault *fault)
{
	int rc, meaning;

	take_word(r, fault);
	rc = to_number(r->text + fault->at, fault->len);
	if(rc < AB_RC_MIN || rc > -1)
		return refuse(fault, "no number from -16 to -1");
	if(*given & 1u << -rc)
		return refuse(fault, "a number that is given twice");
	*given |= 1u << -rc;
	if(r->at >= r->len || r->text[r->at] != '=')
		return refuse(fault, "a number without = and a word behind it");
	r->at++;
	take_word(r, fault);
	meaning = to_meaning(r->text + fault->at, fault->len);
	if(meaning < 0)
		return refuse(fault, "not one of the words");
	map->meaning[AT(rc)] = (uint8_t)meaning;
	return 0;
}

int ab_results_parse(struct ab_result_map *map, const char *text, size_t len,
		struct ab_results_fault *fault)
{
	struct reader r = {text, len, 0};
	uint32_t given = 0;

	*map = maps[AB_BACKEND_CUSTOM];
	for(;;) {
		if(read_pair(map, &given, &r, fault) < 0)
			return -1;
		if(r.at == len)
			return 0;
		if(text[r.at] != ',') {
			/* two words side by side, or a second = */
			fault->at = r.at;
			fault->len = 1;
			return refuse(fault, "not a comma");
		}
		r.at++;
	}
}
