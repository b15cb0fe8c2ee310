/*
 * authban: unit tests of the kinds of trouble with Redis
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_trouble.h"
#include "unit.h"

#include <string.h>

static void texts_and_their_kinds(void **state)
{
	static const struct
	{
		const char *error, *kind;
	} row[] = {
			{"no_answer: deadline", "timeout"},
			{"connect: Connection timed out", "timeout"},
			{"connect: Connection refused", "refused"},
			{"connect: No such file or directory", "refused"},
			{"read: Server closed the connection", "closed"},
			{"read: Connection reset by peer", "closed"},
			{"send: Broken pipe", "closed"},
			{"AUTH: WRONGPASS", "auth"},
			{"AUTH: ERR", "auth"},
			{"SELECT: NOAUTH", "auth"},
			{"write: NOPERM this user has no permissions", "auth"},
			{"AUTH: ERR max number of clients reached", "maxclients"},
			{"ROLE: ERR max number of clients reached", "maxclients"},
			{"TIME: LOADING Redis is loading the dataset in memory", "loading"},
			{"write: READONLY You can't write against a read only replica.",
					"readonly"},
			{"ROLE: the server is a replica", "readonly"},
			{"write: MASTERDOWN Link with MASTER is down", "readonly"},
			{"write: OOM command not allowed when used memory > 'maxmemory'.",
					"oom"},
			{"ROLE: BUSY Redis is busy running a script", "busy"},
			{"redirect: the cluster sends us in a circle", "moved"},
			{"CLUSTER SLOTS: one of our slots has no master", "moved"},
			{"XREAD: MOVED 1 127.0.0.1:7000", "moved"},
			{"write: CLUSTERDOWN Hash slot not served", "moved"},
			{"SENTINEL: unknown master: mymaster", "moved"},
			{"protocol: Protocol error, got \"H\" as reply type byte",
					"protocol"},
			{"TIME: not a time", "protocol"},
			{"{authban:0}:log: WRONGTYPE, it is not a key of authban",
					"wrongtype"},
			{"TLS: self-signed certificate", "tls"},
			{"redis_tls_ca: no such file", "tls"},
			{"write: ERR unknown command", "other"},
			{"", "other"},
	};
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(row); i++)
		if(strcmp(ab_trouble_name(ab_trouble_of(row[i].error)), row[i].kind)
				!= 0)
			fail_msg("%s: %s, not %s", row[i].error,
					ab_trouble_name(ab_trouble_of(row[i].error)), row[i].kind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(texts_and_their_kinds)};

	return cmocka_run_group_tests_name("trouble", tests, NULL, NULL);
}
