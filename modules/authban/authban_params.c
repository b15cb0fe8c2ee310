/*
 * authban: module parameters
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_params.h"

#include "ab_evidence.h"
#include "ab_feeds.h"
#include "ab_rate.h"
#include "ab_snapshot.h"
#include "ab_table.h"
#include "ab_wire.h"
#include "authban_policies.h"

#include "core/dprint.h"
#include "core/mem/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct authban_params authban_params = {.size = 262144,
		.ipv4_prefix = 32,
		.ipv6_prefix = 64,
		.early = 1,
		.sync_interval = 5,
		.redis_start_timeout = 2,
		.redis = "",
		.redis_prefix = "authban",
		.redis_password_file = "",
		.redis_tls_ca = "",
		.redis_tls_cert = "",
		.redis_tls_key = "",
		.peer_changes = 10000,
		.node = "",
		.cluster_key = "",
		.cluster_key_file = "",
		.allow = "",
		.allow_file = "",
		.policy_file = "",
		.event_callback = "",
		.snapshot = "",
		.snapshot_interval = 10,
		.snapshot_max_age = 86400,
		.evidence = 4096,
		.evidence_ttl = 7 * 86400,
		.privacy = AUTHBAN_PRIVACY_ON,
		.privacy_rotate = 7 * 86400,
		.report_org = "",
		.report_contact = "",
		.report_domain = "",
		.proof = AUTHBAN_PROOF_TOKEN,
		.allow_local = AUTHBAN_LOCAL_AUTO,
		.backend = AB_BACKEND_AUTH_DB,
		.backend_timeout = 1500,
		.result_map = ""};

/* --- words --- */

static const char *const mode_names[] = {"off", "dry_run", "ban"};
static const char *const local_names[] = {"auto", "yes", "no"};
static const char *const feed_names[] = {"strict", "ban"};
static const char *const privacy_names[] = {"off", "on"};
static const char *const proof_names[] = {"token", "nonce", "none"};
static const char *const backend_names[AB_BACKENDS] = {
		"auth_db", "radius", "uid_auth_db", "diameter", "custom"};

const char *authban_mode_name(int mode)
{
	return mode >= 0 && mode <= AB_MODE_BAN ? mode_names[mode] : "unknown";
}

const char *authban_proof_mode_name(enum authban_proof_mode mode)
{
	return (unsigned)mode <= AUTHBAN_PROOF_NONE ? proof_names[mode] : "unknown";
}

const char *authban_backend_name(enum ab_backend backend)
{
	return (unsigned)backend < AB_BACKENDS ? backend_names[backend] : "unknown";
}

static int word_index(const char *const *words, int n, const char *word)
{
	int i;

	for(i = 0; i < n; i++)
		if(strcmp(words[i], word) == 0)
			return i;
	return -1;
}

/* --- modparam --- */

enum row_kind
{
	ROW_NUMBER,
	ROW_TEXT,
	ROW_SECRET
};

/* A parameter that is fixed at start. */
struct row
{
	const char *name;
	enum row_kind kind;
	void *target;
	int min, max; /* of a number; of a text's length */
};

