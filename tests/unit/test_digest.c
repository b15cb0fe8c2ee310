/*
 * authban: unit tests of digest headers in SIP text
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ab_digest.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD \
	"REGISTER sip:a SIP/2.0\r\nFrom: <sip:b@a>;tag=1\r\nTo: <sip:b@a>\r\n"
#define CREDENTIALS                                                           \
	"Digest username=\"b\", realm=\"a\", nonce=\"n\", uri=\"sip:a\","         \
	" response=\"0123456789abcdef0123456789abcdef\", opaque=\"o\", qop=auth," \
	" nc=00000001, cnonce=\"c\""

static bool is(const struct ab_span *s, const char *text)
{
	return s->len == strlen(text) && memcmp(s->s, text, s->len) == 0;
}

/* The n-th header of a kind. */
static bool nth(const char *text, enum ab_digest_kind kind, int n,
		struct ab_digest *out)
{
	struct ab_digest_scan scan;

	ab_digest_begin(&scan, kind, text, strlen(text));
	while(ab_digest_next(&scan, out))
		if(n-- == 0)
			return true;
	return false;
}

/* The credentials of a request with one header more. */
static bool first(const char *header, struct ab_digest *out)
{
	static char text[1024]; /* the spans point into it */

	snprintf(text, sizeof(text), HEAD "%s\r\n\r\n", header);
	return nth(text, AB_DIGEST_CREDENTIALS, 0, out);
}

static void all_parts_are_read(void **state)
{
	const char *text = HEAD "Authorization: " CREDENTIALS "\r\n\r\n";
	struct ab_digest d;

	(void)state;
	assert_true(nth(text, AB_DIGEST_CREDENTIALS, 0, &d));
	assert_false(d.proxy);
	assert_true(is(&d.username, "b") && is(&d.realm, "a") && is(&d.nonce, "n"));
	assert_true(is(&d.uri, "sip:a") && is(&d.opaque, "o"));
	assert_true(
			is(&d.qop, "auth") && is(&d.nc, "00000001") && is(&d.cnonce, "c"));
	assert_true(is(&d.value, CREDENTIALS));
	assert_true(is(&d.header, "Authorization: " CREDENTIALS "\r\n"));
	assert_true(ab_digest_is_well_formed(&d));
	assert_false(nth(text, AB_DIGEST_CREDENTIALS, 1, &d));
	assert_false(nth(text, AB_DIGEST_CHALLENGE, 0, &d));
}

static void every_spelling_is_understood(void **state)
{
	static const char *const same[] = {
			"Authorization: Digest realm=\"a, b\",nonce=\"n\"",
			"AUTHORIZATION\t : dIGEST  nonce = n , Realm = \"a, b\"",
			"authorization:Digest\r\n realm=\"a, b\",\r\n\tnonce=\"n\"",
			"X: y\r\nAuthorization: Basic eA==\r\n"
			"Authorization: Digest ,, realm=\"a, b\", realm=\"c\", nonce=\"n\"",
			"Authorization: Digest realm=\"a, b\", nonce=\"n\", other"};
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(same); i++) {
		struct ab_digest d;

		assert_true(first(same[i], &d));
		expect(is(&d.realm, "a, b") && is(&d.nonce, "n"), "%s", same[i]);
	}
}

static void no_spelling_hides_credentials(void **state)
{
	static const struct ab_digest challenge = {.realm = {"a.b", 3}};
	static const struct
	{
		const char *header;
		bool same, odd;
	} cases[] = {
			{"Authorization: Digest realm=\"a.b\", nonce=\"n\",", true, false},
			{"Authorization: Digest realm=A.B", true, false},
			{"Authorization: Digest realm=\"a\"", false, false},
			{"Authorization: Digest nonce=\"n\"", false, false},
			{"Authorization: Digest realm=\"a\\.b\"", true, true},
			{"Authorization: Digest realm=\"x\", realm=\"a.b\"", true, true},
			{"Authorization: Digest realm=\"x\", Digest realm=\"a.b\"", true,
					true},
			/* a registrar may take the CR for the end of a line */
			{"X: y\rAuthorization: Digest realm=\"a.b\"", true, false}};
	struct ab_digest d;
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(cases); i++) {
		assert_true(first(cases[i].header, &d));
		expect(ab_digest_same_realm(&d, &challenge) == cases[i].same, "%s",
				cases[i].header);
		expect(d.odd == cases[i].odd, "%s", cases[i].header);
	}
}

