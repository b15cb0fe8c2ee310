/*
 * authban: HMAC-SHA256 and the keys made from the cluster key
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_mac.h"

#include "ab_siphash.h"
#include "authban_params.h"

#include "core/crypto/sha256.h"
#include "core/dprint.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define NAME_BYTES 256 /* of a user, or a realm, that tell it from others */
#define BLOCK SHA256_BLOCK_LENGTH
#define SECRET_MIN 32

/* The two inner states of HMAC, hashed once per key. */
struct hmac_key
{
	SHA256_CTX inner, outer;
};

/* Everything that is derived of one cluster key. */
struct keys
{
	struct hmac_key token, wire, snapshot, privacy;
	struct ab_mac token_mac, wire_mac, snapshot_mac, privacy_mac;
	uint8_t user[16], nonce[16], upstream[16];
};

/* The first is used to sign; the second, if there is one, only to check. */
static struct keys keys[2];
static bool keys_shared, has_old;

static void hmac_prepare(struct hmac_key *k, const void *key, size_t len)
{
	uint8_t pad[BLOCK] = {0};
	int i;

	sr_SHA256_Init(&k->inner);
	if(len > BLOCK) {
		sr_SHA256_Update(&k->inner, key, len);
		sr_SHA256_Final(pad, &k->inner);
		sr_SHA256_Init(&k->inner);
	} else {
		memcpy(pad, key, len);
	}
	for(i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36;
	sr_SHA256_Update(&k->inner, pad, BLOCK);
	for(i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	sr_SHA256_Init(&k->outer);
	sr_SHA256_Update(&k->outer, pad, BLOCK);
}

static void hmac_sign(const void *key, const void *data, size_t len,
		uint8_t out[static AB_MAC_LEN])
{
	const struct hmac_key *k = key;
	SHA256_CTX ctx = k->inner;

	sr_SHA256_Update(&ctx, data, len);
	sr_SHA256_Final(out, &ctx);
	ctx = k->outer;
	sr_SHA256_Update(&ctx, out, SHA256_DIGEST_LENGTH);
	sr_SHA256_Final(out, &ctx);
}

void authban_hmac_sha256(const void *key, size_t key_len, const void *data,
		size_t len, uint8_t out[static AB_MAC_LEN])
{
	struct hmac_key k;

	hmac_prepare(&k, key, key_len);
	hmac_sign(&k, data, len, out);
}

int authban_random(void *out, size_t n)
{
	if(getrandom(out, n, 0) == (ssize_t)n)
		return 0;
	LM_ERR("cannot get random bytes: %s\n", strerror(errno));
	return -1;
}

/* A key of 0 bytes is none. False (logged): too short. */
static bool long_enough(const char *param, const char *which, const char *key)
{
	int len = (int)strlen(key);

	if(len == 0 || len >= SECRET_MIN)
		return true;
	LM_ERR("parameter %s gives a%s secret of %d bytes; allowed is a secret of"
		   " %d bytes or more, the same on every proxy\n",
			param, which, len, SECRET_MIN);
	return false;
}

/* The cluster keys as configured; both empty: there is none. -1 (logged): they are
 * unusable. */
static int read_cluster_keys(char *key, char *old, int size)
{
	const char *param = "cluster_key";

	old[0] = '\0';
	if(*authban_params.cluster_key_file) {
		param = "cluster_key_file";
		if(authban_read_secrets(
				   param, authban_params.cluster_key_file, key, old, size)
				< 0)
			return -1;
	} else {
		memcpy(key, authban_params.cluster_key,
				strlen(authban_params.cluster_key) + 1);
	}
	return long_enough(param, "", key) && long_enough(param, " second", old)
				   ? 0
				   : -1;
}

static void derive(const char *secret, size_t len, const char *label,
		uint8_t out[static AB_MAC_LEN])
{
	authban_hmac_sha256(secret, len, label, strlen(label), out);
}

static void derive_all(struct keys *k, const char *secret, size_t len)
{
	uint8_t key[AB_MAC_LEN];

	derive(secret, len, "authban token 1", key);
	hmac_prepare(&k->token, key, sizeof(key));
	derive(secret, len, "authban wire 1", key);
	hmac_prepare(&k->wire, key, sizeof(key));
	derive(secret, keys_shared ? len : 0, "authban snapshot 1", key);
	hmac_prepare(&k->snapshot, key, sizeof(key));
	derive(secret, len, "authban privacy 1", key);
	hmac_prepare(&k->privacy, key, sizeof(key));
	derive(secret, len, "authban user 1", key);
	memcpy(k->user, key, sizeof(k->user));
	derive(secret, len, "authban upstream 1", key);
	memcpy(k->upstream, key, sizeof(k->upstream));
	k->token_mac = (struct ab_mac){hmac_sign, &k->token};
	k->wire_mac = (struct ab_mac){keys_shared ? hmac_sign : NULL, &k->wire};
	k->snapshot_mac = (struct ab_mac){hmac_sign, &k->snapshot};
	k->privacy_mac = (struct ab_mac){hmac_sign, &k->privacy};
}

int authban_keys_init(void)
{
	/* a cluster key is at most 1024 bytes long */
	static char secret[1025], old[1025];
	size_t len;

	if(read_cluster_keys(secret, old, sizeof(secret)) < 0)
		return -1;
	len = strlen(secret);
	keys_shared = len > 0;
	if(!keys_shared) {
		len = AB_MAC_LEN;
		if(authban_random(secret, len) < 0)
			return -1;
	}
	derive_all(&keys[0], secret, len);
	has_old = *old != '\0';
	if(has_old)
		derive_all(&keys[1], old, strlen(old));
	memset(secret, 0, sizeof(secret));
	memset(old, 0, sizeof(old));
	return 0;
}

int authban_nonce_key_init(const char *secret)
{
	static const char label[] = "authban nonce 1";
	uint8_t own[AB_MAC_LEN], key[AB_MAC_LEN];
	int i;

	for(i = 0; i < 2; i++) {
		if(i == 1 && !has_old)
			break;
		if(!secret || !*secret) {
			if(authban_random(own, sizeof(own)) < 0)
				return -1;
		} else {
			hmac_sign(&keys[i].token, secret, strlen(secret), own);
		}
		authban_hmac_sha256(own, sizeof(own), label, sizeof(label) - 1, key);
		memcpy(keys[i].nonce, key, sizeof(keys[i].nonce));
	}
	return 0;
}

const uint8_t *authban_nonce_key(bool old)
{
	return keys[old].nonce;
}

const uint8_t *authban_upstream_key(bool old)
{
	return keys[old].upstream;
}

bool authban_keys_shared(void)
{
	return keys_shared;
}

bool authban_keys_old(void)
{
	return has_old;
}

const struct ab_mac *authban_mac_token(bool old)
{
	return &keys[old].token_mac;
}

const struct ab_mac *authban_mac_wire(bool old)
{
	return &keys[old].wire_mac;
}

const struct ab_mac *authban_mac_snapshot(bool old)
{
	return &keys[old].snapshot_mac;
}

const struct ab_mac *authban_mac_privacy(void)
{
	return &keys[0].privacy_mac;
}

void authban_keyed_restore(const uint8_t key[static 16])
{
	memcpy(keys[0].user, key, sizeof(keys[0].user));
}

void authban_keyed_key(uint8_t out[static 16])
{
	memcpy(out, keys[0].user, 16);
}

uint64_t authban_keyed_hash(const void *data, size_t len)
{
	uint64_t h = ab_siphash13(keys[0].user, data, len);

	return h ? h : 1;
}

uint64_t authban_user_hash(const str *name, const str *realm)
{
	char text[2 * NAME_BYTES + 1];
	size_t n, r;

	if(!name || name->len <= 0)
		return 0;
	n = name->len < NAME_BYTES ? (size_t)name->len : NAME_BYTES;
	memcpy(text, name->s, n);
	if(!realm || realm->len <= 0)
		return authban_keyed_hash(text, n);
	r = realm->len < NAME_BYTES ? (size_t)realm->len : NAME_BYTES;
	text[n] = '@';
	memcpy(text + n + 1, realm->s, r);
	return authban_keyed_hash(text, n + 1 + r);
}
