/*
 * authban: sources that are never banned
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "authban_allow.h"

#include "ab_text.h"
#include "authban_params.h"
#include "authban_shared.h"

#include "core/dprint.h"
#include "core/mem/shm_mem.h"
#include "core/socket_info.h"

#include <errno.h>
#include <string.h>

#define LINE_MAX_BYTES 256
#define SEPARATORS ", \t"

static const char from_parameter[] = "allow", from_file[] = "allow_file",
				  from_socket[] = "own_socket";
static bool local_allowed;
static _Atomic uint32_t *generation; /* shared; grows with each reload */

static void add(const struct ab_key *key, const char *origin)
{
	const struct ab_table *t = authban_table();
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	struct ab_judgement out;
	struct ab_view known;

	/* what stands in the configuration counts again, whoever took it off before */
	if(ab_table_get(j.table, key, &set, &j.now, &known) == 1
			&& known.state == AB_STATE_UNBANNED)
		ab_table_remove(j.table, key, &set, &j.now);
	ab_judge_allow(&j, key,
			ab_names_intern(
					ab_table_names(t), t->owner, origin, strlen(origin)),
			(uint16_t)atomic_load(generation), &out);
	if(!out.ok)
		LM_ERR("the table has no room for an allow entry\n");
}

/* Every network of a text; NULL, or the first word that is none. */
static const char *add_words(char *text, const char *origin)
{
	struct ab_prefix p;
	struct ab_key key;
	char *save = NULL, *word;

	for(word = strtok_r(text, SEPARATORS, &save); word;
			word = strtok_r(NULL, SEPARATORS, &save)) {
		if(ab_prefix_parse(&p, word, strlen(word), NULL) < 0)
			return word;
		key = ab_key_allow(&p);
		if(!ab_key_width_ok(&key))
			return word;
		add(&key, origin);
	}
	return NULL;
}

/* One line of the file, without comment and line end. */
static void add_line(char *line, int number)
{
	char safe[96];
	const char *wrong;

	line[strcspn(line, "#\r\n")] = '\0';
	wrong = add_words(line, from_file);
	if(wrong)
		LM_ERR("parameter allow_file is \"%s\", whose line %d has %s; allowed"
			   " are addresses and networks such as 192.0.2.0/24, and # for a"
			   " comment; the other lines count\n",
				authban_params.allow_file, number,
				ab_text_escape(safe, sizeof(safe), wrong, strlen(wrong), 64));
}

/* -1 when the file cannot be read. */
static int read_file(void)
{
	FILE *f = fopen(authban_params.allow_file, "re");
	char line[LINE_MAX_BYTES];
	int number = 0;

	if(!f) {
		LM_ERR("parameter allow_file is \"%s\", which cannot be read (%s);"
			   " allowed is a file that Kamailio's user can read\n",
				authban_params.allow_file, strerror(errno));
		return -1;
	}
	while(fgets(line, sizeof(line), f))
		add_line(line, ++number);
	fclose(f);
	return 0;
}

int authban_allow_init(void)
{
	char text[4096];
	const char *wrong;

	generation = shm_malloc(sizeof(*generation));
	if(!generation) {
		SHM_MEM_ERROR;
		return -1;
	}
	atomic_store(generation, 1);
	if(*authban_params.allow) {
		strncpy(text, authban_params.allow, sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		wrong = add_words(text, from_parameter);
		if(wrong) {
			LM_ERR("parameter allow has \"%s\"; allowed are addresses and"
				   " networks such as 192.0.2.0/24, separated by commas\n",
					wrong);
			return -1;
		}
	}
	return *authban_params.allow_file ? read_file() : 0;
}

/* --- our own addresses --- */

static bool is_loopback(const struct ab_addr *a)
{
	static const struct ab_addr v6 = {.b = {[15] = 1}};

	return ab_addr_is_v4(a) ? a->b[12] == 127 : ab_addr_equal(a, &v6);
}

/* The first socket whose address fn accepts, else NULL. */
static const struct socket_info *find_socket(
		bool (*fn)(const struct ab_addr *a, const void *arg), const void *arg)
{
	static const int protos[] = {PROTO_UDP, PROTO_TCP, PROTO_TLS, PROTO_SCTP};
	const struct socket_info *si;
	struct socket_info **list;
	struct ab_addr addr;
	size_t i;

	for(i = 0; i < sizeof(protos) / sizeof(protos[0]); i++) {
		list = get_sock_info_list((unsigned short)protos[i]);
		for(si = list ? *list : NULL; si; si = si->next) {
			authban_addr(&addr, &si->address);
			if(fn(&addr, arg))
				return si;
		}
	}
	return NULL;
}

static bool is_outside(const struct ab_addr *a, const void *arg)
{
	(void)arg;
	return !is_loopback(a);
}

static bool is_within(const struct ab_addr *a, const void *arg)
{
	return ab_prefix_contains(arg, a);
}

static bool add_socket(const struct ab_addr *a, const void *arg)
{
	struct ab_prefix p = ab_prefix_make(a, 128);
	struct ab_key key = ab_key_allow(&p);

	(void)arg;
	add(&key, from_socket);
	return false; /* on to the next */
}

const char *authban_own_socket(const struct ab_prefix *p)
{
	const struct socket_info *si = find_socket(is_within, p);

	return si ? si->sock_str.s : NULL;
}

void authban_allow_own(void)
{
	bool outside = find_socket(is_outside, NULL) != NULL;

	local_allowed =
			authban_params.allow_local == AUTHBAN_LOCAL_YES
			|| (authban_params.allow_local == AUTHBAN_LOCAL_AUTO && outside);
	if(local_allowed)
		find_socket(add_socket, NULL);
	else if(authban_params.allow_local == AUTHBAN_LOCAL_AUTO)
		LM_NOTICE("this proxy listens on loopback only, so loopback is not on"
				  " the allow-list\n");
}

bool authban_allowed(const struct ab_addr *addr, struct ab_prefix *net)
{
	if(local_allowed && is_loopback(addr)) {
		if(net)
			*net = ab_prefix_make(addr, 128);
		return true;
	}
	return ab_table_allowed(authban_table(), addr, authban_now_mono(), net);
}

/* --- reload --- */

bool authban_allow_is_configured(const struct ab_view *v)
{
	return v->key.kind == AB_KIND_ALLOW && v->version < AB_VERSION_TOLD;
}

static bool is_from_file(const struct ab_view *v)
{
	const char *origin =
			ab_names_text(ab_table_names(authban_table()), v->reason);

	return authban_allow_is_configured(v) && v->state == AB_STATE_BANNED
		   && strcmp(origin, from_file) == 0;
}

/* Takes away what the file had and has no more. Returns what it has. */
static int drop_older(uint32_t current)
{
	struct ab_settings set;
	struct ab_judge j = authban_judge(&set);
	struct ab_cursor at = {0};
	struct ab_view row[64];
	int kept = 0;
	size_t n, i;

	while((n = ab_table_walk(j.table, &at, &set, &j.now, row, 64)) > 0) {
		for(i = 0; i < n; i++) {
			if(!is_from_file(&row[i]))
				continue;
			if(row[i].version >= current)
				kept++;
			else
				ab_table_remove(j.table, &row[i].key, &set, &j.now);
		}
	}
	return kept;
}

int authban_allow_reload(void)
{
	uint32_t current;

	if(!*authban_params.allow_file)
		return 0;
	current = atomic_fetch_add(generation, 1) + 1;
	/* new ones first: nobody who stays on the list is off it for a moment */
	return read_file() < 0 ? -1 : drop_older(current);
}