static const struct row rows[] = {
		{"size", ROW_NUMBER, &authban_params.size, AB_TABLE_MIN, AB_TABLE_MAX},
		{"ipv4_prefix", ROW_NUMBER, &authban_params.ipv4_prefix, 16, 32},
		{"ipv6_prefix", ROW_NUMBER, &authban_params.ipv6_prefix, 48, 128},
		{"early", ROW_NUMBER, &authban_params.early, 0, 1},
		{"watch_replies", ROW_NUMBER, &authban_params.watch_replies, 0, 1},
		{"watch_403", ROW_NUMBER, &authban_params.watch_403, 0, 1},
		{"sync_interval", ROW_NUMBER, &authban_params.sync_interval, 1, 1000},
		{"redis_start_timeout", ROW_NUMBER, &authban_params.redis_start_timeout,
				0, 60},
		{"redis", ROW_SECRET, &authban_params.redis, 0, 512},
		{"redis_prefix", ROW_TEXT, &authban_params.redis_prefix, 1,
				AB_WIRE_PREFIX_MAX},
		{"redis_password_file", ROW_TEXT, &authban_params.redis_password_file,
				0, 4096},
		{"redis_tls_ca", ROW_TEXT, &authban_params.redis_tls_ca, 0, 4096},
		{"redis_tls_cert", ROW_TEXT, &authban_params.redis_tls_cert, 0, 4096},
		{"redis_tls_key", ROW_TEXT, &authban_params.redis_tls_key, 0, 4096},
		{"redis_shards", ROW_NUMBER, &authban_params.redis_shards, 1,
				AB_WIRE_SHARDS_MAX},
		{"backend_timeout", ROW_NUMBER, &authban_params.backend_timeout, 0,
				600000},
		{"result_map", ROW_TEXT, &authban_params.result_map, 1, 1024},
		{"allow", ROW_TEXT, &authban_params.allow, 0, 4095},
		{"allow_file", ROW_TEXT, &authban_params.allow_file, 1, 4096},
		{"policy_file", ROW_TEXT, &authban_params.policy_file, 1, 4096},
		{"challenge_limit", ROW_NUMBER, &authban_params.challenge_limit, 0,
				AB_RATE_MAX},
		{"challenge_slip", ROW_NUMBER, &authban_params.challenge_slip, 0, 1000},
		{"event_callback", ROW_TEXT, &authban_params.event_callback, 1, 64},
		{"snapshot", ROW_TEXT, &authban_params.snapshot, 1, 4000},
		{"snapshot_interval", ROW_NUMBER, &authban_params.snapshot_interval, 1,
				3600},
		{"snapshot_max_age", ROW_NUMBER, &authban_params.snapshot_max_age, 1,
				AB_SNAPSHOT_AGE_MAX},
		{"peer_changes", ROW_NUMBER, &authban_params.peer_changes, 0, 1000000},
		{"evidence", ROW_NUMBER, &authban_params.evidence, 0, AB_EVIDENCE_MAX},
		{"feed_size", ROW_NUMBER, &authban_params.feed_size, 0, AB_FEEDS_MAX},
		{"evidence_ttl", ROW_NUMBER, &authban_params.evidence_ttl, 1,
				366 * 86400},
		{"privacy_rotate", ROW_NUMBER, &authban_params.privacy_rotate, 1,
				366 * 86400},
		{"report_org", ROW_TEXT, &authban_params.report_org, 1, 200},
		{"report_contact", ROW_TEXT, &authban_params.report_contact, 3, 254},
		{"report_domain", ROW_TEXT, &authban_params.report_domain, 1, 253},
		{"node", ROW_TEXT, &authban_params.node, 1, AB_NAME_LEN},
		{"cluster_key", ROW_SECRET, &authban_params.cluster_key, 32, 1024},
		{"cluster_key_file", ROW_TEXT, &authban_params.cluster_key_file, 1,
				4096},
};

