# SPDX-License-Identifier: GPL-2.0-or-later
"""The numbers of every back end: auth_radius with a RADIUS server, the others by a script that returns them."""
import pytest

from lib.kamailio import REALM
from lib.lan import PROXY, address_of, counted
from lib.radius import Radius
from lib.sip import malformed_credentials

THRESHOLD = 5
UNTIL_BANNED = [401] * (THRESHOLD - 1) + [0]
MAP = ("-1=backend_error, -2=stale, -3=error, -4=mismatch, -5=no_credentials, -6=unknown_user, -7=wrong_password,"
       " -8=password_or_nonce, -9=password_or_timeout, -10=ignore")

# --- auth_radius ---

RADIUS = """
loadmodule "auth_radius.so"
modparam("auth_radius", "radius_config", "%s")
modparam("authban", "backend", "radius")
%s
request_route {
	if (!authban_check()) { exit; }
	if (!authban_proven()) { authban_challenge("$fd", "1"); exit; }
	radius_www_authorize("$fd");
	if (!authban_result("$rc")) {
		if ($authban(class) == "backend_error") { sl_send_reply("503", "Down"); exit; }
		authban_challenge("$fd", "1");
		exit;
	}
	sl_send_reply("200", "OK");
}
"""


@pytest.fixture(scope="module")
def radius(lan):
    users = {name: name + "-secret" for name in ("alice", "bob", "carol")}
    with Radius(users, PROXY, lan.net["proxy"]) as server:
        yield server


@pytest.fixture(scope="module")
def radius_proxy(lan, radius, tmp_path_factory):
    return radius_proxy_with(lan, radius, tmp_path_factory, "")


def radius_proxy_with(lan, server, folders, more):
    config = server.write_config(str(folders.mktemp("radius")))
    return lan.proxy(settings={"extra": RADIUS % (config, more)}, WITH_KEMI=True, AB_THRESHOLD=THRESHOLD)


@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_radius_wrong_passwords_count(lan, radius_proxy, user):
    guesser = lan.guesser(radius_proxy, user)
    statuses = [guesser.guess("wrong-%d" % n) for n in range(THRESHOLD)]
    row = radius_proxy.bans().get(address_of(guesser))
    print("\nradius %s: statuses=%s failures=%s" % (user, statuses, row and row["failures"]))
    assert statuses == UNTIL_BANNED
    assert row["failures"] == THRESHOLD


def test_radius_right_password(lan, radius_proxy):
    before, successes = counted(radius_proxy), radius_proxy.authban()["successes"]
    phone = lan.phone(radius_proxy)
    statuses = [phone.register().status for _ in range(3)]
    now = radius_proxy.authban()["successes"] - successes
    print("\nradius right password: statuses=%s successes=%d" % (statuses, now))
    assert statuses == [200] * 3 and now == 3
    assert dict(counted(radius_proxy), entries=0) == dict(before, entries=0)


def test_radius_other_numbers(lan, radius_proxy):
    """-1 malformed counts; -1 for a nonce that is not ours, over TCP, does not."""
    before = radius_proxy.authban()
    broken = lan.guesser(radius_proxy, kind="svcrack")
    challenge = dict(broken.challenge(), qop=None)
    header = malformed_credentials(challenge, "alice", "wrong", "REGISTER", "sip:" + REALM)
    header = (header[0], header[1] + ', qop=auth')
    assert broken.send([header]).status == 401
    foreign = lan.guesser(radius_proxy, transport="tcp")
    challenge = foreign.challenge()
    challenge["nonce"] = challenge["nonce"][::-1]
    assert foreign.answer(challenge) == 401
    now = radius_proxy.authban()
    print("\nradius: malformed=%d failures=%d" % (
        now["malformed"] - before["malformed"], now["failures"] - before["failures"]))
    assert now["malformed"] - before["malformed"] == 1
    assert now["failures"] - before["failures"] == 1


def test_radius_a_late_rejection_counts(lan, radius, radius_proxy):
    """FreeRADIUS holds its rejections back for a second."""
    guesser = lan.guesser(radius_proxy, timeout=4)
    before = counted(radius_proxy)["failures"]
    radius.delay = 0.9
    try:
        status = guesser.guess()
    finally:
        radius.delay = 0
    print("\nradius, rejected after 0.9 s: status=%d counted=%d" % (
        status, counted(radius_proxy)["failures"] - before))
    assert counted(radius_proxy)["failures"] == before + 1


