# SPDX-License-Identifier: GPL-2.0-or-later
"""watch_replies: a registrar behind the proxy checks the passwords, its replies are counted.

The script has authban_check() and t_relay(), nothing else: upstream.cfg.
"""
import pytest

from lib.kamailio import REALM
from lib.lan import address_of
from lib.sip import credentials
from lib.upstream import THRESHOLD
from lib.wait import holds_for


@pytest.fixture
def proxy(site):
    return site.proxy()


@pytest.mark.parametrize("qop", [True, False], ids=["qop", "no qop"])
@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "MESSAGE"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_guesses_are_counted(lan, site, registrar, proxy, transport, method, qop):
    """Any method, header and transport: the threshold is what an attacker gets."""
    registrar.qop = qop
    guesser = lan.guesser(proxy, method=method, transport=transport, timeout=0.6, kind="real" if qop else "svcrack")
    statuses = [guesser.guess("wrong-%d" % n) for n in range(THRESHOLD + 1)]
    now = site.told(proxy, "%s %s" % (method, transport))
    assert statuses == [407 if method != "REGISTER" else 401] * THRESHOLD + [0]
    assert registrar.evaluated == now["failures"] == THRESHOLD
    row = proxy.bans()[address_of(guesser)]
    assert row["proof"] == ("stream" if transport == "tcp" else "token") and row["users"] == 1


def test_silence_after_the_ban(lan, site, registrar, proxy):
    guesser = lan.guesser(proxy, timeout=0.05)
    challenge = guesser.challenge()
    for number in range(THRESHOLD):
        guesser.answer(challenge, "wrong-%d" % number)
    asked = registrar.asked
    holds_for(lambda: not guesser.answer(challenge, "later-%d" % guesser.guesses) and registrar.asked == asked,
              2, "nothing reaches the registrar")
    site.told(proxy, "after the ban, %d more guesses" % (guesser.guesses - THRESHOLD))


def test_an_old_challenge_with_many_guesses(lan, site, registrar, proxy):
    """One nonce for all of them, which many registrars allow."""
    guesser = lan.guesser(proxy, timeout=0.6)
    challenge = guesser.challenge()
    statuses = [guesser.answer(challenge, "wrong-%d" % n, count=n + 1) for n in range(THRESHOLD + 1)]
    site.told(proxy, "one nonce")
    assert statuses == [401] * THRESHOLD + [0]


def test_the_same_answer_again_counts_once(lan, site, registrar, proxy):
    guesser = lan.guesser(proxy)
    header = guesser.answer_header(guesser.challenge(), "wrong")
    statuses = [guesser.send([header]).status for _ in range(3)]
    now = site.told(proxy, "one answer three times")
    assert statuses == [401] * 3
    assert (now["failures"], now["retransmissions"]) == (1, 2)


def test_a_guess_behind_other_credentials(lan, site, registrar, proxy):
    """Several headers, the real guess last; or first, with those of the attacker's own account behind it."""
    phone = lan.phone(proxy, host="attacker", source=lan.attacker_address())
    assert phone.register().status == 200
    guesser = lan.guesser(proxy, source=address_of(phone))
    for number in range(2):
        guess = guesser.answer_header(guesser.challenge(), "wrong-%d" % number)
        own = credentials(phone.challenge, "bob", "bob-secret", "REGISTER", guesser.uri, 5)
        other = credentials(dict(phone.challenge, realm="elsewhere"), "bob", "x", "REGISTER", guesser.uri, 1, False)
        guesser.send([guess, own] if number else [other] * 12 + [guess])
    now = site.told(proxy, "guesses behind other credentials")
    # Twelve headers before the one with the token: over UDP nobody looks so far, and none goes up.
    assert now["failures"] == 1 and now["unproven"] == 1
    assert registrar.evaluated == 2


def test_an_own_account_buys_nothing(lan, site, registrar, proxy):
    """Guesses at others with a nonce that brought the attacker's own account in."""
    phone = lan.phone(proxy, host="attacker", source=lan.attacker_address())
    assert phone.register().status == 200
    guesser = lan.guesser(proxy, source=address_of(phone))
    statuses = [guesser.answer(phone.challenge, "wrong-%d" % n) for n in range(THRESHOLD + 1)]
    now = site.told(proxy, "guesses with an own account's nonce")
    assert statuses == [401] * THRESHOLD + [0]
    assert now["expired_nonces"] == 0


