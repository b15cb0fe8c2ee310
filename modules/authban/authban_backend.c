/*
 * authban: the back end that judges passwords, and what its numbers mean
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_backend.h"

#include "authban_params.h"

#include "core/dprint.h"
#include "core/sr_module.h"

#include <string.h>
#include <time.h>

/* The module whose numbers each back end means; NULL: no certain one. */
static const char *const modules_of[AB_BACKENDS] = {
		"auth_db", "auth_radius", "uid_auth_db", "auth_diameter", NULL};

static struct ab_result_map own_map;
static const struct ab_result_map *map;

static struct
{
	unsigned int id; /* of the message, with pid: whose it is */
	int pid;
	int64_t ms;
} asked;

const struct ab_result_map *authban_backend_map(void)
{
	return map;
}

static int read_map(void)
{
	const char *text = authban_params.result_map;
	int custom = authban_params.backend == AB_BACKEND_CUSTOM;
	struct ab_results_fault fault;

	if(custom && !*text) {
		LM_ERR("parameter backend is custom, but there is no result_map;"
			   " allowed is custom with a result_map\n");
		return -1;
	}
	if(!custom && *text) {
		LM_ERR("parameter result_map is \"%s\", but backend is %s; allowed is"
			   " a result_map with backend custom only\n",
				text, authban_backend_name(authban_params.backend));
		return -1;
	}
	if(!custom)
		return 0;
	if(ab_results_parse(&own_map, text, strlen(text), &fault) == 0) {
		map = &own_map;
		return 0;
	}
	LM_ERR("parameter result_map is \"%s\": \"%.*s\" at character %zu is %s;"
		   " allowed are pairs like -2=wrong_password, with commas, numbers"
		   " from %d to -1 and the words " AB_MEANING_WORDS "\n",
			text, (int)fault.len, text + fault.at, fault.at + 1, fault.why,
			AB_RC_MIN);
	return -1;
}

/* A back end that nobody has named, when another one than the default is
 * loaded: its failed database would count as wrong passwords. */
static int check_modules(void)
{
	int given = authban_params.backend_given, i;
	const char *own = modules_of[authban_params.backend];

	/* auth alone has the numbers of auth_db too */
	if(authban_params.backend != AB_BACKEND_AUTH_DB && own
			&& !module_loaded((char *)own))
		LM_WARN("parameter backend is %s, but the module %s is not loaded\n",
				authban_backend_name(authban_params.backend), own);
	if(given || module_loaded((char *)own))
		return 0;
	for(i = 0; i < AB_BACKENDS; i++) {
		if(!modules_of[i] || !module_loaded((char *)modules_of[i]))
			continue;
		LM_ERR("parameter backend is not set, but the module %s is loaded and"
			   " auth_db is not; allowed is backend %s, or auth_db when you"
			   " say so\n",
				modules_of[i], authban_backend_name((enum ab_backend)i));
		return -1;
	}
	return 0;
}

/* With check_all_ha1 uid_auth_db 5.6.3 forgets that a query has failed, and
 * returns what it returns for a wrong password. */
static int check_uid_auth_db(void)
{
	sr_module_t *m = find_module_by_name("uid_auth_db");
	modparam_t found = 0;
	int *all;

	if(authban_params.backend != AB_BACKEND_UID_AUTH_DB || !m)
		return 0;
	all = find_param_export(m, "check_all_ha1", PARAM_INT, &found);
	if(!all || !*all)
		return 0;
	LM_ERR("parameter backend is uid_auth_db, whose check_all_ha1 is %d: a"
		   " failed database would count as wrong passwords; allowed is"
		   " check_all_ha1 0, or backend custom with a result_map\n",
			*all);
	return -1;
}

int authban_backend_init(void)
{
	map = ab_results_of(authban_params.backend);
	return read_map() < 0 || check_modules() < 0 || check_uid_auth_db() < 0 ? -1
																			: 0;
}

/* --- an attempt --- */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void authban_backend_asked(const sip_msg_t *msg)
{
	if(!authban_params.backend_timeout)
		return;
	asked.id = msg->id;
	asked.pid = msg->pid;
	asked.ms = now_ms();
}

static int timed_out(const sip_msg_t *msg)
{
	return authban_params.backend_timeout && asked.id == msg->id
		   && asked.pid == msg->pid
		   && now_ms() - asked.ms >= authban_params.backend_timeout;
}

/* Whether auth has checked that the nonce was made for this source address. The
 * numbers of the other back ends do not tell. */
static int nonce_is_proof(sip_msg_t *msg, enum ab_meaning meaning)
{
	switch(authban_params.backend) {
		case AB_BACKEND_AUTH_DB:
		case AB_BACKEND_RADIUS:
			return ab_meaning_accepts_nonce(meaning);
		default:
			return authban_nonce_accepted(msg, 1);
	}
}

static enum ab_proof proof_of(sip_msg_t *msg, const struct authban_evidence *ev,
		enum ab_meaning meaning)
{
	return ev->proof == AB_PROOF_NONE
						   && authban_params.proof == AUTHBAN_PROOF_NONCE
						   && ev->credentials == AB_CREDENTIALS_WELL_FORMED
						   && nonce_is_proof(msg, meaning)
				   ? AB_PROOF_NONCE
				   : ev->proof;
}

struct ab_attempt authban_backend_attempt(sip_msg_t *msg, int rc,
		const struct authban_evidence *ev, enum ab_proof *proof)
{
	enum ab_meaning meaning = ab_results_meaning(map, rc);
	struct ab_attempt a = {.rc = rc,
			.credentials = ev->credentials,
			.free_method =
					(msg->REQ_METHOD
							& (METHOD_ACK | METHOD_CANCEL | METHOD_PRACK))
					!= 0,
			.nonce_ours = ev->nonce_ours};

	*proof = proof_of(msg, ev, meaning);
	a.proven = *proof != AB_PROOF_NONE;
	if(meaning == AB_MEANS_PASSWORD_OR_NONCE)
		a.nonce_ours = a.proven && authban_nonce_accepted(msg, 0);
	if(meaning == AB_MEANS_PASSWORD_OR_TIMEOUT)
		a.timed_out = timed_out(msg);
	return a;
}
