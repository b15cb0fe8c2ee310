/*
 * authban: how proxies announce themselves and forget each other, in bytes
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_nodes.h"

#include "ab_bytes.h"
#include "ab_siphash.h"

#include <string.h>

#define FLAG_SIGNED 0x01u
#define KIND_FORGET 0xf0u
#define NODE_FIXED 18	/* bytes before the two texts */
#define FORGET_FIXED 31 /* the same */

static const char node_label[] = "node";
static const char forget_label[] = "forget";

void ab_node_id(const char *name, uint8_t id[static 4])
{
	static const uint8_t no_key[16];
	uint64_t h = ab_siphash13(no_key, name, strlen(name));

	memcpy(id, &h, 4);
}

static uint8_t *put_text(uint8_t *p, const char *text)
{
	size_t n = strlen(text);

	*p++ = (uint8_t)n;
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): its length goes before it */
	memcpy(p, text, n);
	return p + n;
}

/* The signature of a record at its end. Returns the length with it. */
static size_t sign(const struct ab_wire *w, const char *label, uint8_t *out,
		const uint8_t *end)
{
	size_t n = (size_t)(end - out);

	return n + ab_wire_sign(w, label, out, n, out + n);
}

/* Version and MAC; *end is put behind what is signed. */
static enum ab_wire_result check(const struct ab_wire *w, const char *label,
		const uint8_t *bytes, size_t len, size_t min, const uint8_t **end)
{
	size_t mac = w->mac.sign ? AB_WIRE_MAC_LEN : 0;

	if(len < min + mac || len > AB_NODE_RECORD_MAX)
		return AB_WIRE_LENGTH;
	if(bytes[0] == 0)
		return AB_WIRE_RANGE;
	if((w->mac.sign != NULL) != ((bytes[1] & FLAG_SIGNED) != 0))
		return AB_WIRE_UNSIGNED;
	*end = bytes + len - mac;
	return mac && !ab_wire_fits(w, label, bytes, len - mac, *end) ? AB_WIRE_MAC
																  : AB_WIRE_OK;
}

size_t ab_node_write(const struct ab_wire *w, const struct ab_node *node,
		uint8_t out[static AB_NODE_RECORD_MAX])
{
	uint8_t *p = out;

	*p++ = node->wire;
	*p++ = w->mac.sign ? FLAG_SIGNED : 0;
	p = ab_put(p, node->start, 8);
	p = ab_put(p, node->seen, 8);
	p = put_text(p, node->name);
	p = put_text(p, node->module);
	return sign(w, node_label, out, p);
}

enum ab_wire_result ab_node_read(const struct ab_wire *w, const uint8_t *field,
		size_t field_len, const uint8_t *bytes, size_t len, struct ab_node *out)
{
	const uint8_t *p = bytes + 2, *end;
	char module[AB_NAME_LEN + 1];
	enum ab_wire_result r;

	if(field_len != 8)
		return AB_WIRE_LENGTH;
	r = check(w, node_label, bytes, len, NODE_FIXED + 2, &end);
	if(r != AB_WIRE_OK)
		return r;
	memset(out, 0, sizeof(*out));
	out->wire = bytes[0];
	out->start = ab_get(&p, 8);
	out->seen = ab_get(&p, 8);
	if(!ab_wire_text(&p, end, out->name) || !ab_wire_text(&p, end, module))
		return AB_WIRE_LENGTH;
	memcpy(out->module, module, AB_NODE_MODULE_LEN);
	ab_node_id(out->name, out->id);
	memcpy(out->boot, field + 4, 4);
	/* a record may not be moved to another proxy's field */
	return memcmp(out->id, field, 4) == 0 && out->name[0]
						   && out->start <= out->seen
				   ? AB_WIRE_OK
				   : AB_WIRE_RANGE;
}

size_t ab_forget_write(const struct ab_wire *w, const struct ab_forgotten *f,
		uint8_t out[static AB_NODE_RECORD_MAX])
{
	uint8_t *p = out;

	*p++ = AB_WIRE_VERSION;
	*p++ = w->mac.sign ? FLAG_SIGNED : 0;
	*p++ = KIND_FORGET;
	p = ab_put(p, f->at, 8);
	p = ab_put(p, f->back, 8);
	memcpy(p, f->boot, 4);
	p = ab_put(p + 4, f->started, 8);
	p = put_text(p, f->name);
	p = put_text(p, f->by);
	return sign(w, forget_label, out, p);
}

bool ab_forget_is(const uint8_t *bytes, size_t len)
{
	return len > 2 && bytes[2] == KIND_FORGET;
}

enum ab_wire_result ab_forget_read(const struct ab_wire *w,
		const uint8_t *bytes, size_t len, struct ab_forgotten *out)
{
	const uint8_t *p = bytes + 3, *end;
	enum ab_wire_result r;

	if(len > 0 && bytes[0] > AB_WIRE_VERSION)
		return AB_WIRE_VERSION_UNKNOWN;
	if(len > 0 && bytes[0] < AB_WIRE_VERSION)
		return AB_WIRE_RANGE;
	r = check(w, forget_label, bytes, len, FORGET_FIXED + 2, &end);
	if(r != AB_WIRE_OK)
		return r;
	memset(out, 0, sizeof(*out));
	out->at = ab_get(&p, 8);
	out->back = ab_get(&p, 8);
	memcpy(out->boot, p, 4);
	p += 4;
	out->started = ab_get(&p, 8);
	if(!ab_wire_text(&p, end, out->name) || !ab_wire_text(&p, end, out->by)
			|| p != end)
		return AB_WIRE_LENGTH;
	ab_node_id(out->name, out->id);
	return out->at != 0 && out->name[0]
						   && (out->back == 0
								   || (out->back > out->at
										   && out->started >= out->back))
				   ? AB_WIRE_OK
				   : AB_WIRE_RANGE;
}
