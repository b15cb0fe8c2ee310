/*
 * authban: what the last authentication function returned
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_rc.h"

#include "authban_backend.h"
#include "authban_params.h"

#include "core/dprint.h"
#include "core/sr_module.h"

#include <stddef.h>

#define BIT(backend) (1 << AB_BACKEND_##backend)
#define AUTH (BIT(AUTH_DB) | BIT(CUSTOM))
#define AUTH_OR_UID (AUTH | BIT(UID_AUTH_DB))
#define RADIUS (BIT(RADIUS) | BIT(CUSTOM))
#define DIAMETER (BIT(DIAMETER) | BIT(CUSTOM))

/* For each function: a number of ours, its name, the parameters in the script,
 * the parameters in C (two at the least), the back ends whose numbers it
 * returns. Two modules have www_authenticate(): Kamailio takes the first. */
/* clang-format off */
#define FUNCTIONS(X) \
	X(0, "auth_check", 3, 3, AUTH) \
	X(1, "www_authenticate", 2, 2, AUTH_OR_UID) \
	X(2, "www_authenticate", 3, 3, AUTH) \
	X(3, "proxy_authenticate", 2, 2, AUTH_OR_UID) \
	X(4, "pv_www_authenticate", 3, 3, AUTH) \
	X(5, "pv_www_authenticate", 4, 4, AUTH) \
	X(6, "pv_proxy_authenticate", 3, 3, AUTH) \
	X(7, "pv_auth_check", 4, 4, AUTH) \
	X(8, "digest_authenticate", 2, 2, AUTH) \
	X(9, "www_authorize", 2, 2, AUTH_OR_UID) \
	X(10, "proxy_authorize", 2, 2, AUTH_OR_UID) \
	X(11, "pv_www_authorize", 3, 3, AUTH) \
	X(12, "pv_proxy_authorize", 3, 3, AUTH) \
	X(13, "autheph_check", 1, 2, AUTH) \
	X(14, "autheph_www", 1, 2, AUTH) \
	X(15, "autheph_www", 2, 2, AUTH) \
	X(16, "autheph_proxy", 1, 2, AUTH) \
	X(17, "radius_www_authorize", 1, 2, RADIUS) \
	X(18, "radius_www_authorize", 2, 2, RADIUS) \
	X(19, "radius_proxy_authorize", 1, 2, RADIUS) \
	X(20, "radius_proxy_authorize", 2, 2, RADIUS) \
	X(21, "diameter_www_authorize", 1, 2, DIAMETER) \
	X(22, "diameter_proxy_authorize", 1, 2, DIAMETER)
/* clang-format on */

#define FUNCTIONS_MAX 23

static cmd_function original[FUNCTIONS_MAX];

static unsigned int last_id;
static int last_pid;
static int last_rc;

static int remember(const sip_msg_t *msg, int rc)
{
	last_id = msg->id;
	last_pid = msg->pid;
	last_rc = rc;
	return rc;
}

int authban_rc_last(const sip_msg_t *msg)
{
	return last_id == msg->id && last_pid == msg->pid ? last_rc : 0;
}

#define FORMAL_2 char *p1, char *p2
#define FORMAL_3 FORMAL_2, char *p3
#define FORMAL_4 FORMAL_3, char *p4
#define ACTUAL_2 p1, p2
#define ACTUAL_3 ACTUAL_2, p3
#define ACTUAL_4 ACTUAL_3, p4
#define TYPE_2 cmd_function
#define TYPE_3 cmd_function3
#define TYPE_4 cmd_function4

#define WRAPPER(n, name, params, args, backends)                              \
	static int wrapper_##n(sip_msg_t *msg, FORMAL_##args)                     \
	{                                                                         \
		authban_backend_asked(msg);                                           \
		return remember(msg, ((TYPE_##args)original[n])(msg, ACTUAL_##args)); \
	}
FUNCTIONS(WRAPPER)

static const struct
{
	const char *name;
	int params;
	int backends;
	cmd_function wrapper;
} functions[FUNCTIONS_MAX] = {
#define ROW(n, name, params, args, backends) \
	{name, params, backends, (cmd_function)wrapper_##n},
		FUNCTIONS(ROW)};

void authban_rc_init(void)
{
	ksr_cmd_export_t *cmd;
	int i;

	for(i = 0; i < FUNCTIONS_MAX; i++) {
		/* the numbers of another back end would be misread */
		if(!(functions[i].backends & 1 << authban_params.backend))
			continue;
		cmd = find_export_record(
				(char *)functions[i].name, functions[i].params, 0);
		if(!cmd || !cmd->function || cmd->param_no != functions[i].params)
			continue;
		original[i] = cmd->function;
		cmd->function = functions[i].wrapper;
		LM_DBG("%s() with %d parameters is watched\n", functions[i].name,
				functions[i].params);
	}
}
