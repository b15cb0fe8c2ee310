/*
 * authban: which number of an authentication function means what
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Every back end of Kamailio has numbers of its own: -1 is a wrong password
 * here and a broken database there. A map holds one back end's numbers as
 * data; ab_classify() asks nothing but the map what a number means.
 */
#ifndef AB_RESULTS_H
#define AB_RESULTS_H

#include <stddef.h>
#include <stdint.h>

/* What a back end tells by a number. Only what is said to count can count, and
 * all of it only with a proof of the sender's address. */
enum ab_meaning
{
	AB_MEANS_UNKNOWN = 0, /* nothing: undocumented, or all things at once */
	AB_MEANS_SUCCESS,
	AB_MEANS_WRONG_PASSWORD, /* the nonce was accepted; counts */
	AB_MEANS_UNKNOWN_USER,	 /* the nonce was accepted; counts */
	/* a wrong password, an unknown user, or a nonce that was not accepted:
	 * counts when the nonce is one that auth accepts */
	AB_MEANS_PASSWORD_OR_NONCE,
	/* the nonce was accepted; a wrong password, or nobody answered: counts
	 * unless it took as long as it takes when nobody answers */
	AB_MEANS_PASSWORD_OR_TIMEOUT,
	/* malformed credentials, which count, or a nonce that was not accepted, or
	 * a database that is down, which do not */
	AB_MEANS_ERROR,
	AB_MEANS_BACKEND_ERROR, /* the back end alone; never counts */
	AB_MEANS_STALE,			/* old or used nonce, expired user; never counts */
	AB_MEANS_NO_CREDENTIALS,
	AB_MEANS_MISMATCH, /* right password, other user; never counts */
	AB_MEANS_COUNT
};

#define AB_RC_MIN (-16)
#define AB_RC_MAX 1

/* One meaning for each number from AB_RC_MIN to AB_RC_MAX; 1 is success in every
 * map and 0 nothing. */
struct ab_result_map
{
	uint8_t meaning[AB_RC_MAX - AB_RC_MIN + 1];
};

enum ab_backend
{
	AB_BACKEND_AUTH_DB = 0, /* auth, auth_db, auth_ephemeral */
	AB_BACKEND_RADIUS,
	AB_BACKEND_UID_AUTH_DB,
	AB_BACKEND_DIAMETER,
	AB_BACKEND_CUSTOM, /* a map of the operator's */
	AB_BACKENDS
};

/* The map of a back end. That of AB_BACKEND_CUSTOM knows 1 alone. */
const struct ab_result_map *ab_results_of(enum ab_backend backend);

/* Any number; those outside the map mean nothing. */
enum ab_meaning ab_results_meaning(const struct ab_result_map *map, int rc);

/* Whether the back end has judged a password, so the nonce was accepted. That
 * of AB_MEANS_PASSWORD_OR_NONCE cannot be known by the number: false. */
int ab_meaning_accepts_nonce(enum ab_meaning meaning);

/* The word of a meaning in a map's text; NULL: it has none. */
const char *ab_meaning_word(enum ab_meaning meaning);

/* All words, separated by a comma and a blank. */
#define AB_MEANING_WORDS                                 \
	"wrong_password, unknown_user, password_or_nonce, "  \
	"password_or_timeout, error, backend_error, stale, " \
	"no_credentials, mismatch, ignore"

/* Where a text is wrong, and why. */
struct ab_results_fault
{
	const char *why; /* a static sentence without its end */
	size_t at;		 /* bytes before the wrong word */
	size_t len;		 /* of the wrong word; 0: it is missing */
};

/*
 * Reads "-1=error, -2=wrong_password, ...". Blanks may stand around numbers,
 * words, = and commas. Each number from AB_RC_MIN to -1 once at the most; what is
 * not named means nothing. 0, or -1 with *fault filled in and *map undefined.
 */
int ab_results_parse(struct ab_result_map *map, const char *text, size_t len,
		struct ab_results_fault *fault);

#endif