static void others_are_passed_over(void **state)
{
	static const char *const none[] = {"Authorization: Basic eA==",
			"Authorization: Digest", "Authorization: Digestrealm=\"a\"",
			"Authorization:", "XAuthorization: " CREDENTIALS,
			"WWW-Authenticate: " CREDENTIALS,
			"X: y\r\n\r\nAuthorization: " CREDENTIALS};
	struct ab_digest d;
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(none); i++)
		expect(!first(none[i], &d), "%s", none[i]);
}

static void several_headers_come_one_by_one(void **state)
{
	const char *text =
			"SIP/2.0 401 No\r\n"
			"WWW-Authenticate: Digest realm=\"1\", stale=TRUE\r\n"
			"Proxy-Authenticate: Digest realm=\"2\", stale=\"true\"\n"
			"WWW-Authenticate: Digest realm=\"3\", stale=false\r\n\r\n"
			"WWW-Authenticate: Digest realm=\"body\"\r\n";
	const char *const realms[] = {"1", "2", "3"};
	struct ab_digest d;
	int i;

	(void)state;
	for(i = 0; i < 3; i++) {
		assert_true(nth(text, AB_DIGEST_CHALLENGE, i, &d));
		assert_true(is(&d.realm, realms[i]));
		assert_int_equal(d.proxy, i == 1);
		assert_int_equal(ab_digest_is_stale(&d), i != 2);
	}
	assert_false(nth(text, AB_DIGEST_CHALLENGE, 3, &d));
}

static void a_second_challenge_in_a_header_is_not_mixed_in(void **state)
{
	struct ab_digest d;

	(void)state;
	assert_true(nth("SIP/2.0 401 No\r\nWWW-Authenticate: Digest realm=\"1\", "
					"nonce=\"n\", Digest realm=\"2\", opaque=\"o\"\r\n\r\n",
			AB_DIGEST_CHALLENGE, 0, &d));
	assert_true(is(&d.realm, "1"));
	assert_null(d.opaque.s);
}

static void an_opaque_is_cut_with_one_comma(void **state)
{
	static const struct
	{
		const char *with, *without;
	} cases[] = {{"Digest realm=\"a\", opaque=\"o\"", "Digest realm=\"a\""},
			{"Digest realm=\"a\" , opaque=o, nonce=n",
					"Digest realm=\"a\" , nonce=n"},
			{"Digest opaque=\"o\" , nonce=n", "Digest  nonce=n"},
			{"Digest opaque=\"\"", "Digest "}};
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(cases); i++) {
		char text[256], left[256];
		struct ab_digest d;
		const char *end;

		snprintf(text, sizeof(text), HEAD "Authorization: %s\r\n\r\n",
				cases[i].with);
		assert_true(nth(text, AB_DIGEST_CREDENTIALS, 0, &d));
		end = d.value.s + d.value.len;
		snprintf(left, sizeof(left), "%.*s%.*s",
				(int)(d.opaque_cut.s - d.value.s), d.value.s,
				(int)(end - d.opaque_cut.s - (long)d.opaque_cut.len),
				d.opaque_cut.s + d.opaque_cut.len);
		expect(strcmp(left, cases[i].without) == 0, "%s: %s", cases[i].with,
				left);
	}
}

static void malformed_credentials_are_told_apart(void **state)
{
	static const char *const bad[] = {"Digest username=\"b\"",
			/* what svcrack answers to a challenge without qop */
			"Digest username=\"b\",realm=\"a\",nonce=\"n\",uri=\"u\","
			"response=\"0123456789abcdef0123456789abcdef\",qop=auth",
			"Digest username=\"b\",realm=\"a\",nonce=\"n\",uri=\"u\","
			"response=\"short\"",
			"Digest username=\"\",realm=\"a\",nonce=\"n\",uri=\"u\","
			"response=\"0123456789abcdef0123456789abcdef\""};
	char header[512];
	struct ab_digest d;
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(bad); i++) {
		snprintf(header, sizeof(header), "Authorization: %s", bad[i]);
		assert_true(first(header, &d));
		expect(!ab_digest_is_well_formed(&d), "%s", bad[i]);
	}
}

static bool same_request(const char *a, const char *b)
{
	struct ab_request x, y;

	return ab_request_read(&x, a, strlen(a))
		   && ab_request_read(&y, b, strlen(b))
		   && ab_span_equal(&x.method, &y.method)
		   && ab_span_equal(&x.uri, &y.uri) && ab_span_equal(&x.from, &y.from)
		   && ab_span_equal(&x.to, &y.to);
}

