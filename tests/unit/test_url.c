/*
 * authban: the URL of a Redis server
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "unit.h"

#include "ab_url.h"

#include <stdio.h>
#include <string.h>

struct row
{
	const char *text;
	const char *host, *user, *password;
	int port, db;
	bool is_unix, tls, local;
};

static const struct row good[] = {
		{"redis://127.0.0.1", "127.0.0.1", "", "", 6379, 0, false, false, true},
		{"redis://localhost:7000/3", "localhost", "", "", 7000, 3, false, false,
				true},
		{"redis://[::1]:7000/", "::1", "", "", 7000, 0, false, false, true},
		{"redis://redis.example.org", "redis.example.org", "", "", 6379, 0,
				false, false, false},
		{"redis://192.0.2.1:65535/15", "192.0.2.1", "", "", 65535, 15, false,
				false, false},
		{"redis://u:p%40s%3as@h:1", "h", "u", "p@s:s", 1, 0, false, false,
				false},
		{"redis://:a@b@h", "h", "", "a@b", 6379, 0, false, false, false},
		{"rediss://h", "h", "", "", 6379, 0, false, true, false},
		{"redis+unix:///run/redis.sock", "/run/redis.sock", "", "", 0, 0, true,
				false, true},
		{"redis+unix://u:p@/run/r?db=2", "/run/r", "u", "p", 0, 2, true, false,
				true},
};

static void a_good_url_is_taken_apart(void **state)
{
	size_t i;

	(void)state;
	for(i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct row *w = &good[i];
		struct ab_url u;
		const char *wrong = ab_url_parse(&u, w->text);

		expect(wrong == NULL, "%s: %s", w->text, wrong ? wrong : "");
		assert_string_equal(u.place[0].host, w->host);
		assert_int_equal(u.kind, AB_URL_SERVER);
		assert_int_equal(u.places, 1);
		assert_string_equal(u.user, w->user);
		assert_string_equal(u.password, w->password);
		assert_int_equal(u.place[0].port, w->port);
		assert_int_equal(u.db, w->db);
		assert_int_equal(u.is_unix, w->is_unix);
		assert_int_equal(u.tls, w->tls);
		expect(!ab_url_remote(&u) == w->local, "%s", w->text);
	}
}

static void a_bad_url_is_told(void **state)
{
	static const char *const bad[] = {"", "127.0.0.1", "http://h", "redis:/h",
			"redis://", "redis://:6379", "redis://h:", "redis://h:0",
			"redis://h:65536", "redis://h:12x", "redis://h/x", "redis://h/-1",
			"redis://h/10000", "redis://[::1", "redis://[::1]x",
			"redis://user@h", "redis://u:p%4@h", "redis://u:p%zz@h",
			"redis://u:%00@h", "redis+unix://run/r", "redis+unix:///r?x=1",
			"redis+unix:///r?db=", "redis+unix://", "redis://h,i",
			"redis://h:1,i:2", "redis+sentinel://h", "redis+sentinel://h/",
			"redis+sentinel:///m", "redis+sentinel://h,/m",
			"redis+sentinel://,h/m", "redis+sentinel://h:0/m",
			"redis+sentinel://h:1:2/m", "redis+sentinel://h/m/x",
			"redis+sentinel://h/m m", "redis+sentinel://h/m%0a",
			"redis+sentinel://h/m/1/2", "redis+sentinel://a,b,c,d,e,f,g,h,i/m",
			"redis+sentinel://u@h/m", "redis+cluster://", "redis+cluster://h,",
			"redis+cluster://h/1", "redis+cluster://h/m",
			"redis+cluster://[::1,h", "redis+cluster://[::1]x,h",
			"redis+cluster://a,b,c,d,e,f,g,h,i", "redis+Cluster://h",
			"redis+tls://h"};
	size_t i;

	(void)state;
	for(i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ab_url u;

		expect(ab_url_parse(&u, bad[i]) != NULL, "\"%s\" was taken", bad[i]);
	}
}

static void sentinels_are_taken_apart(void **state)
{
	struct ab_url u;

	(void)state;
	assert_null(ab_url_parse(&u,
			"redis+sentinel://u:p@127.0.0.1,[::1]:7001,s3.example:7002/"
			"my.master-1"
			"/3"));
	assert_int_equal(u.kind, AB_URL_SENTINEL);
	assert_int_equal(u.places, 3);
	assert_string_equal(u.place[0].host, "127.0.0.1");
	assert_int_equal(u.place[0].port, 26379);
	assert_string_equal(u.place[1].host, "::1");
	assert_int_equal(u.place[1].port, 7001);
	assert_string_equal(u.place[2].host, "s3.example");
	assert_int_equal(u.place[2].port, 7002);
	assert_string_equal(u.master, "my.master-1");
	assert_string_equal(u.user, "u");
	assert_string_equal(u.password, "p");
	assert_int_equal(u.db, 3);
	assert_string_equal(ab_url_remote(&u), "s3.example");
	assert_null(ab_url_parse(&u, "rediss+sentinel://127.0.0.1/m"));
	assert_true(u.tls);
	assert_int_equal(u.db, 0);
	assert_null(ab_url_remote(&u));
}

static void nodes_of_a_cluster_are_taken_apart(void **state)
{
	struct ab_url u;

	(void)state;
	assert_null(ab_url_parse(&u, "redis+cluster://:p@127.0.0.1:7001,[::1]/"));
	assert_int_equal(u.kind, AB_URL_CLUSTER);
	assert_int_equal(u.places, 2);
	assert_int_equal(u.place[0].port, 7001);
	assert_int_equal(u.place[1].port, 6379);
	assert_null(ab_url_remote(&u));
	assert_null(ab_url_parse(&u, "rediss+cluster://a,b,c,d,e,f,g,192.0.2.1"));
	assert_true(u.tls);
	assert_int_equal(u.places, AB_URL_PLACES);
	assert_string_equal(u.place[7].host, "192.0.2.1");
}

/* A network that holds loopback is no loopback address. */
static void local_is_loopback_only(void **state)
{
	(void)state;
	assert_true(ab_host_is_local("127.9.8.7"));
	assert_true(ab_host_is_local("::1"));
	assert_true(ab_host_is_local("localhost"));
	assert_false(ab_host_is_local("127.0.0.1/32"));
	assert_false(ab_host_is_local("127.0.0.1.example.org"));
	assert_false(ab_host_is_local("localhost.example.org"));
	assert_false(ab_host_is_local("::2"));
	assert_false(ab_host_is_local(""));
}

