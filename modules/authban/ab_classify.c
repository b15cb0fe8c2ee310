/*
 * authban: what the result of an authentication function means
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The numbers are those of auth_cfg_result in Kamailio's modules/auth/api.h,
 * the same from 5.6 to master.
 */
#include "ab_classify.h"

#include <stddef.h>

enum
{
	RC_OK = 1,
	RC_ERROR = -1,
	RC_INVALID_PASSWORD = -2,
	RC_USER_UNKNOWN = -3,
	RC_STALE_NONCE = -4,
	RC_NO_CREDENTIALS = -5,
	RC_NONCE_REUSED = -6,
	RC_USERNAME_EXPIRED = -7,
	RC_USER_MISMATCH = -8
};

/* -1 says four different things; see the table in docs and README. */
static enum ab_class classify_error(const struct ab_attempt *a)
{
	if(a->credentials == AB_CREDENTIALS_MALFORMED)
		return a->proven ? AB_CLASS_MALFORMED : AB_CLASS_UNPROVEN;
	if(!a->proven)
		return AB_CLASS_UNPROVEN;
	return a->nonce_ours ? AB_CLASS_BACKEND_ERROR : AB_CLASS_FOREIGN_NONCE;
}

enum ab_class ab_classify(const struct ab_attempt *a)
{
	if(a->free_method)
		return AB_CLASS_UNAUTHENTICATED_METHOD;
	if(a->credentials == AB_CREDENTIALS_NONE)
		return AB_CLASS_NO_CREDENTIALS;
	switch(a->rc) {
		case RC_OK:
			return AB_CLASS_SUCCESS;
		case RC_ERROR:
			return classify_error(a);
		case RC_INVALID_PASSWORD:
			return a->proven ? AB_CLASS_WRONG_PASSWORD : AB_CLASS_UNPROVEN;
		case RC_USER_UNKNOWN:
			return a->proven ? AB_CLASS_UNKNOWN_USER : AB_CLASS_UNPROVEN;
		case RC_STALE_NONCE:
		case RC_NONCE_REUSED:
		case RC_USERNAME_EXPIRED:
			return AB_CLASS_STALE;
		case RC_NO_CREDENTIALS:
			return AB_CLASS_NO_CREDENTIALS;
		case RC_USER_MISMATCH:
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