static void requests_are_told_apart(void **state)
{
	static const char one[] = HEAD "\r\n";
	static const char *const same[] = {HEAD "Authorization: x\r\n\r\n",
			"\r\nREGISTER sip:a SIP/2.0\r\nt:<sip:b@a>\r\n"
			"f:  <sip:b@a>;tag=2\r\n\r\n"};
	static const char *const other[] = {"REGISTER sip:c SIP/2.0\r\nFrom: "
										"<sip:b@a>\r\nTo: <sip:b@a>\r\n\r\n",
			"OPTIONS sip:a SIP/2.0\r\nFrom: <sip:b@a>\r\nTo: <sip:b@a>\r\n\r\n",
			"REGISTER sip:a SIP/2.0\r\nFrom: <sip:b@a>\r\nTo: "
			"<sip:c@a>\r\n\r\n",
			"REGISTER sip:a SIP/2.0\r\nFrom: <sip:c@a>\r\nTo: "
			"<sip:b@a>\r\n\r\n",
			/* a tag in front of the URI is none */
			"REGISTER sip:a SIP/2.0\r\nFrom: \";tag=1\" <sip:b@a>\r\n"
			"To: <sip:b@a>\r\n\r\n",
			/* which of the two? */
			HEAD "To: <sip:b@a>\r\n\r\n", HEAD "f: <sip:b@a>\r\n\r\n",
			"REGISTER sip:a SIP/2.0\r\nTo: <sip:b@a>\r\n\r\n",
			"SIP/2.0 200 OK\r\nFrom: <sip:b@a>\r\nTo: <sip:b@a>\r\n\r\n", ""};
	struct ab_request r;
	size_t i;

	(void)state;
	for(i = 0; i < COUNT_OF(same); i++)
		expect(same_request(one, same[i]), "%s", same[i]);
	for(i = 0; i < COUNT_OF(other); i++)
		expect(!same_request(one, other[i]), "%s", other[i]);
	assert_true(ab_request_read(&r, one, strlen(one)) && !r.in_dialog);
	assert_true(ab_request_read(&r, HEAD "\r\n", sizeof(HEAD) + 1));
	{
		static const char in[] =
				"BYE sip:a SIP/2.0\r\nFrom: <sip:b@a>;tag=1\r\n"
				"To: <sip:b@a>;TAG=2\r\n\r\n";

		assert_true(ab_request_read(&r, in, strlen(in)) && r.in_dialog);
	}
}

/* Every span lies within the text, whatever the text; with exactly as much memory
 * as text, so that AddressSanitizer sees a byte too many. */
static void any_text_is_read_within_its_bounds(void **state)
{
	static const char *const words[] = {"Authorization", "Digest ",
			"realm=", "nonce=\"", "\"", "\\", ",", "\r\n", "\n ", ":",
			"opaque=\"x\"", "WWW-Authenticate: Digest ",
			"From:", "To:", ";tag=", "<", " ", "=", "SIP/2.0"};
	struct rng r = rng_of(11);
	int round;

	(void)state;
	for(round = 0; round < 20000; round++) {
		char text[400];
		size_t n = 0;
		char *copy;
		int kind, found = 0;

		while(n < 300 && rng_below(&r, 40) != 0) {
			const char *w =
					words[rng_below(&r, sizeof(words) / sizeof(words[0]))];

			memcpy(text + n, w, strlen(w));
			n += strlen(w);
		}
		copy = malloc(n ? n : 1);
		assert_non_null(copy);
		memcpy(copy, text, n);
		for(kind = 0; kind < 2; kind++) {
			struct ab_digest_scan scan;
			struct ab_digest d;
			struct ab_request q;

			ab_digest_begin(&scan, (enum ab_digest_kind)kind, copy, n);
			while(ab_digest_next(&scan, &d)) {
				const struct ab_span *s = &d.header;

				found++;
				for(; s <= &d.opaque_cut; s++)
					if(s->s)
						assert_true(s->s >= copy && s->s + s->len <= copy + n);
			}
			assert_true(found <= 300);
			ab_request_read(&q, copy, n);
		}
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(all_parts_are_read),
			cmocka_unit_test(every_spelling_is_understood),
			cmocka_unit_test(no_spelling_hides_credentials),
			cmocka_unit_test(others_are_passed_over),
			cmocka_unit_test(several_headers_come_one_by_one),
			cmocka_unit_test(a_second_challenge_in_a_header_is_not_mixed_in),
			cmocka_unit_test(an_opaque_is_cut_with_one_comma),
			cmocka_unit_test(malformed_credentials_are_told_apart),
			cmocka_unit_test(requests_are_told_apart),
			cmocka_unit_test(any_text_is_read_within_its_bounds)};

	return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
