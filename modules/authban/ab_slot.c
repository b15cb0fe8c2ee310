/*
 * authban: slots of a Redis Cluster, and where its nodes send us
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_slot.h"

#include <stdint.h>
#include <string.h>

/* CRC-16/XMODEM, bit by bit: it runs a few times per connection */
static unsigned crc16(const char *p, size_t len)
{
	unsigned crc = 0;
	int bit;

	while(len-- > 0) {
		crc ^= (unsigned)(uint8_t)*p++ << 8;
		for(bit = 0; bit < 8; bit++)
			crc = (crc & 0x8000u) ? crc << 1 ^ 0x1021u : crc << 1;
		crc &= 0xffffu;
	}
	return crc;
}

unsigned ab_slot_of(const char *key, size_t len)
{
	const char *open = memchr(key, '{', len), *close;

	if(open) {
		open++;
		close = memchr(open, '}', len - (size_t)(open - key));
		if(close && close > open)
			return crc16(open, (size_t)(close - open)) % AB_SLOTS;
	}
	return crc16(key, len) % AB_SLOTS;
}

/* Digits up to `end`; -1: none, others, or too many. */
static int digits(const char *p, const char *end)
{
	int n = 0;

	if(p >= end || end - p > 5)
		return -1;
	for(; p < end; p++) {
		if(*p < '0' || *p > '9')
			return -1;
		n = n * 10 + (*p - '0');
	}
	return n;
}

enum ab_redirect ab_redirect_read(
		const char *text, size_t len, struct ab_place *place)
{
	const char *end = text + len, *slot, *host, *colon;
	enum ab_redirect kind;
	size_t host_len;

	if(len > 6 && memcmp(text, "MOVED ", 6) == 0)
		kind = AB_REDIRECT_MOVED;
	else if(len > 4 && memcmp(text, "ASK ", 4) == 0)
		kind = AB_REDIRECT_ASK;
	else
		return AB_REDIRECT_NONE;
	slot = text + (kind == AB_REDIRECT_MOVED ? 6 : 4);
	host = memchr(slot, ' ', (size_t)(end - slot));
	if(!host || digits(slot, host) < 0 || digits(slot, host) >= AB_SLOTS)
		return AB_REDIRECT_NONE;
	host++;
	/* an IPv6 address has colons too: the last one counts */
	for(colon = end; colon > host && colon[-1] != ':'; colon--)
		;
	if(colon == host)
		return AB_REDIRECT_NONE;
	host_len = (size_t)(colon - 1 - host);
	place->port = digits(colon, end);
	if(place->port < 1 || place->port > 65535
			|| (host_len > 0 && !ab_host_ok(host, host_len)))
		return AB_REDIRECT_NONE;
	memcpy(place->host, host, host_len);
	place->host[host_len] = '\0';
	return kind;
}