@pytest.mark.parametrize("disguise", [
    lambda line: line.replace('realm="sip.test"', 'realm="SIP.TEST"'),
    lambda line: line.replace('realm="sip.test"', 'realm="sip\\.test"'),
    lambda line: line.replace('realm="sip.test"', 'realm="x", realm="sip.test"'),
    lambda line: line.replace("Digest ", "dIGEST\t "),
], ids=["capitals", "escape", "twice", "spaces"])
def test_disguised_credentials(lan, site, registrar, proxy, disguise):
    """Spellings that one registrar understands and another does not: counted wherever it says 401."""
    guesser = lan.guesser(proxy)
    name, line = guesser.answer_header(guesser.challenge(), "wrong")
    assert guesser.send([(name, disguise(line))]).status == 401
    assert site.told(proxy, "disguised: " + disguise(line)[:60])["failures"] == 1


def test_a_header_behind_a_single_cr(lan, site, registrar, proxy):
    """For Kamailio it is part of the header before; some registrars see credentials."""
    guesser = lan.guesser(proxy)
    name, line = guesser.answer_header(guesser.challenge(), "wrong", opaque=False)
    assert guesser.send([("X-A", "b\r%s: %s" % (name, line))]).challenge()["stale"] == "true"
    assert (site.told(proxy, "behind a CR")["unproven"], registrar.with_credentials) == (1, 0)


def test_no_token_over_udp(lan, site, registrar, proxy):
    """Credentials without it do not go up; the registrar's challenge says stale=true."""
    guesser = lan.guesser(proxy)
    for number in range(10):
        assert guesser.answer(guesser.challenge(), "wrong-%d" % number, opaque=False) == 401
        assert guesser.last.challenge()["stale"] == "true"
    now = site.told(proxy, "no token over udp")
    assert registrar.with_credentials == registrar.evaluated == 0
    assert (now["failures"], now["unproven"]) == (0, 10)


def test_no_token_over_tcp(lan, site, registrar, proxy):
    guesser = lan.guesser(proxy, transport="tcp", timeout=0.6)
    statuses = [guesser.answer(guesser.challenge() or {"realm": REALM, "nonce": "x", "header": "Authorization"},
                               "wrong-%d" % n, opaque=False) for n in range(THRESHOLD + 1)]
    site.told(proxy, "no token over tcp")
    assert statuses == [401] * THRESHOLD + [0]


@pytest.mark.parametrize("watched", [False, True])
def test_403(lan, site, registrar, watched):
    """Counts only where told."""
    proxy = site.proxy(AB_WATCH_403_TOO=watched)
    registrar.refusal = 403
    guesser = lan.guesser(proxy, timeout=0.6)
    statuses = [guesser.guess("wrong-%d" % n) for n in range(THRESHOLD + 2)]
    now = site.told(proxy, "403, watch_403=%d" % watched)
    assert statuses == ([403] * THRESHOLD + [0, 0] if watched else [403] * (THRESHOLD + 2))
    assert now["failures"] == (THRESHOLD if watched else 0)


def test_dry_run_changes_no_credentials(lan, site, registrar):
    proxy = site.proxy(AB_MODE="dry_run")
    guesser = lan.guesser(proxy)
    tokenless = [guesser.answer(guesser.challenge(), "wrong-%d" % n, opaque=False) for n in range(3)]
    proven = [guesser.guess("more-%d" % n) for n in range(THRESHOLD + 2)]
    now = site.told(proxy, "dry run")
    assert tokenless + proven == [401] * (THRESHOLD + 5)
    assert (now["unproven"], now["failures"]) == (3, THRESHOLD + 2)


def test_no_tokens_with_proof_none(lan, site, registrar):
    """Only stream transports prove themselves; nothing in a message is changed."""
    proxy = site.proxy(AB_PROOF="none")
    udp, tcp = lan.guesser(proxy), lan.guesser(proxy, transport="tcp")
    assert udp.challenge().get("opaque") is None
    statuses = [udp.guess("wrong-%d" % n) for n in range(THRESHOLD + 2)]
    assert statuses == [401] * (THRESHOLD + 2)
    assert [tcp.guess("wrong-%d" % n) for n in range(THRESHOLD + 1)] == [401] * THRESHOLD + [0]
    site.told(proxy, "proof=none")
    assert address_of(tcp) in proxy.bans() and address_of(udp) not in proxy.bans()


def test_a_script_that_judges_too(lan, site):
    """authban_result() and the reply of the same script: an attempt and a success count once."""
    proxy = lan.proxy(AB_THRESHOLD=THRESHOLD, settings={"extra": 'modparam("authban", "watch_replies", 1)'})
    phone, guesser = lan.phone(proxy), lan.guesser(proxy, timeout=0.6)
    assert [phone.register().status for _ in range(3)] == [200] * 3
    statuses = [guesser.guess("wrong-%d" % n) for n in range(THRESHOLD + 1)]
    now = proxy.authban()
    print("\nupstream both ways: evaluated=%d failures=%d successes=%d statuses=%s" % (
        proxy.evaluated(), now["failures"], now["successes"], statuses))
    assert (now["failures"], now["successes"], now["retransmissions"]) == (THRESHOLD, 3, 0)
