/*
 * authban: the URL of a Redis server
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_url.h"

#include "ab_source.h"

#include <string.h>

static int hex_digit(char c)
{
	if(c >= '0' && c <= '9')
		return c - '0';
	if(c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Copies len bytes, percent-decoded; false when too long or badly encoded. */
static bool decode(char out[static AB_URL_PART], const char *s, size_t len)
{
	size_t n = 0, i;

	for(i = 0; i < len; i++) {
		char c = s[i];

		if(c == '%') {
			int high = len - i > 2 ? hex_digit(s[i + 1]) : -1;
			int low = len - i > 2 ? hex_digit(s[i + 2]) : -1;

			if(high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if(c == '\0' || n + 1 >= AB_URL_PART)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return true;
}

/* Digits only, up to max; -1 otherwise. */
static int number(const char *s, size_t len, int max)
{
	int n = 0;
	size_t i;

	if(len < 1 || len > 6)
		return -1;
	for(i = 0; i < len; i++) {
		if(s[i] < '0' || s[i] > '9')
			return -1;
		n = n * 10 + (s[i] - '0');
	}
	return n <= max ? n : -1;
}

/* "user:password@" before the host; moves *text behind it. */
static const char *parse_login(struct ab_url *url, const char **text)
{
	size_t span = strcspn(*text, url->is_unix ? "/" : "/?");
	const char *at = NULL, *colon, *p;

	for(p = *text; p < *text + span; p++)
		if(*p == '@')
			at = p;
	if(!at)
		return NULL;
	colon = memchr(*text, ':', (size_t)(at - *text));
	if(!colon)
		return "the part before @ is not user:password";
	if(!decode(url->user, *text, (size_t)(colon - *text))
			|| !decode(url->password, colon + 1, (size_t)(at - colon - 1)))
		return "user or password is too long or not percent-encoded";
	*text = at + 1;
	return NULL;
}

static const char *parse_socket(struct ab_url *url, const char *text)
{
	size_t len = strcspn(text, "?");

	if(text[0] != '/')
		return "the path of the socket does not begin with /";
	if(!decode(url->host, text, len))
		return "the path of the socket is too long";
	if(text[len] == '?') {
		if(strncmp(text + len, "?db=", 4) != 0)
			return "only ?db=N may follow the path";
		url->db = number(text + len + 4, strlen(text + len + 4), 9999);
	}
	return url->db < 0 ? "db is not a number" : NULL;
}

static const char *parse_host(struct ab_url *url, const char *text)
{
	const char *host = text, *end = text + strcspn(text, "/");
	size_t len;

	if(*text == '[') {
		host++;
		len = strcspn(host, "]");
		if(host[len] != ']')
			return "a [ has no ]";
		text = host + len + 1;
	} else {
		len = strcspn(text, ":/");
		text += len;
	}
	if(len == 0 || !decode(url->host, host, len))
		return "there is no host";
	if(*text == ':') {
		url->port = number(text + 1, (size_t)(end - text - 1), 65535);
		if(url->port < 1)
			return "the port is not a number from 1 to 65535";
		text = end;
	}
	if(text != end)
		return "something stands behind the host";
	if(*end == '/' && end[1] != '\0')
		url->db = number(end + 1, strlen(end + 1), 9999);
	return url->db < 0 ? "the database is not a number" : NULL;
}

const char *ab_url_parse(struct ab_url *url, const char *text)
{
	static const char tcp[] = "redis://", tls[] = "rediss://",
					  local[] = "redis+unix://";
	const char *wrong;

	memset(url, 0, sizeof(*url));
	url->port = 6379;
	if(strncmp(text, tcp, sizeof(tcp) - 1) == 0) {
		text += sizeof(tcp) - 1;
	} else if(strncmp(text, tls, sizeof(tls) - 1) == 0) {
		text += sizeof(tls) - 1;
		url->tls = true;
	} else if(strncmp(text, local, sizeof(local) - 1) == 0) {
		text += sizeof(local) - 1;
		url->is_unix = true;
	} else {
		return "it does not begin with redis:// or redis+unix://";
	}
	wrong = parse_login(url, &text);
	if(wrong)
		return wrong;
	return url->is_unix ? parse_socket(url, text) : parse_host(url, text);
}

bool ab_url_is_local(const struct ab_url *url)
{
	static const char loopback4[] = "127.0.0.0/8", loopback6[] = "::1";
	struct ab_prefix v4, v6, host;

	if(url->is_unix || strcmp(url->host, "localhost") == 0)
		return true;
	ab_prefix_parse(&v4, loopback4, sizeof(loopback4) - 1, NULL);
	ab_prefix_parse(&v6, loopback6, sizeof(loopback6) - 1, NULL);
	return ab_prefix_parse(&host, url->host, strlen(url->host), NULL) == 0
		   && (ab_prefix_contains(&v4, &host.addr)
				   || ab_prefix_contains(&v6, &host.addr));
}