def silent(server, proxy, *senders):
    """Statuses while RADIUS does not answer."""
    server.silent = True
    try:
        return [sender() for sender in senders]
    finally:
        server.silent = False


def test_a_silent_radius_is_nobodys_failure(lan, radius, radius_proxy):
    phone, guesser = lan.phone(radius_proxy), lan.guesser(radius_proxy, timeout=5)
    challenge = guesser.challenge()
    before, errors = counted(radius_proxy), radius_proxy.authban()["backend_errors"]
    statuses = silent(radius, radius_proxy, lambda: phone.register().status, lambda: guesser.answer(challenge))
    errors = radius_proxy.authban()["backend_errors"] - errors
    print("\nradius silent: statuses=%s backend_errors=%d" % (statuses, errors))
    assert statuses == [503, 503]
    assert counted(radius_proxy) == before
    assert errors >= 2, "a phone may have said it twice"
    assert phone.register().status == 200, "it recovers by itself"


def test_without_backend_timeout_silence_is_a_wrong_password(lan, radius, tmp_path_factory):
    """The control: by its number alone nobody can tell."""
    proxy = radius_proxy_with(lan, radius, tmp_path_factory, 'modparam("authban", "backend_timeout", 0)')
    guesser = lan.guesser(proxy, timeout=5)
    challenge = guesser.challenge()
    statuses = silent(radius, proxy, lambda: guesser.answer(challenge, "alice-secret"))
    print("\nradius silent, backend_timeout 0: statuses=%s counted=%s" % (statuses, counted(proxy)))
    assert statuses == [401]
    assert counted(proxy)["failures"] == 1


# --- the others ---

# X-Slow makes a back end of them that needs 0.3 s, when 0.2 s mean that it is down.
# X-Auth runs auth's own checks, as uid_auth_db does, and marks the credentials; X-Result is the number.
NUMBERS = """
loadmodule "cfgutils.so"
%s
request_route {
	if (!authban_check()) { exit; }
	if (!is_present_hf("X-Result")) { authban_challenge("$fd", "1"); exit; }
	if (is_present_hf("X-Auth")) { pv_www_authenticate("$fd", "alice-secret", "0"); }
	authban_proven();
	if (is_present_hf("X-Slow")) { usleep("300000"); }
	$var(r) = $(hdr(X-Result){s.int});
	authban_result("$var(r)");
	$var(a) = $rc;
	append_to_reply("X-Class: $authban(class)\\r\\nX-Answer: $var(a)\\r\\n");
	sl_send_reply("480", "Judged");
}
"""
BITS = "".join('modparam("auth", "auth_checks_%s", 8)\n' % name for name in ("register", "no_dlg", "in_dlg"))
COUNTS = {"wrong_password", "unknown_user", "malformed"}


@pytest.fixture(scope="module")
def backend(lan):
    """backend("radius", proof="nonce"): a proxy, made once."""
    made = {}

    def get(name, proof="token", more=""):
        if (name, proof, more) not in made:
            text = 'modparam("authban", "backend", "%s")\nmodparam("authban", "proof", "%s")\n' % (name, proof) + BITS
            text += 'modparam("authban", "backend_timeout", 200)\n' + more
            if name == "custom":
                text += 'modparam("authban", "result_map", "%s")\n' % MAP
            made[name, proof, more] = lan.proxy(settings={"extra": NUMBERS % text}, WITH_KEMI=True, AB_THRESHOLD=1000)
        return made[name, proof, more]
    return get


def judged(guesser, number, header, auth=True, slow=False):
    """(class, what authban_result answered) of one request."""
    more = [("X-Result", str(number))] + ([("X-Auth", "1")] if auth else [])
    more += [("X-Slow", "1")] if slow else []
    response = guesser.send(([header] if header else []) + more)
    return response.header("x-class"), int(response.header("x-answer"))


def good(guesser, **changes):
    return guesser.answer_header(dict(guesser.challenge(), **changes), "wrong")