static const struct row *find_row(const char *name)
{
	size_t i;

	for(i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if(strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

/* A number given as one, or as text. */
static int to_number(modparam_t type, void *val, int *out)
{
	char *end;
	long n;

	if(PARAM_TYPE_MASK(type) == PARAM_INT) {
		*out = (int)(long)val;
		return 0;
	}
	errno = 0;
	n = strtol((char *)val, &end, 10);
	if(errno != 0 || end == (char *)val || *end != '\0' || n < INT32_MIN
			|| n > INT32_MAX)
		return -1;
	*out = (int)n;
	return 0;
}

static int set_number(const char *name, modparam_t type, void *val, int min,
		int max, int *target)
{
	int n = 0;

	if(to_number(type, val, &n) == 0 && n >= min && n <= max) {
		*target = n;
		return 0;
	}
	if(PARAM_TYPE_MASK(type) == PARAM_INT)
		LM_ERR("parameter %s is %d; allowed is a number from %d to %d\n", name,
				n, min, max);
	else
		LM_ERR("parameter %s is \"%s\"; allowed is a number from %d to %d\n",
				name, (char *)val, min, max);
	return -1;
}

static int refuse_text(
		const struct row *row, const char *what, const char *shown)
{
	LM_ERR("parameter %s is %s%s; allowed is a text of %d to %d characters\n",
			row->name, what, shown, row->min, row->max);
	return -1;
}

static int set_text(const struct row *row, modparam_t type, void *val)
{
	char shown[64], *copy;
	int len;

	if(PARAM_TYPE_MASK(type) == PARAM_INT) {
		snprintf(shown, sizeof(shown), " %d", (int)(long)val);
		return refuse_text(
				row, "a number", row->kind == ROW_SECRET ? "" : shown);
	}
	len = (int)strlen((char *)val);
	if(len < row->min || len > row->max) {
		/* a secret is never shown, only how long it is */
		snprintf(shown, sizeof(shown), " \"%.50s\"", (char *)val);
		if(row->kind == ROW_SECRET)
			snprintf(shown, sizeof(shown), " of %d characters", len);
		return refuse_text(row, "a text", shown);
	}
	copy = pkg_malloc(len + 1);
	if(!copy) {
		PKG_MEM_ERROR;
		return -1;
	}
	memcpy(copy, val, len + 1);
	*(const char **)row->target = copy;
	return 0;
}

static int set_mode(modparam_t type, void *val)
{
	int mode = PARAM_TYPE_MASK(type) == PARAM_INT
					   ? (int)(long)val
					   : word_index(mode_names, 3, (char *)val);

	if(mode >= AB_MODE_OFF && mode <= AB_MODE_BAN) {
		authban_settings_preset()->mode = mode;
		return 0;
	}
	if(PARAM_TYPE_MASK(type) == PARAM_INT)
		LM_ERR("parameter mode is %d; allowed is ban, dry_run or off\n", mode);
	else
		LM_ERR("parameter mode is \"%s\"; allowed is ban, dry_run or off\n",
				(char *)val);
	return -1;
}

/* One of some words. 0 with *index, or -1 (logged). */
static int set_word(const char *name, modparam_t type, void *val,
		const char *const *words, int n, int *index)
{
	char number[16], list[128];
	int i, len = 0;

	if(PARAM_TYPE_MASK(type) != PARAM_INT) {
		*index = word_index(words, n, (char *)val);
		if(*index >= 0)
			return 0;
	}
	for(i = 0; i < n - 1 && len < (int)sizeof(list); i++)
		len += snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "",
				words[i]);
	snprintf(number, sizeof(number), "%d", (int)(long)val);
	LM_ERR("parameter %s is %s; allowed is %s or %s\n", name,
			PARAM_TYPE_MASK(type) == PARAM_INT ? number : (char *)val, list,
			words[n - 1]);
	return -1;
}

static int set_proof(modparam_t type, void *val)
{
	int i = 0, rc = set_word("proof", type, val, proof_names, 3, &i);

	if(rc == 0)
		authban_params.proof = (enum authban_proof_mode)i;
	return rc;
}

static int set_privacy(modparam_t type, void *val)
{
	int i = 0, rc = set_word("privacy", type, val, privacy_names, 2, &i);

	if(rc == 0)
		authban_params.privacy = (enum authban_privacy)i;
	return rc;
}

static int set_feed_action(modparam_t type, void *val)
{
	return set_word(
			"feed_action", type, val, feed_names, 2, &authban_params.feed_ban);
}

static int set_allow_local(modparam_t type, void *val)
{
	int i = 0, rc = set_word("allow_local", type, val, local_names, 3, &i);

	if(rc == 0)
		authban_params.allow_local = (enum authban_local)i;
	return rc;
}

static int set_backend(modparam_t type, void *val)
{
	int i = 0;
	int rc = set_word("backend", type, val, backend_names, AB_BACKENDS, &i);

	if(rc == 0) {
		authban_params.backend = (enum ab_backend)i;
		authban_params.backend_given = 1;
	}
	return rc;
}

static int set_param(const char *name, modparam_t type, void *val)
{
	const struct ab_setting *setting = ab_setting_find(name);
	const struct row *row = find_row(name);

	if(strcmp(name, "mode") == 0)
		return set_mode(type, val);
	if(setting)
		return set_number(name, type, val, setting->min, setting->max,
				(int *)((char *)authban_settings_preset() + setting->offset));
	if(row && row->kind == ROW_NUMBER)
		return set_number(name, type, val, row->min, row->max, row->target);
	return row ? set_text(row, type, val) : -1;
}

/* Kamailio hands a value to a function without the name of its parameter, so
 * each parameter has a function of its own. */
/* clang-format off */
#define NAMES(X) \
	X(threshold) X(window) X(ban_time) X(ban_time_max) X(memory) X(grace) \
	X(max_users) X(net_sources) X(net_threshold) X(user_sources) \
	X(long_window) X(long_threshold) X(good_time) X(pace) X(breaker) \
	X(mode) X(size) X(ipv4_prefix) X(ipv6_prefix) X(early) X(sync_interval) \
	X(redis_start_timeout) X(redis) X(redis_prefix) X(redis_password_file) \
	X(redis_shards) X(redis_tls_ca) X(redis_tls_cert) X(redis_tls_key) \
	X(node) X(peer_changes) X(cluster_key) X(cluster_key_file) X(allow) X(allow_file) \
	X(policy_file) \
	X(backend_timeout) X(result_map) X(challenge_limit) X(challenge_slip) \
	X(event_callback) X(watch_replies) X(watch_403) \
	X(snapshot) X(snapshot_interval) X(snapshot_max_age) \
	X(feed_size) X(evidence) X(evidence_ttl) X(privacy_rotate) \
	X(report_org) X(report_contact) X(report_domain)
/* clang-format on */

#define SETTER(name)                                       \
	static int modparam_##name(modparam_t type, void *val) \
	{                                                      \
		return set_param(#name, type, val);                \
	}
NAMES(SETTER)

#define EXPORT(name)                                              \
	{#name, PARAM_INT | PARAM_USE_FUNC, (void *)modparam_##name}, \
			{#name, PARAM_STRING | PARAM_USE_FUNC, (void *)modparam_##name},

/* clang-format off */
param_export_t authban_param_exports[] = {
	NAMES(EXPORT)
	{"proof", PARAM_INT | PARAM_USE_FUNC, (void *)set_proof},
	{"proof", PARAM_STRING | PARAM_USE_FUNC, (void *)set_proof},
	{"policy", PARAM_INT | PARAM_USE_FUNC, (void *)authban_policies_param},
	{"policy", PARAM_STRING | PARAM_USE_FUNC, (void *)authban_policies_param},
	{"backend", PARAM_INT | PARAM_USE_FUNC, (void *)set_backend},
	{"backend", PARAM_STRING | PARAM_USE_FUNC, (void *)set_backend},
	{"privacy", PARAM_INT | PARAM_USE_FUNC, (void *)set_privacy},
	{"privacy", PARAM_STRING | PARAM_USE_FUNC, (void *)set_privacy},
	{"feed_action", PARAM_INT | PARAM_USE_FUNC, (void *)set_feed_action},
	{"feed_action", PARAM_STRING | PARAM_USE_FUNC, (void *)set_feed_action},
	{"allow_local", PARAM_INT | PARAM_USE_FUNC, (void *)set_allow_local},
	{"allow_local", PARAM_STRING | PARAM_USE_FUNC, (void *)set_allow_local},
	{0, 0, 0}
};
/* clang-format on */
