/*
 * authban: what the result of an authentication function means
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_classify.h"

#include <stddef.h>

/* Malformed credentials count whatever else is broken: no password fits them. */
static enum ab_class classify_error(const struct ab_attempt *a)
{
	if(a->credentials == AB_CREDENTIALS_MALFORMED)
		return a->proven ? AB_CLASS_MALFORMED : AB_CLASS_UNPROVEN;
	if(!a->proven)
		return AB_CLASS_UNPROVEN;
	return a->nonce_ours ? AB_CLASS_BACKEND_ERROR : AB_CLASS_FOREIGN_NONCE;
}

/* The password, or the user's name, was guessed wrong. */
static enum ab_class guessed(const struct ab_attempt *a, enum ab_class class)
{
	return a->proven ? class : AB_CLASS_UNPROVEN;
}

static enum ab_class classify_refused(const struct ab_attempt *a)
{
	if(!a->proven || a->credentials == AB_CREDENTIALS_MALFORMED)
		return classify_error(a);
	return a->nonce_ours ? AB_CLASS_WRONG_PASSWORD : AB_CLASS_FOREIGN_NONCE;
}

enum ab_class ab_classify(
		const struct ab_result_map *map, const struct ab_attempt *a)
{
	if(a->free_method)
		return AB_CLASS_UNAUTHENTICATED_METHOD;
	if(a->credentials == AB_CREDENTIALS_NONE)
		return AB_CLASS_NO_CREDENTIALS;
	switch(ab_results_meaning(map, a->rc)) {
		case AB_MEANS_SUCCESS:
			return AB_CLASS_SUCCESS;
		case AB_MEANS_ERROR:
			return classify_error(a);
		case AB_MEANS_PASSWORD_OR_NONCE:
			return classify_refused(a);
		case AB_MEANS_PASSWORD_OR_TIMEOUT:
			return a->timed_out ? AB_CLASS_BACKEND_ERROR
								: guessed(a, AB_CLASS_WRONG_PASSWORD);
		case AB_MEANS_WRONG_PASSWORD:
			return guessed(a, AB_CLASS_WRONG_PASSWORD);
		case AB_MEANS_UNKNOWN_USER:
			return guessed(a, AB_CLASS_UNKNOWN_USER);
		case AB_MEANS_BACKEND_ERROR:
			return AB_CLASS_BACKEND_ERROR;
		case AB_MEANS_STALE:
			return AB_CLASS_STALE;
		case AB_MEANS_NO_CREDENTIALS:
			return AB_CLASS_NO_CREDENTIALS;
		case AB_MEANS_MISMATCH:
			return AB_CLASS_MISMATCH;
		default:
			return AB_CLASS_UNKNOWN;
	}
}

bool ab_class_is_failure(enum ab_class class)
{
	return class == AB_CLASS_WRONG_PASSWORD || class == AB_CLASS_UNKNOWN_USER
		   || class == AB_CLASS_MALFORMED;
}

bool ab_class_is_stale(enum ab_class class)
{
	return class == AB_CLASS_STALE || class == AB_CLASS_FOREIGN_NONCE
		   || class == AB_CLASS_UNPROVEN;
}

const char *ab_class_name(enum ab_class class)
{
	static const char *const names[AB_CLASS_COUNT] = {"none", "no_credentials",
			"unauthenticated_method", "success", "wrong_password",
			"unknown_user", "malformed", "stale", "foreign_nonce", "unproven",
			"mismatch", "backend_error", "unknown"};

	return (size_t) class < AB_CLASS_COUNT ? names[class] : "unknown";
}
