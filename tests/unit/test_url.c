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
		{"redis+unix:///run/redis.sock", "/run/redis.sock", "", "", 6379, 0,
				true, false, true},
		{"redis+unix://u:p@/run/r?db=2", "/run/r", "u", "p", 6379, 2, true,
				false, true},
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
		assert_string_equal(u.host, w->host);
		assert_string_equal(u.user, w->user);
		assert_string_equal(u.password, w->password);
		assert_int_equal(u.port, w->port);
		assert_int_equal(u.db, w->db);
		assert_int_equal(u.is_unix, w->is_unix);
		assert_int_equal(u.tls, w->tls);
		expect(ab_url_is_local(&u) == w->local, "%s", w->text);
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
			"redis+unix:///r?db=", "redis+unix://"};
	size_t i;

	(void)state;
	for(i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ab_url u;

		expect(ab_url_parse(&u, bad[i]) != NULL, "\"%s\" was taken", bad[i]);
	}
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
			cmocka_unit_test(a_bad_url_is_told),
			cmocka_unit_test(a_long_part_is_refused),
			cmocka_unit_test(an_error_never_quotes_the_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
