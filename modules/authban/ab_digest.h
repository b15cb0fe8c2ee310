/*
 * authban: digest challenges and credentials in the text of a SIP message
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * For messages that Kamailio's parser may not touch any more: a request that lies
 * in shared memory, a reply that has been built already. Nothing is copied; all
 * spans point into the text. Every text is accepted, whatever bytes it holds, and
 * is read once from start to end, so the time is linear in its length. A single CR
 * ends a line as well: some registrars read it so, and nobody honest sends it.
 */
#ifndef AB_DIGEST_H
#define AB_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

struct ab_span
{
	const char *s;
	size_t len;
};

bool ab_span_equal(const struct ab_span *a, const struct ab_span *b);

enum ab_digest_kind
{
	AB_DIGEST_CHALLENGE,  /* WWW-Authenticate, Proxy-Authenticate */
	AB_DIGEST_CREDENTIALS /* Authorization, Proxy-Authorization */
};

/* One such header of the scheme Digest. Values are without their quotes, escapes
 * stay; the first of two equal names counts; what is missing is empty. */
struct ab_digest
{
	/* Others may read another realm out of it: a parameter that is there twice, an
	 * escape in the realm, text that is no parameter. No phone writes so. */
	bool odd;
	bool proxy;			   /* of the two headers of its kind, the proxy's */
	struct ab_span header; /* all of it, its line end included */
	struct ab_span value;  /* behind the colon, without spaces at its ends */
	struct ab_span username, realm, nonce, uri, response, qop, nc, cnonce,
			stale, opaque;
	struct ab_span opaque_cut; /* what to cut out to have no opaque */
};

struct ab_digest_scan
{
	const char *text;
	size_t len, at;
	enum ab_digest_kind kind;
};

void ab_digest_begin(struct ab_digest_scan *scan, enum ab_digest_kind kind,
		const char *text, size_t len);

/* Whether credentials may be taken for those of the challenge's realm: by the
 * most generous of readers, so that no spelling hides them from us. */
bool ab_digest_same_realm(
		const struct ab_digest *cred, const struct ab_digest *challenge);

/* The next header of the kind; false: there is none. */
bool ab_digest_next(struct ab_digest_scan *scan, struct ab_digest *out);

/* A challenge that says stale=true: the password was not what was wrong. */
bool ab_digest_is_stale(const struct ab_digest *d);

/* Credentials with all parts that some password could fit. */
bool ab_digest_is_well_formed(const struct ab_digest *d);

/* What tells a request from others, apart from its credentials. */
struct ab_request
{
	struct ab_span method, uri;
	struct ab_span from; /* the header's value without its tag */
	struct ab_span to;	 /* the header's value */
	bool in_dialog;		 /* To has a tag */
};

/* False: no request, or From or To is missing or there twice. */
bool ab_request_read(struct ab_request *out, const char *text, size_t len);

/* The value of the first header of that name (in lower case) in a message, without
 * spaces at its ends; false: there is none. */
bool ab_header_find(
		const char *text, size_t len, const char *name, struct ab_span *value);

#endif
