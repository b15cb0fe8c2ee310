/*
 * authban: HMAC-SHA256 and the keys made from the cluster key
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * HMAC is RFC 2104 over Kamailio's SHA-256; test vectors: RFC 4231. Each use
 * has a key of its own, HMAC(cluster key, label), so that a MAC of one use
 * means nothing in another. Without a cluster key the keys are random and die
 * with this start.
 */
#ifndef AUTHBAN_MAC_H
#define AUTHBAN_MAC_H

#include "ab_mac.h"

#include "core/str.h"

void authban_hmac_sha256(const void *key, size_t key_len, const void *data,
		size_t len, uint8_t out[static AB_MAC_LEN]);

/* Reads the cluster key, or draws a random one; derives all keys. Before any
 * fork. 0, or -1 (logged). */
int authban_keys_init(void);

/* Whether the keys are those of a cluster, the same on every proxy. */
bool authban_keys_shared(void);

/* Whether there is a second key, which is accepted but not used to sign. In what
 * follows `old` asks for it; without one nothing is signed with it. */
bool authban_keys_old(void);

/* For tokens. */
const struct ab_mac *authban_mac_token(bool old);

/* For the check of nonces in tokens (ab_token.h): made of the cluster key and
 * `secret`, that of the nonces; NULL or empty: a secret of this start. 0, or -1
 * (logged). */
int authban_nonce_key_init(const char *secret);
const uint8_t *authban_nonce_key(bool old);

/* The same for nonces of a registrar behind this proxy. */
const uint8_t *authban_upstream_key(bool old);

/* For records in Redis; sign is NULL without a cluster key. */
const struct ab_mac *authban_mac_wire(bool old);

/* For the local snapshot: of the cluster key, else the same everywhere and good as a
 * checksum only. */
const struct ab_mac *authban_mac_snapshot(bool old);

/* For the keys of users' pseudonyms (authban_privacy.h). */
const struct ab_mac *authban_mac_privacy(void);

/* Takes over the key of hashes of an earlier start, so that what was kept of users
 * still means them. Only without a cluster key, and before any fork. */
void authban_keyed_restore(const uint8_t key[static 16]);

/* The key of those hashes. */
void authban_keyed_key(uint8_t out[static 16]);

/* A keyed hash of bytes, the same on every proxy of a cluster; never 0. */
uint64_t authban_keyed_hash(const void *data, size_t len);

/*
 * A keyed hash of user@realm, the same on every proxy of a cluster; 0 for no name.
 * Without a realm the name is taken as it stands, so "alice" of "example.com" and
 * "alice@example.com" are one user. It is all that is kept of a user.
 */
uint64_t authban_user_hash(const str *name, const str *realm);

/* Fills n bytes from the kernel's generator. 0, or -1 (logged). */
int authban_random(void *out, size_t n);

#endif
