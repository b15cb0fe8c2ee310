/*
 * authban: source addresses in one canonical form
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_source.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void ab_addr_from_v4(struct ab_addr *a, const uint8_t v4[static 4])
{
	memcpy(a->b, v4_mapped, sizeof(v4_mapped));
	memcpy(a->b + sizeof(v4_mapped), v4, 4);
}

void ab_addr_from_v6(struct ab_addr *a, const uint8_t v6[static 16])
{
	memcpy(a->b, v6, sizeof(a->b));
}

bool ab_addr_is_v4(const struct ab_addr *a)
{
	return memcmp(a->b, v4_mapped, sizeof(v4_mapped)) == 0;
}

bool ab_addr_equal(const struct ab_addr *a, const struct ab_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

struct ab_prefix ab_prefix_make(const struct ab_addr *a, unsigned bits)
{
	struct ab_prefix p = {.addr = *a, .len = (uint8_t)bits};
	unsigned byte = bits / 8;

	if(byte < sizeof(p.addr.b)) {
		p.addr.b[byte] &= (uint8_t)(0xff00u >> (bits % 8));
		memset(p.addr.b + byte + 1, 0, sizeof(p.addr.b) - byte - 1);
	}
	return p;
}

struct ab_prefix ab_prefix_of_source(
		const struct ab_addr *a, unsigned v4_len, unsigned v6_len)
{
	return ab_prefix_make(a, ab_addr_is_v4(a) ? AB_V4_BITS + v4_len : v6_len);
}

bool ab_prefix_contains(const struct ab_prefix *p, const struct ab_addr *a)
{
	struct ab_prefix q = ab_prefix_make(a, p->len);

	/* an IPv6 network is none of IPv4, though the bytes of ::/32 say so */
	if(p->len < AB_V4_BITS && ab_addr_is_v4(a))
		return false;
	return ab_addr_equal(&p->addr, &q.addr);
}

/* A length of one to three digits; -1 for anything else. */
static int parse_length(const char *s, size_t len)
{
	int n = 0;
	size_t i;

	if(len < 1 || len > 3)
		return -1;
	for(i = 0; i < len; i++) {
		if(s[i] < '0' || s[i] > '9')
			return -1;
		n = n * 10 + (s[i] - '0');
	}
	return n;
}

static int parse_addr(struct ab_addr *a, const char *s, size_t len)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t bytes[16];

	if(len >= 2 && s[0] == '[' && s[len - 1] == ']') {
		s++;
		len -= 2;
	}
	if(len == 0 || len >= sizeof(text) || memchr(s, '\0', len) != NULL)
		return -1;
	memcpy(text, s, len);
	text[len] = '\0';
	if(inet_pton(AF_INET, text, bytes) == 1) {
		ab_addr_from_v4(a, bytes);
		return 0;
	}
	if(inet_pton(AF_INET6, text, bytes) == 1) {
		ab_addr_from_v6(a, bytes);
		return 0;
	}
	return -1;
}

int ab_prefix_parse(
		struct ab_prefix *p, const char *text, size_t len, bool *full)
{
	const char *slash = len ? memchr(text, '/', len) : NULL;
	size_t alen = slash ? (size_t)(slash - text) : len;
	struct ab_addr a;
	int bits = 128;

	if(parse_addr(&a, text, alen) < 0)
		return -1;
	if(slash) {
		bits = parse_length(slash + 1, len - alen - 1);
		/* an IPv4-mapped text counts its length over 128 bits already */
		if(bits >= 0 && ab_addr_is_v4(&a) && !memchr(text, ':', alen))
			bits += AB_V4_BITS;
		if(bits < 0 || bits > 128)
			return -1;
	}
	*p = ab_prefix_make(&a, (unsigned)bits);
	if(full)
		*full = slash == NULL;
	return ab_addr_equal(&p->addr, &a) ? 0 : -1;
}

char *ab_prefix_print(
		const struct ab_prefix *p, char out[static AB_PREFIX_TEXT])
{
	bool v4 = p->len >= AB_V4_BITS && ab_addr_is_v4(&p->addr);
	size_t used;

	inet_ntop(v4 ? AF_INET : AF_INET6, p->addr.b + (v4 ? 12 : 0), out,
			AB_PREFIX_TEXT);
	if(p->len < 128) {
		used = strlen(out);
		snprintf(out + used, AB_PREFIX_TEXT - used, "/%d",
				v4 ? p->len - AB_V4_BITS : p->len);
	}
	return out;
}
