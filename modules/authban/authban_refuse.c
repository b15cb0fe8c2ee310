/*
 * authban: parameters that contradict each other or the auth module
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The rule behind all of these: no setting may let a forged datagram or a
 * stranger at the Redis server ban somebody.
 */
#include "authban_params.h"

#include "ab_feeds.h"
#include "authban_auth.h"
#include "authban_redis.h"

#include "core/dprint.h"
#include "core/globals.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CLUSTER_SHARDS 16 /* of a Redis Cluster, unless redis_shards is set */
#define SECRET_MIN 32	  /* bytes of a secret that several proxies share */

/* proof=nonce trusts auth's nonce to be bound to the source address. */
static int check_proof_nonce(const struct authban_auth_settings *auth)
{
	if(!auth->loaded) {
		LM_ERR("parameter proof is nonce, but the auth module is not loaded;"
			   " load auth.so before authban.so\n");
		return -1;
	}
	if(!(auth->checks_register & auth->checks_no_dlg & auth->checks_in_dlg
			   & 8)) {
		LM_ERR("parameter proof is nonce, but auth does not check the source"
			   " address; allowed only with bit 8 in auth_checks_register (%d),"
			   " auth_checks_no_dlg (%d) and auth_checks_in_dlg (%d)\n",
				auth->checks_register, auth->checks_no_dlg,
				auth->checks_in_dlg);
		return -1;
	}
	if(auth->nonce_count) {
		LM_ERR("parameter proof is nonce, but auth's nonce_count is 1, which"
			   " accepts a nonce before its source address is checked; allowed"
			   " is nonce_count 0, or proof=token\n");
		return -1;
	}
	if(*authban_params.redis && auth->secret_len < SECRET_MIN) {
		LM_ERR("parameter proof is nonce, but auth's secret has %d bytes;"
			   " allowed in a cluster is a secret of %d bytes or more, the same"
			   " on every proxy\n",
				auth->secret_len, SECRET_MIN);
		return -1;
	}
	return 0;
}

/* The proof of a datagram is that a challenge came back that was sent to its source. */
static int check_reply_to_via(void)
{
	if(!reply_to_via || authban_params.proof == AUTHBAN_PROOF_NONE)
		return 0;
	LM_ERR("parameter proof is %s, but Kamailio's reply_to_via is %d, which "
		   "sends"
		   " challenges to where the Via says, so that a forged source proves"
		   " itself; allowed is reply_to_via=no, or proof=none\n",
			authban_params.proof == AUTHBAN_PROOF_NONCE ? "nonce" : "token",
			reply_to_via);
	return -1;
}

bool authban_has_cluster_key(void)
{
	return *authban_params.cluster_key || *authban_params.cluster_key_file;
}

static int check_tls_file(const char *name, const char *path)
{
	if(!*path || access(path, R_OK) == 0)
		return 0;
	LM_ERR("parameter %s is \"%s\", which cannot be read (%s); allowed is a PEM"
		   " file that Kamailio's user can read\n",
			name, path, strerror(errno));
	return -1;
}

static int check_tls(const struct ab_url *url)
{
	const struct authban_params *p = &authban_params;

	if(url->tls && !authban_redis_has_tls()) {
		LM_ERR("parameter redis begins with rediss, but TLS to Redis is not"
			   " built in (it needs hiredis 1.0 with hiredis_ssl, as Debian 13"
			   " has it); allowed is redis:// or redis+unix://, for example"
			   " through a stunnel on this machine\n");
		return -1;
	}
	if(!url->tls
			&& (*p->redis_tls_ca || *p->redis_tls_cert || *p->redis_tls_key)) {
		LM_ERR("parameters redis_tls_ca, redis_tls_cert and redis_tls_key are"
			   " set, but redis does not begin with rediss; allowed is both or"
			   " none\n");
		return -1;
	}
	if(!*p->redis_tls_cert != !*p->redis_tls_key) {
		LM_ERR("only one of the parameters redis_tls_cert and redis_tls_key is"
			   " set; allowed is both or none\n");
		return -1;
	}
	if(check_tls_file("redis_tls_ca", p->redis_tls_ca) < 0
			|| check_tls_file("redis_tls_cert", p->redis_tls_cert) < 0
			|| check_tls_file("redis_tls_key", p->redis_tls_key) < 0)
		return -1;
	authban_redis_set_tls(p->redis_tls_ca, p->redis_tls_cert, p->redis_tls_key);
	return 0;
}

