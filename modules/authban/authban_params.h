/*
 * authban: module parameters
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Every parameter is checked when it is read; a wrong one stops the start with
 * one sentence that names it, its value and what is allowed. What may change
 * while running is in authban_settings.h.
 */
#ifndef AUTHBAN_PARAMS_H
#define AUTHBAN_PARAMS_H

#include "ab_results.h"
#include "ab_url.h"

#include "authban_compat.h"
#include "authban_secret.h"
#include "authban_settings.h"

enum authban_proof_mode
{
	AUTHBAN_PROOF_TOKEN = 0, /* our token in opaque */
	AUTHBAN_PROOF_NONCE,	 /* auth's own check of the source address */
	AUTHBAN_PROOF_NONE		 /* only stream transports prove themselves */
};

/* Whether loopback and our own sockets are on the allow-list. */
enum authban_local
{
	AUTHBAN_LOCAL_AUTO = 0, /* yes, unless we listen on loopback only */
	AUTHBAN_LOCAL_YES,
	AUTHBAN_LOCAL_NO
};

/* Whether users are shown as keyed hashes alone. */
enum authban_privacy
{
	AUTHBAN_PRIVACY_OFF = 0,
	AUTHBAN_PRIVACY_ON
};

/* Fixed at start. Strings are never NULL. */
struct authban_params
{
	int size;
	int ipv4_prefix, ipv6_prefix;
	int early;				 /* drop banned datagrams before parsing */
	int watch_replies;		 /* judge by the replies that go downstream */
	int watch_403;			 /* a 403 is a refusal too */
	int sync_interval;		 /* ms between two batches */
	int redis_start_timeout; /* s to wait for Redis before SIP is served */
	const char *redis;		 /* "": stands alone */
	const char *redis_prefix;
	const char *redis_password_file;
	const char *redis_tls_ca, *redis_tls_cert, *redis_tls_key; /* PEM files */
	int redis_shards; /* 0 until authban_params_check() */
	int peer_changes; /* of one proxy that are believed in a minute; 0: all */
	const char *node;
	const char *cluster_key, *cluster_key_file;
	const char *allow, *allow_file;
	const char *policy_file;
	const char *snapshot;		/* a file; "": none */
	int snapshot_interval;		/* s between two of them */
	int snapshot_max_age;		/* s; what is older is not read */
	const char *event_callback; /* a function of the KEMI script */
	int challenge_limit;		/* a second and network; 0: no limit */
	int challenge_slip;			/* one in so many is answered; 0: none */
	int evidence;				/* offenders of whom it is kept; 0: none */
	int evidence_ttl;			/* s after the last failure */
	enum authban_privacy privacy;
	int privacy_rotate; /* s that a user is shown under one hash */
	const char *report_org, *report_contact, *report_domain; /* who reports */
	enum authban_proof_mode proof;
	enum authban_local allow_local;
	enum ab_backend backend;
	int feed_size;		 /* entries of imported lists; 0: none */
	int feed_ban;		 /* feed_action is ban */
	int backend_given;	 /* it is set, not left at its default */
	int backend_timeout; /* ms after which "no" means "no answer"; 0: never */
	const char *result_map;
};

extern struct authban_params authban_params;
extern param_export_t authban_param_exports[];

/*
 * Checks what single parameters cannot: pairs that contradict each other, and
 * settings of the auth module. Reads the password file. Fills in *url when
 * `redis` is not empty. 0, or -1 with one sentence logged. From mod_init.
 */
int authban_params_check(struct ab_url *url);

/* Whether proxies have a key in common. */
bool authban_has_cluster_key(void);

const char *authban_mode_name(int mode);
const char *authban_proof_mode_name(enum authban_proof_mode mode);
const char *authban_backend_name(enum ab_backend backend);

#endif
