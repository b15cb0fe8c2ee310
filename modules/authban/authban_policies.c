/*
 * authban: named policies in this Kamailio
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_policies.h"

#include "ab_lock.h"
#include "ab_text.h"
#include "authban_params.h"

#include "core/dprint.h"
#include "core/mem/shm_mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES 16384
#define WHY_MAX 256

struct shared
{
	struct ab_policies set;
	_Atomic uint32_t lock; /* of who reads the file */
};

static struct ab_policies configured; /* until there is shared memory */
static struct shared *shared;

/* What is wrong with a part of a text, in words. Returns out. */
static const char *explain(char out[static WHY_MAX],
		enum ab_policies_wrong wrong, const char *at, size_t len,
		const struct ab_setting *row)
{
	static const char *const why[AB_POLICIES_WRONGS] = {
			[AB_POLICIES_SYNTAX] = "is not written as"
								   " \"name: setting=number, ...\"",
			[AB_POLICIES_NAME] = "is no new name of up to 31 letters, digits,"
								 " _ . or -",
			[AB_POLICIES_SETTING] =
					"cannot be set by a policy; allowed are threshold,"
					" max_users, net_threshold, long_threshold, ban_time and"
					" ban_time_max",
			[AB_POLICIES_FULL] = "is one policy too many; allowed are 7"};
	char part[129];

	ab_text_escape(part, sizeof(part), at, len, 32);
	if(wrong == AB_POLICIES_VALUE)
		snprintf(out, WHY_MAX, "%s %s is out of range; allowed is %d to %d",
				row->name, part, row->min, row->max);
	else
		snprintf(out, WHY_MAX, "\"%s\" %s", part, why[wrong]);
	return out;
}

int authban_policies_param(modparam_t type, void *val)
{
	const struct ab_setting *row = NULL;
	enum ab_policies_wrong wrong;
	char why[WHY_MAX];
	const char *at = "";
	size_t len = 0;

	if(PARAM_TYPE_MASK(type) == PARAM_INT) {
		LM_ERR("parameter policy is %d; allowed is a text such as"
			   " \"carrier: threshold=50, ban_time=60\"\n",
				(int)(long)val);
		return -1;
	}
	wrong = ab_policies_add(&configured, val, &at, &len, &row);
	if(wrong == AB_POLICIES_OK)
		return 0;
	LM_ERR("parameter policy is \"%.100s\": %s\n", (char *)val,
			explain(why, wrong, at, len, row));
	return -1;
}

/* --- the file --- */

static int refuse_file(const char *what)
{
	LM_ERR("parameter policy_file is \"%s\", which %s; allowed is a file of up"
		   " to %d bytes that Kamailio's user can read\n",
			authban_params.policy_file, what, FILE_MAX_BYTES - 1);
	return -1;
}

static int read_all(char text[static FILE_MAX_BYTES])
{
	FILE *f = fopen(authban_params.policy_file, "re");
	char what[128];
	size_t n = 0;
	int error = errno;

	if(f) {
		errno = 0;
		n = fread(text, 1, FILE_MAX_BYTES, f);
		error = ferror(f) ? errno : 0;
		fclose(f);
	}
	if(error != 0 || !f) {
		snprintf(what, sizeof(what), "cannot be read (%s)", strerror(error));
		return refuse_file(what);
	}
	if(n == FILE_MAX_BYTES)
		return refuse_file("is too large");
	if(memchr(text, 0, n))
		return refuse_file("is no text");
	text[n] = '\0';
	return 0;
}

/* Whether the line, without comment and line end, is wrong (logged). */
static bool add_line(char *line, int number)
{
	const struct ab_setting *row = NULL;
	enum ab_policies_wrong wrong;
	char why[WHY_MAX];
	const char *at = "";
	size_t len = 0;

	line[strcspn(line, "#\r")] = '\0';
	if(line[strspn(line, " \t")] == '\0')
		return false;
	wrong = ab_policies_add(&shared->set, line, &at, &len, &row);
	if(wrong == AB_POLICIES_OK)
		return false;
	LM_ERR("parameter policy_file is \"%s\", whose line %d is wrong: %s; the"
		   " other lines count\n",
			authban_params.policy_file, number,
			explain(why, wrong, at, len, row));
	return true;
}

static void take(char *text, struct authban_policies_read *out)
{
	char *line, *next = text;
	int number = 0;

	ab_policies_begin(&shared->set);
	while((line = next) != NULL) {
		next = strchr(line, '\n');
		if(next)
			*next++ = '\0';
		out->wrong += add_line(line, ++number);
	}
	out->policies = (int)ab_policies_end(&shared->set);
}

int authban_policies_init(void)
{
	struct authban_policies_read ignored;

	shared = shm_malloc(sizeof(*shared));
	if(!shared) {
		SHM_MEM_ERROR;
		return -1;
	}
	memset(shared, 0, sizeof(*shared));
	shared->set = configured;
	return *authban_params.policy_file ? authban_policies_reload(&ignored) : 0;
}

const struct ab_policies *authban_policies(void)
{
	return shared ? &shared->set : NULL;
}

int authban_policies_reload(struct authban_policies_read *out)
{
	char text[FILE_MAX_BYTES];

	*out = (struct authban_policies_read){0, 0};
	if(read_all(text) < 0)
		return -1;
	if(ab_lock(&shared->lock, (uint32_t)getpid(), ab_lock_process_alive)
			== AB_LOCK_TIMEOUT)
		return -2;
	take(text, out);
	ab_unlock(&shared->lock);
	return 0;
}