static int check_redis(struct ab_url *url)
{
	const char *wrong = ab_url_parse(url, authban_params.redis);
	const char *remote;

	if(wrong) {
		LM_ERR("parameter redis is not a URL: %s; allowed is"
			   " redis://[user:password@]host[:port][/db],"
			   " redis+sentinel://host[:port],.../master[/db],"
			   " redis+cluster://host[:port],... or redis+unix:///path\n",
				wrong);
		return -1;
	}
	if(check_tls(url) < 0)
		return -1;
	if(*authban_params.redis_password_file
			&& authban_read_secret("redis_password_file",
					   authban_params.redis_password_file, url->password,
					   sizeof(url->password))
					   < 0)
		return -1;
	if(authban_params.redis_shards == 0)
		authban_params.redis_shards =
				url->kind == AB_URL_CLUSTER ? CLUSTER_SHARDS : 1;
	/* what sentinels or a cluster name later is looked at again, then */
	remote = ab_url_remote(url);
	if(!remote)
		return 0;
	if(!*url->password) {
		LM_ERR("parameter redis names the remote server %s without a password;"
			   " allowed is a remote server with a password and a cluster_key,"
			   " or one on this machine\n",
				remote);
		return -1;
	}
	if(!authban_has_cluster_key()) {
		LM_ERR("parameter redis names the remote server %s, but there is no"
			   " cluster_key; allowed is a remote server with cluster_key or"
			   " cluster_key_file, or one on this machine\n",
				remote);
		return -1;
	}
	return 0;
}

static int check_node(void)
{
	static char name[AB_URL_PART];

	if(*authban_params.node)
		return 0;
	if(gethostname(name, sizeof(name) - 1) < 0 || !*name)
		strcpy(name, "unnamed");
	authban_params.node = name;
	return 0;
}

static int check_prefix(void)
{
	const char *p = authban_params.redis_prefix;

	if(p[strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_.-")]
			== '\0')
		return 0;
	LM_ERR("parameter redis_prefix is \"%s\"; allowed are letters, digits, _ ."
		   " and -\n",
			p);
	return -1;
}

/* Kamailio goes to another folder when it becomes a daemon. */
static int check_snapshot(void)
{
	const char *path = authban_params.snapshot;

	if(!*path || (*path == '/' && path[strlen(path) - 1] != '/'))
		return 0;
	LM_ERR("parameter snapshot is \"%s\"; allowed is the whole path of a file,"
		   " from / on\n",
			path);
	return -1;
}

static int refuse_report(
		const char *name, const char *value, const char *allowed)
{
	LM_ERR("parameter %s is \"%s\"; allowed is %s\n", name, value, allowed);
	return -1;
}

static bool is_clean(const char *text, char least)
{
	for(; *text; text++)
		if(*text < least || *text > '~' || *text == '"' || *text == '\\')
			return false;
	return true;
}

/* Who reports: all of it, or nothing. */
static int check_report(void)
{
	const struct authban_params *p = &authban_params;
	const char *at = strchr(p->report_contact, '@');

	if(!*p->report_org && !*p->report_contact && !*p->report_domain)
		return 0;
	if(!*p->report_org || !*p->report_contact || !*p->report_domain) {
		LM_ERR("only some of the parameters report_org, report_contact and"
			   " report_domain are set; allowed is all or none\n");
		return -1;
	}
	if(!is_clean(p->report_org, ' '))
		return refuse_report("report_org", "(not shown)",
				"a name in printable ASCII without quotes and backslashes");
	if(!at || at == p->report_contact || !at[1] || strchr(at + 1, '@')
			|| !is_clean(p->report_contact, '!'))
		return refuse_report("report_contact", p->report_contact,
				"a mail address such as abuse@example.com");
	if(p->report_domain[strspn(p->report_domain,
			   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			   "0123456789.-")]
			|| strchr(".-", *p->report_domain))
		return refuse_report("report_domain", p->report_domain,
				"a domain such as example.com");
	return 0;
}

static int check_feed(void)
{
	if(!authban_params.feed_ban || authban_params.feed_size > 0)
		return 0;
	LM_ERR("parameter feed_action is ban, and feed_size is 0, so that there are"
		   " no lists; allowed is a feed_size of 1 to %u\n",
			AB_FEEDS_MAX);
	return -1;
}

int authban_params_check(struct ab_url *url)
{
	struct authban_auth_settings auth;
	struct ab_settings set;
	const struct ab_setting *row;

	authban_settings(&set);
	row = ab_settings_check(&set);
	if(set.ban_time > set.ban_time_max) {
		LM_ERR("parameter ban_time is %d, above ban_time_max, which is %d;"
			   " allowed is at most ban_time_max\n",
				set.ban_time, set.ban_time_max);
		return -1;
	}
	if(row) {
		LM_ERR("parameter %s is out of range; allowed is %d to %d\n", row->name,
				row->min, row->max);
		return -1;
	}
	if(*authban_params.cluster_key && *authban_params.cluster_key_file) {
		LM_ERR("parameters cluster_key and cluster_key_file are both set;"
			   " allowed is one of them\n");
		return -1;
	}
	authban_auth_settings(&auth);
	if(authban_params.proof == AUTHBAN_PROOF_NONCE
			&& check_proof_nonce(&auth) < 0)
		return -1;
	if(check_reply_to_via() < 0)
		return -1;
	if(check_node() < 0 || check_prefix() < 0 || check_snapshot() < 0
			|| check_report() < 0 || check_feed() < 0)
		return -1;
	return *authban_params.redis ? check_redis(url) : 0;
}
