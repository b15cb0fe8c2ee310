/*
 * authban: what the last authentication function returned
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_rc.h"

#include "core/dprint.h"
#include "core/sr_module.h"

#include <stddef.h>

/* For each function: a number of ours, its name, the parameters in the script,
 * the parameters in C (two at the least). */
/* clang-format off */
#define FUNCTIONS(X) \
	X(0, "auth_check", 3, 3) \
	X(1, "www_authenticate", 2, 2) \
	X(2, "www_authenticate", 3, 3) \
	X(3, "proxy_authenticate", 2, 2) \
	X(4, "pv_www_authenticate", 3, 3) \
	X(5, "pv_www_authenticate", 4, 4) \
	X(6, "pv_proxy_authenticate", 3, 3) \
	X(7, "pv_auth_check", 4, 4) \
	X(8, "digest_authenticate", 2, 2)
/* clang-format on */

#define FUNCTIONS_MAX 9

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

#define WRAPPER(n, name, params, args)                                        \
	static int wrapper_##n(sip_msg_t *msg, FORMAL_##args)                     \
	{                                                                         \
		return remember(msg, ((TYPE_##args)original[n])(msg, ACTUAL_##args)); \
	}
FUNCTIONS(WRAPPER)

static const struct
{
	const char *name;
	int params;
	cmd_function wrapper;
} functions[FUNCTIONS_MAX] = {
#define ROW(n, name, params, args) {name, params, (cmd_function)wrapper_##n},
		FUNCTIONS(ROW)};

void authban_rc_init(void)
{
	ksr_cmd_export_t *cmd;
	int i;

	for(i = 0; i < FUNCTIONS_MAX; i++) {
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