def malformed(guesser):
    return malformed_credentials(guesser.challenge(), "alice", "wrong", "REGISTER", "sip:" + REALM)


def expect(proxy, guesser, number, header, wanted, **more):
    """The class, and that it counts exactly when it is one of those that count."""
    before = counted(proxy)["failures"]
    got, answer = judged(guesser, number, header, **more)
    added = counted(proxy)["failures"] - before
    print("\n  %4d: %s answer=%d counted=%d" % (number, got, answer, added), end="")
    assert got == wanted
    assert added == (wanted in COUNTS)
    assert answer == (1 if number == 1 else -1)


CLASSES = {
    "auth_db": {1: "success", -1: "backend_error", -2: "wrong_password", -3: "unknown_user", -4: "stale",
                -5: "no_credentials", -6: "stale", -7: "stale", -8: "mismatch", -9: "unknown"},
    "radius": {1: "success", -1: "backend_error", -2: "wrong_password", -3: "unknown", -4: "stale",
               -5: "no_credentials", -6: "stale", -7: "backend_error", -8: "unknown"},
    "uid_auth_db": {1: "success", -1: "wrong_password", -2: "backend_error", -3: "backend_error", -4: "stale",
                    -5: "no_credentials", -6: "stale", -7: "unknown", -8: "unknown"},
    "diameter": {1: "success", -1: "unknown_user", -2: "wrong_password", -3: "stale", -4: "no_credentials",
                 -5: "unknown", -6: "stale", -7: "unknown"},
    "custom": {1: "success", -1: "backend_error", -2: "stale", -3: "backend_error", -4: "mismatch",
               -5: "no_credentials", -6: "unknown_user", -7: "wrong_password", -8: "wrong_password",
               -9: "wrong_password", -10: "unknown", -11: "unknown", -99: "unknown"},
}


@pytest.mark.parametrize("name", CLASSES)
def test_each_number(lan, backend, name):
    """Well-formed credentials with a token and a nonce that auth accepts."""
    proxy = backend(name)
    guesser = lan.guesser(proxy)
    print("\n%s" % name, end="")
    for number, wanted in CLASSES[name].items():
        expect(proxy, guesser, number, good(guesser), wanted)
    for number in CLASSES[name]:
        expect_nothing = "no_credentials"
        assert judged(guesser, number, None)[0] == expect_nothing


@pytest.mark.parametrize("name, number", [("auth_db", -1), ("radius", -1), ("uid_auth_db", -3),
                                          ("uid_auth_db", -1), ("custom", -3)])
def test_malformed_credentials(lan, backend, name, number):
    proxy = backend(name)
    guesser = lan.guesser(proxy, kind="svcrack")
    print("\n%s malformed" % name, end="")
    expect(proxy, guesser, number, malformed(guesser), "malformed")


@pytest.mark.parametrize("name, number, wanted", [
    ("auth_db", -2, "wrong_password"), ("radius", -2, "backend_error"), ("radius", -1, "backend_error"),
    ("uid_auth_db", -1, "wrong_password"), ("custom", -7, "wrong_password"), ("custom", -9, "backend_error")])
def test_a_slow_back_end(lan, backend, name, number, wanted):
    """Time speaks only where a number means both; it begins with authban_proven(), as for KEMI."""
    proxy = backend(name)
    guesser = lan.guesser(proxy)
    print("\n%s slow" % name, end="")
    expect(proxy, guesser, number, good(guesser), wanted, slow=True)


@pytest.mark.parametrize("name", ["uid_auth_db", "custom"])
def test_wrong_password_or_foreign_nonce(lan, backend, name):
    """One number for both: auth is asked again about the nonce."""
    proxy, number = backend(name), {"uid_auth_db": -1, "custom": -8}[name]
    tcp, udp = lan.guesser(proxy, transport="tcp"), lan.guesser(proxy)
    print("\n%s" % name, end="")
    expect(proxy, tcp, number, good(tcp), "wrong_password")
    expect(proxy, tcp, number, good(tcp, nonce="bm90IGEgbm9uY2Ugb2Ygb3VycyBhdCBhbGwsIG5vdCBhdCBhbGw"), "foreign_nonce")
    # an attacker gains nothing by leaving out the token where it is no proof, or by mixing two challenges
    expect(proxy, tcp, number, good(tcp, opaque=None), "wrong_password")
    expect(proxy, udp, number, good(udp, nonce=udp.challenge()["nonce"]), "wrong_password")
    expect(proxy, udp, number, good(udp, opaque=None), "unproven")


