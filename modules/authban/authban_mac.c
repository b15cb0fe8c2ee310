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

static struct hmac_key token_key, wire_key, snapshot_key, privacy_key;
static uint8_t user_key[16], nonce_key[16], upstream_key[16];
static bool keys_shared;

static struct ab_mac token_mac, wire_mac, snapshot_mac, privacy_mac;

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

/* The cluster key as configured; 0: there is none, -1 (logged): unusable. */
static int read_cluster_key(char *key, int size)
{
	const char *param = "cluster_key";
	int len;

	if(*authban_params.cluster_key_file) {
		param = "cluster_key_file";
		len = authban_read_secret(
				param, authban_params.cluster_key_file, key, size);
		if(len < 0)
			return -1;
	} else {
		len = (int)strlen(authban_params.cluster_key);
		memcpy(key, authban_params.cluster_key, len + 1);
	}
	if(len > 0 && len < SECRET_MIN) {
		LM_ERR("parameter %s gives a secret of %d bytes; allowed is a secret of"
			   " %d bytes or more, the same on every proxy\n",
				param, len, SECRET_MIN);
		return -1;
	}
	return len;
}

static void derive(const char *secret, size_t len, const char *label,
		uint8_t out[static AB_MAC_LEN])
{
	authban_hmac_sha256(secret, len, label, strlen(label), out);
}

int authban_keys_init(void)
{
	static char secret[1025]; /* a cluster key is at most 1024 bytes long */
	uint8_t key[AB_MAC_LEN];
	int len = read_cluster_key(secret, sizeof(secret));

	if(len < 0)
		return -1;
	keys_shared = len > 0;
	if(len == 0) {
		len = AB_MAC_LEN;
		if(authban_random(secret, len) < 0)
			return -1;
	}
	derive(secret, len, "authban token 1", key);
	hmac_prepare(&token_key, key, sizeof(key));
	derive(secret, len, "authban wire 1", key);
	hmac_prepare(&wire_key, key, sizeof(key));
	derive(secret, keys_shared ? len : 0, "authban snapshot 1", key);
	hmac_prepare(&snapshot_key, key, sizeof(key));
	derive(secret, len, "authban privacy 1", key);
	hmac_prepare(&privacy_key, key, sizeof(key));
	derive(secret, len, "authban user 1", key);
	memcpy(user_key, key, sizeof(user_key));
	derive(secret, len, "authban upstream 1", key);
	memcpy(upstream_key, key, sizeof(upstream_key));
	memset(secret, 0, sizeof(secret));
	token_mac = (struct ab_mac){hmac_sign, &token_key};
	wire_mac = (struct ab_mac){keys_shared ? hmac_sign : NULL, &wire_key};
	snapshot_mac = (struct ab_mac){hmac_sign, &snapshot_key};
	privacy_mac = (struct ab_mac){hmac_sign, &privacy_key};
	return 0;
}

int authban_nonce_key_init(const char *secret)
{
	static const char label[] = "authban nonce 1";
	uint8_t own[AB_MAC_LEN], key[AB_MAC_LEN];

	if(!secret || !*secret) {
		if(authban_random(own, sizeof(own)) < 0)
			return -1;
	} else {
		hmac_sign(&token_key, secret, strlen(secret), own);
	}
	authban_hmac_sha256(own, sizeof(own), label, sizeof(label) - 1, key);
	memcpy(nonce_key, key, sizeof(nonce_key));
	return 0;
}

const uint8_t *authban_nonce_key(void)
{
	return nonce_key;
}

const uint8_t *authban_upstream_key(void)
{
	return upstream_key;
}

bool authban_keys_shared(void)
{
	return keys_shared;
}

const struct ab_mac *authban_mac_token(void)
{
	return &token_mac;
}

const struct ab_mac *authban_mac_wire(void)
{
	return &wire_mac;
}

const struct ab_mac *authban_mac_snapshot(void)
{
	return &snapshot_mac;
}

const struct ab_mac *authban_mac_privacy(void)
{
	return &privacy_mac;
}

void authban_keyed_restore(const uint8_t key[static 16])
{
	memcpy(user_key, key, sizeof(user_key));
}

void authban_keyed_key(uint8_t out[static 16])
{
	memcpy(out, user_key, 16);
}

uint64_t authban_keyed_hash(const void *data, size_t len)
{
	uint64_t h = ab_siphash13(user_key, data, len);

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
