/*
 * authban: what kind of trouble with Redis an error text tells of
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_trouble.h"

#include <stddef.h>
#include <string.h>

/* The first that fits. "AUTH: ERR max number of clients" is no matter of the login. */
static const struct
{
	const char *words;
	enum ab_trouble trouble;
} signs[] = {
		{"max number of clients", AB_TROUBLE_MAXCLIENTS},
		{"WRONGTYPE", AB_TROUBLE_WRONGTYPE},
		{"LOADING", AB_TROUBLE_LOADING},
		{"READONLY", AB_TROUBLE_READONLY},
		{"MASTERDOWN", AB_TROUBLE_READONLY},
		{"replica", AB_TROUBLE_READONLY},
		{"OOM", AB_TROUBLE_OOM},
		{"BUSY", AB_TROUBLE_BUSY},
		{"no_answer", AB_TROUBLE_TIMEOUT},
		{"timed out", AB_TROUBLE_TIMEOUT},
		{"name server", AB_TROUBLE_TIMEOUT},
		{"MOVED", AB_TROUBLE_MOVED},
		{"ASK ", AB_TROUBLE_MOVED},
		{"redirect", AB_TROUBLE_MOVED},
		{"CLUSTER", AB_TROUBLE_MOVED},
		{"CROSSSLOT", AB_TROUBLE_MOVED},
		{"TRYAGAIN", AB_TROUBLE_MOVED},
		{"SENTINEL", AB_TROUBLE_MOVED},
		{"TLS", AB_TROUBLE_TLS},
		{"redis_tls", AB_TROUBLE_TLS},
		{"WRONGPASS", AB_TROUBLE_AUTH},
		{"NOAUTH", AB_TROUBLE_AUTH},
		{"NOPERM", AB_TROUBLE_AUTH},
		{"protocol", AB_TROUBLE_PROTOCOL},
		{"not a time", AB_TROUBLE_PROTOCOL},
		{"unexpected reply", AB_TROUBLE_PROTOCOL},
		{"connect: ", AB_TROUBLE_REFUSED},
		{"read: ", AB_TROUBLE_CLOSED},
		{"send: ", AB_TROUBLE_CLOSED},
		{"closed", AB_TROUBLE_CLOSED},
};

enum ab_trouble ab_trouble_of(const char *error)
{
	size_t i;

	/* of an error that answers a login only the first word is kept */
	for(i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if(strstr(error, signs[i].words))
			return signs[i].trouble;
	return strncmp(error, "AUTH: ", 6) == 0 ? AB_TROUBLE_AUTH
											: AB_TROUBLE_OTHER;
}

const char *ab_trouble_name(enum ab_trouble t)
{
	static const char *const names[AB_TROUBLES] = {"timeout", "refused",
			"closed", "auth", "maxclients", "loading", "readonly", "oom",
			"busy", "moved", "protocol", "wrongtype", "tls", "other"};

	return (unsigned)t < AB_TROUBLES ? names[t] : "other";
}