@pytest.mark.parametrize("name, number", [("auth_db", -2), ("radius", -2), ("uid_auth_db", -1), ("custom", -7)])
def test_proof_by_nonce(lan, backend, name, number):
    """proof=nonce: only a nonce that auth accepts from this address makes a failure."""
    proxy = backend(name, "nonce")
    guesser = lan.guesser(proxy)
    print("\n%s proof=nonce" % name, end="")
    expect(proxy, guesser, number, good(guesser, opaque=None), "wrong_password")
    if name in ("uid_auth_db", "custom"):  # the others' numbers say that it was accepted
        stolen = lan.guesser(proxy).challenge()["nonce"]
        expect(proxy, guesser, number, good(guesser, nonce=stolen, opaque=None), "unproven")
        expect(proxy, guesser, number, good(guesser, nonce="made-up" * 6, opaque=None), "unproven")
        expect(proxy, guesser, number, malformed(lan.guesser(proxy, kind="svcrack")), "unproven")


def test_a_nonce_good_once_proves_nothing_the_second_time(lan, backend):
    """auth would say "used before" of a truncated nonce too, whose address it has not checked."""
    proxy = backend("uid_auth_db", "nonce", 'modparam("auth", "one_time_nonce", 1)\n')
    guesser = lan.guesser(proxy)
    print("\nuid_auth_db proof=nonce one_time_nonce", end="")
    expect(proxy, guesser, -1, good(guesser, opaque=None), "unproven")
    proxy = backend("uid_auth_db", "token", 'modparam("auth", "one_time_nonce", 1)\n')
    guesser = lan.guesser(proxy)
    expect(proxy, guesser, -1, good(guesser), "wrong_password")


@pytest.mark.parametrize("name, number", [("custom", -7), ("diameter", -2)])
def test_a_back_end_without_auth(lan, backend, name, number):
    """It marks no credentials: those with our token are taken, and in proof=nonce nothing is proven."""
    proxy = backend(name)
    guesser = lan.guesser(proxy)
    print("\n%s" % name, end="")
    expect(proxy, guesser, number, good(guesser), "wrong_password", auth=False)
    expect(proxy, guesser, number, good(guesser, opaque=None), "unproven", auth=False)
    guesser = lan.guesser(backend(name, "nonce"))
    expect(backend(name, "nonce"), guesser, number, good(guesser), "unproven", auth=False)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("method", ["ACK", "CANCEL", "PRACK"])
def test_free_methods(lan, backend, name, method):
    """Neither a failure nor a success, whatever the number."""
    proxy = backend(name)
    guesser = lan.guesser(proxy)
    before, successes = counted(proxy), proxy.authban()["successes"]
    header = good(guesser)
    checked = proxy.authban()["checked"]
    for number in CLASSES[name]:
        guesser.link.send(guesser.build([header, ("X-Result", str(number))], method=method))
    assert guesser.challenge()
    print("\n%s %s: looked at=%d" % (name, method, proxy.authban()["checked"] - checked))
    assert proxy.authban()["checked"] - checked >= len(CLASSES[name])
    assert counted(proxy) == before
    assert proxy.authban()["successes"] == successes


def test_functions_of_another_back_end_are_not_read(lan):
    """pv_www_authenticate() returns the numbers of auth: with backend=radius "$rc" in an `if` is refused aloud."""
    text = 'modparam("authban", "backend", "radius")\n' + NUMBERS.replace(
        'authban_result("$var(r)");', 'if (authban_result("$rc")) { exit; }') % ""
    proxy = lan.proxy(settings={"extra": text}, WITH_KEMI=True, AB_THRESHOLD=1000)
    guesser = lan.guesser(proxy)
    judged_as = judged(guesser, -2, good(guesser))[0]
    said = proxy.log_lines("authban_result: the first parameter is 0")
    print("\nfunction of another back end: class=%s said=%d" % (judged_as, len(said)))
    assert len(said) == 1 and "backend radius" in said[0]
    assert counted(proxy)["failures"] == 0