/* Nothing is cut to a host or a password that was not meant. */
static void a_long_part_is_refused(void **state)
{
	char text[2 * AB_URL_PART + 32];
	struct ab_url u;
	int n;

	(void)state;
	for(n = AB_URL_PART - 2; n <= AB_URL_PART + 1; n++) {
		char part[AB_URL_PART + 2];

		memset(part, 'x', (size_t)n);
		part[n] = '\0';
		snprintf(text, sizeof(text), "redis://%s", part);
		assert_int_equal(ab_url_parse(&u, text) == NULL, n < AB_URL_PART);
		snprintf(text, sizeof(text), "redis://u:%s@h", part);
		assert_int_equal(ab_url_parse(&u, text) == NULL, n < AB_URL_PART);
	}
}

static void an_error_never_quotes_the_password(void **state)
{
	struct ab_url u;

	(void)state;
	assert_null(strstr(ab_url_parse(&u, "redis://u:secret@h:x"), "secret"));
	assert_null(strstr(ab_url_parse(&u, "redis://u:secret%@h"), "secret"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_good_url_is_taken_apart),
			cmocka_unit_test(sentinels_are_taken_apart),
			cmocka_unit_test(nodes_of_a_cluster_are_taken_apart),
			cmocka_unit_test(local_is_loopback_only),
			cmocka_unit_test(a_bad_url_is_told),
			cmocka_unit_test(a_long_part_is_refused),
			cmocka_unit_test(an_error_never_quotes_the_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
