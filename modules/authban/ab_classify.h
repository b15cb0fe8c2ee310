/*
 * authban: what the result of an authentication function means
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The auth modules answer with a small number that mixes attacks, honest
 * first requests, old nonces and broken databases. This file turns it, with
 * what is known of the request, into one class of event. Only two kinds of
 * class count as a failure: a guess, and malformed credentials.
 */
#ifndef AB_CLASSIFY_H
#define AB_CLASSIFY_H

#include "ab_results.h"

#include <stdbool.h>

enum ab_class
{
	AB_CLASS_NONE = 0,				 /* nothing judged yet */
	AB_CLASS_NO_CREDENTIALS,		 /* the first request of every exchange */
	AB_CLASS_UNAUTHENTICATED_METHOD, /* ACK, CANCEL, PRACK pass for free */
	AB_CLASS_SUCCESS,
	AB_CLASS_WRONG_PASSWORD, /* counts */
	AB_CLASS_UNKNOWN_USER,	 /* counts, as a guess of a user */
	AB_CLASS_MALFORMED,		 /* counts: credentials no password can fit */
	AB_CLASS_STALE,			 /* old, reused or expired nonce or user */
	AB_CLASS_FOREIGN_NONCE,	 /* a nonce that did not come with our token */
	AB_CLASS_UNPROVEN,		 /* credentials, but no proof of the address */
	AB_CLASS_MISMATCH,		 /* right password, other From/To user */
	AB_CLASS_BACKEND_ERROR,	 /* the database or its like did not answer */
	AB_CLASS_UNKNOWN,		 /* a number that the back end does not document */
	AB_CLASS_COUNT
};

enum ab_credentials
{
	AB_CREDENTIALS_NONE = 0,
	AB_CREDENTIALS_MALFORMED, /* a needed part missing or of a wrong size */
	AB_CREDENTIALS_WELL_FORMED
};

struct ab_attempt
{
	int rc; /* what the auth function returned */
	enum ab_credentials credentials;
	bool free_method; /* ACK, CANCEL or PRACK: never challenged */
	bool proven;	  /* the sender can receive at its source address */
	bool nonce_ours;  /* the nonce came with the token that was shown; where
						 that cannot be known: true. For a number that means
						 AB_MEANS_PASSWORD_OR_NONCE: auth accepts it */
	bool timed_out;	  /* it took as long as it takes when nobody answers */
};

/* The class of one attempt, by the numbers of a back end. */
enum ab_class ab_classify(
		const struct ab_result_map *map, const struct ab_attempt *attempt);

/* Whether events of this class count against the source. */
bool ab_class_is_failure(enum ab_class class);

/*
 * Whether the credentials were turned away for the nonce or the token alone:
 * then the challenge says stale=true and the phone answers again by itself.
 */
bool ab_class_is_stale(enum ab_class class);

/* A fixed word in lower case, for logs and RPC. */
const char *ab_class_name(enum ab_class class);

#endif
