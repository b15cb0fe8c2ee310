/*
 * authban: the URL of a Redis server, of its sentinels or of a Redis Cluster
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
	if(!decode(url->place[0].host, text, len))
		return "the path of the socket is too long";
	if(text[len] == '?') {
		if(strncmp(text + len, "?db=", 4) != 0)
			return "only ?db=N may follow the path";
		url->db = number(text + len + 4, strlen(text + len + 4), 9999);
	}
	return url->db < 0 ? "db is not a number" : NULL;
}

/* "host", "host:port", "[host]:port"; moves *text behind it. */
static const char *parse_place(struct ab_place *place, const char **text)
{
	const char *host = *text, *end = *text + strcspn(*text, ",/");
	const char *p = *text;
	size_t len;

	if(*p == '[') {
		host++;
		len = strcspn(host, "]");
		if(host[len] != ']')
			return "a [ has no ]";
		p = host + len + 1;
		end = p + strcspn(p, ",/");
	} else {
		len = strcspn(p, ":,/");
		p += len;
	}
	if(len == 0 || !decode(place->host, host, len))
		return "there is no host";
	if(*p == ':') {
		place->port = number(p + 1, (size_t)(end - p - 1), 65535);
		if(place->port < 1)
			return "the port is not a number from 1 to 65535";
		p = end;
	}
	if(p != end)
		return "something stands behind the host";
	*text = end;
	return NULL;
}

static const char *parse_places(
		struct ab_url *url, const char **text, int default_port)
{
	const char *wrong;

	for(;;) {
		struct ab_place *place = &url->place[url->places];

		place->port = default_port;
		wrong = parse_place(place, text);
		if(wrong)
			return wrong;
		url->places++;
		if(**text != ',')
			return NULL;
		if(url->kind == AB_URL_SERVER)
			return "only redis+sentinel:// and redis+cluster:// name several"
				   " hosts";
		if(url->places == AB_URL_PLACES)
			return "there are more than 8 hosts";
		(*text)++;
	}
}

/* "/db", or nothing */
static const char *parse_db(struct ab_url *url, const char *text)
{
	if(*text == '/' && text[1] != '\0')
		url->db = number(text + 1, strlen(text + 1), 9999);
	return url->db < 0 ? "the database is not a number" : NULL;
}

static const char *parse_master(struct ab_url *url, const char *text)
{
	size_t len = *text == '/' ? strcspn(text + 1, "/") : 0;

	if(len == 0)
		return "the name of the master is missing behind the sentinels";
	if(!decode(url->master, text + 1, len) || !ab_host_ok(text + 1, len))
		return "the name of the master has other characters than letters,"
			   " digits, . : - and _";
	return parse_db(url, text + 1 + len);
}

static const char *parse_scheme(struct ab_url *url, const char **text)
{
	static const struct
	{
		const char *name;
		enum ab_url_kind kind;
		bool is_unix, tls;
	} schemes[] = {{"redis://", AB_URL_SERVER, false, false},
			{"rediss://", AB_URL_SERVER, false, true},
			{"redis+unix://", AB_URL_SERVER, true, false},
			{"redis+sentinel://", AB_URL_SENTINEL, false, false},
			{"rediss+sentinel://", AB_URL_SENTINEL, false, true},
			{"redis+cluster://", AB_URL_CLUSTER, false, false},
			{"rediss+cluster://", AB_URL_CLUSTER, false, true}};
	size_t i;

	for(i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = strlen(schemes[i].name);

		if(strncmp(*text, schemes[i].name, len) != 0)
			continue;
		url->kind = schemes[i].kind;
		url->is_unix = schemes[i].is_unix;
		url->tls = schemes[i].tls;
		*text += len;
		return NULL;
	}
	return "it begins with none of them";
}

const char *ab_url_parse(struct ab_url *url, const char *text)
{
	const char *wrong;

	memset(url, 0, sizeof(*url));
	wrong = parse_scheme(url, &text);
	if(!wrong)
		wrong = parse_login(url, &text);
	if(wrong)
		return wrong;
	if(url->is_unix) {
		url->places = 1;
		return parse_socket(url, text);
	}
	wrong = parse_places(
			url, &text, url->kind == AB_URL_SENTINEL ? 26379 : 6379);
	if(wrong)
		return wrong;
	if(url->kind == AB_URL_SENTINEL)
		return parse_master(url, text);
	if(url->kind == AB_URL_CLUSTER && text[strspn(text, "/0")] != '\0')
		return "a Redis Cluster has no other database than 0";
	return parse_db(url, text);
}

bool ab_host_is_local(const char *name)
{
	static const char loopback4[] = "127.0.0.0/8", loopback6[] = "::1";
	struct ab_prefix v4, v6, host;

	if(strcmp(name, "localhost") == 0)
		return true;
	ab_prefix_parse(&v4, loopback4, sizeof(loopback4) - 1, NULL);
	ab_prefix_parse(&v6, loopback6, sizeof(loopback6) - 1, NULL);
	/* "127.0.0.1/7" is a network for us, and a name for the resolver */
	return !strchr(name, '/')
		   && ab_prefix_parse(&host, name, strlen(name), NULL) == 0
		   && (ab_prefix_contains(&v4, &host.addr)
				   || ab_prefix_contains(&v6, &host.addr));
}

const char *ab_url_remote(const struct ab_url *url)
{
	unsigned i;

	for(i = 0; !url->is_unix && i < url->places; i++)
		if(!ab_host_is_local(url->place[i].host))
			return url->place[i].host;
	return NULL;
}

bool ab_host_ok(const char *host, size_t len)
{
	size_t i;

	for(i = 0; i < len; i++)
		if(host[i] == '\0'
				|| !strchr(
						"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
						"0123456789_.:-",
						host[i]))
			return false;
	return len > 0 && len < AB_URL_PART;
}

bool ab_place_equal(const struct ab_place *a, const struct ab_place *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}
