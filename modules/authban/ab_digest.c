/*
 * authban: digest challenges and credentials in the text of a SIP message
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_digest.h"

#include <string.h>

struct header
{
	struct ab_span all, name, value;
};

bool ab_span_equal(const struct ab_span *a, const struct ab_span *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->s, b->s, a->len) == 0);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Whether the text begins with a word, which is in lower case. */
static bool begins(const char *s, size_t len, const char *word)
{
	size_t i;

	for(i = 0; word[i]; i++)
		if(i >= len || lower(s[i]) != word[i])
			return false;
	return true;
}

static bool is_word(const struct ab_span *s, const char *word)
{
	return s->len == strlen(word) && begins(s->s, s->len, word);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct ab_span trim(const char *s, const char *end)
{
	while(s < end && is_space(*s))
		s++;
	while(end > s && is_space(end[-1]))
		end--;
	return (struct ab_span){s, (size_t)(end - s)};
}

/* Behind the line that begins at s; lines that begin with a space belong to the
 * one before. */
static const char *line_end(const char *s, const char *end, bool folded)
{
	while(s < end) {
		while(s < end && *s != '\n' && *s != '\r')
			s++;
		if(s < end && *s++ == '\r' && s < end && *s == '\n')
			s++;
		if(!folded || s >= end || (*s != ' ' && *s != '\t'))
			return s;
	}
	return end;
}

/* The header at *at, which moves on; false at the end of all headers. */
static bool next_header(
		const char *text, size_t len, size_t *at, struct header *out)
{
	const char *end = text + len;

	while(*at < len) {
		const char *s = text + *at;
		const char *stop = line_end(s, end, true);
		const char *colon;

		if(*s == '\r' || *s == '\n')
			return false;
		out->all = (struct ab_span){s, (size_t)(stop - s)};
		*at = (size_t)(stop - text);
		colon = memchr(s, ':', (size_t)(stop - s));
		if(!colon)
			continue;
		out->name = trim(s, colon);
		out->value = trim(colon + 1, stop);
		return true;
	}
	return false;
}

/* Where the first line begins and where the headers do. */
static void skip_first_line(
		const char *text, size_t len, size_t *line, size_t *headers)
{
	const char *s = text, *end = text + len;

	while(s < end && (*s == '\r' || *s == '\n'))
		s++;
	*line = (size_t)(s - text);
	*headers = (size_t)(line_end(s, end, false) - text);
}

/* --- parameters --- */

/* One value, quoted or not; returns what is behind it. */
static const char *read_value(
		const char *s, const char *end, struct ab_span *out)
{
	const char *from;

	if(s < end && *s == '"') {
		for(from = ++s; s < end && *s != '"'; s++)
			if(*s == '\\' && s + 1 < end)
				s++;
		*out = (struct ab_span){from, (size_t)(s - from)};
		return s < end ? s + 1 : end;
	}
	for(from = s; s < end && *s != ',' && !is_space(*s); s++)
		;
	*out = (struct ab_span){from, (size_t)(s - from)};
	return s;
}

static void keep(struct ab_digest *d, const struct ab_span *name,
		const struct ab_span *value)
{
	const struct
	{
		const char *name;
		struct ab_span *to;
	} known[] = {{"username", &d->username}, {"realm", &d->realm},
			{"nonce", &d->nonce}, {"uri", &d->uri}, {"response", &d->response},
			{"qop", &d->qop}, {"nc", &d->nc}, {"cnonce", &d->cnonce},
			{"stale", &d->stale}, {"opaque", &d->opaque}};
	size_t i;

	for(i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if(!is_word(name, known[i].name))
			continue;
		d->odd |= known[i].to->s != NULL;
		if(!known[i].to->s)
			*known[i].to = *value;
	}
	d->odd |= d->realm.len && memchr(d->realm.s, '\\', d->realm.len);
}

/* A parameter with one of the commas beside it. */
static struct ab_span cut_of(
		const char *begin, const char *from, const char *to, const char *end)
{
	const char *s = from;

	while(s > begin && is_space(s[-1]))
		s--;
	if(s > begin && s[-1] == ',')
		return (struct ab_span){s - 1, (size_t)(to - (s - 1))};
	for(s = to; s < end && is_space(*s); s++)
		;
	if(s < end && *s == ',')
		return (struct ab_span){from, (size_t)(s + 1 - from)};
	return (struct ab_span){from, (size_t)(to - from)};
}

/* name=value, name="value", ...; ends where that form does: at a second
 * challenge in the same header, for instance. */
static void read_parameters(const char *s, const char *end, struct ab_digest *d)
{
	struct ab_span name, value;
	const char *begin = s, *from;

	for(;;) {
		while(s < end && (is_space(*s) || *s == ','))
			s++;
		for(from = s; s < end && *s != '=' && *s != ',' && !is_space(*s); s++)
			;
		name = (struct ab_span){from, (size_t)(s - from)};
		while(s < end && is_space(*s))
			s++;
		if(s >= end || *s != '=') {
			d->odd |= from < end;
			return;
		}
		for(s++; s < end && is_space(*s); s++)
			;
		s = read_value(s, end, &value);
		if(!d->opaque.s && is_word(&name, "opaque"))
			d->opaque_cut = cut_of(begin, from, s, end);
		keep(d, &name, &value);
	}
}

/* --- headers --- */

/* Whether a header is of the kind that is looked for. */
static bool is_kind(enum ab_digest_kind kind, const struct ab_span *name,
		struct ab_digest *out)
{
	bool challenge = kind == AB_DIGEST_CHALLENGE;

	out->proxy = is_word(
			name, challenge ? "proxy-authenticate" : "proxy-authorization");
	return out->proxy
		   || is_word(name, challenge ? "www-authenticate" : "authorization");
}

void ab_digest_begin(struct ab_digest_scan *scan, enum ab_digest_kind kind,
		const char *text, size_t len)
{
	size_t line;

	*scan = (struct ab_digest_scan){text, len, 0, kind};
	skip_first_line(text, len, &line, &scan->at);
}

bool ab_digest_next(struct ab_digest_scan *scan, struct ab_digest *out)
{
	struct header h;

	while(next_header(scan->text, scan->len, &scan->at, &h)) {
		memset(out, 0, sizeof(*out));
		if(!is_kind(scan->kind, &h.name, out)
				|| !begins(h.value.s, h.value.len, "digest") || h.value.len < 7
				|| !is_space(h.value.s[6]))
			continue;
		out->header = h.all;
		out->value = h.value;
		read_parameters(h.value.s + 7, h.value.s + h.value.len, out);
		return true;
	}
	return false;
}

bool ab_digest_same_realm(
		const struct ab_digest *cred, const struct ab_digest *challenge)
{
	const struct ab_span *a = &cred->realm, *b = &challenge->realm;
	size_t i = 0;

	if(a->len == b->len)
		while(i < a->len && lower(a->s[i]) == lower(b->s[i]))
			i++;
	return cred->odd || (a->len == b->len && i == a->len);
}

bool ab_digest_is_stale(const struct ab_digest *d)
{
	return is_word(&d->stale, "true");
}

bool ab_digest_is_well_formed(const struct ab_digest *d)
{
	return d->username.len && d->realm.len && d->nonce.len && d->uri.len
		   && (d->response.len == 32 || d->response.len == 64)
		   && (!d->qop.len || (d->nc.len && d->cnonce.len));
}

/* Up to the tag, which the same phone changes; a tag stands behind the URI. */
static struct ab_span without_tag(struct ab_span value)
{
	size_t i = value.len;

	while(i > 0) {
		i--;
		if(value.s[i] == '<')
			break;
		if(begins(value.s + i, value.len - i, ";tag="))
			return (struct ab_span){value.s, i};
	}
	return value;
}

static bool read_first_line(
		struct ab_request *out, const char *s, const char *end)
{
	const char *first = memchr(s, ' ', (size_t)(end - s));
	const char *second =
			first ? memchr(first + 1, ' ', (size_t)(end - first - 1)) : NULL;

	if(!second)
		return false;
	out->method = (struct ab_span){s, (size_t)(first - s)};
	out->uri = (struct ab_span){first + 1, (size_t)(second - first - 1)};
	return !begins(s, (size_t)(end - s), "sip/2.0 ");
}

bool ab_request_read(struct ab_request *out, const char *text, size_t len)
{
	struct header h;
	size_t line, at, i;
	int from = 0, to = 0;

	memset(out, 0, sizeof(*out));
	skip_first_line(text, len, &line, &at);
	if(!read_first_line(out, text + line, text + at))
		return false;
	while(next_header(text, len, &at, &h)) {
		if(is_word(&h.name, "from") || is_word(&h.name, "f")) {
			out->from = without_tag(h.value);
			from++;
		} else if(is_word(&h.name, "to") || is_word(&h.name, "t")) {
			out->to = h.value;
			to++;
		}
	}
	for(i = 0; i < out->to.len && !out->in_dialog; i++)
		out->in_dialog = begins(out->to.s + i, out->to.len - i, ";tag=");
	return from == 1 && to == 1;
}

bool ab_header_find(
		const char *text, size_t len, const char *name, struct ab_span *value)
{
	struct header h;
	size_t line, at;

	skip_first_line(text, len, &line, &at);
	while(next_header(text, len, &at, &h))
		if(is_word(&h.name, name)) {
			*value = h.value;
			return true;
		}
	return false;
}
