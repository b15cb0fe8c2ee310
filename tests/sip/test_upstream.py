# SPDX-License-Identifier: GPL-2.0-or-later
"""watch_replies: a registrar behind the proxy checks the passwords, its replies are counted.

The script has authban_check() and t_relay(), nothing else: upstream.cfg.
"""
import pytest

from lib.kamailio import REALM
from lib.lan import address_of
from lib.rawudp import Forger
from lib.sip import credentials
from lib.upstream import THRESHOLD
from lib.wait import holds_for, wait_for


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
    guesser = lan.guesser(proxy)
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


def test_success_is_noted(lan, site, registrar, proxy):
    phone = lan.phone(proxy)
    trips = [phone.register() for _ in range(4)]
    now = site.told(proxy, "honest phone")
    assert [tuple(t) for t in trips] == [(200, 2)] + [(200, 1)] * 3
    assert (now["successes"], now["failures"], now["entries"]) == (4, 0, 0)


def test_no_success_without_a_password(lan, site, registrar, proxy):
    """Requests that nobody challenges bring no good name, whatever name stands in their credentials."""
    guesser = lan.guesser(proxy)
    challenge = guesser.challenge()
    registrar.status = 200
    for guesser.method in ("OPTIONS", "MESSAGE", "SUBSCRIBE"):
        assert guesser.answer(challenge, "wrong") == 200
    guesser.method = "REGISTER"  # another From and To than those that were challenged
    assert guesser.send([guesser.answer_header(challenge, "wrong", user="alice")], user="carol").status == 200
    assert site.told(proxy, "unchallenged requests")["successes"] == 0


@pytest.mark.parametrize("say_stale", [True, False])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_nonce_expires(lan, site, registrar, proxy, transport, say_stale):
    """With stale=true and without it: an honest phone is never counted."""
    registrar.life, registrar.say_stale = 0.1, say_stale
    phone = lan.phone(proxy, transport=transport)
    old = 0
    for _ in range(12):
        before = registrar.evaluated
        status = phone.register().status
        if phone.asks_owner:  # without stale=true ours asks; the second time it has the new nonce
            status = phone.register().status
        assert status == 200
        wait_for(lambda: phone.register().round_trips == 1, 5, "a cached nonce works", pause=0)
        old += registrar.evaluated > before
        holds_for(lambda: True, 0.15)
    now = site.told(proxy, "nonces expire, stale=%s, %s" % (say_stale, transport))
    assert now["failures"] == now["entries"] == 0
    assert (now["expired_nonces"] > 5) == (not say_stale)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_nonce_for_one_request(lan, site, registrar, proxy, transport):
    """A registrar that wants a new nonce for each request, and does not say stale=true."""
    registrar.once, registrar.say_stale = True, False
    phone = lan.phone(proxy, transport=transport)
    for _ in range(10):
        if phone.register().status != 200:
            assert phone.register().status == 200
    now = site.told(proxy, "nonces for one request, %s" % transport)
    assert now["failures"] == 0 and now["expired_nonces"] >= 4


def test_an_own_account_buys_nothing(lan, site, registrar, proxy):
    """Guesses at others with a nonce that brought the attacker's own account in."""
    phone = lan.phone(proxy, host="attacker", source=lan.attacker_address())
    assert phone.register().status == 200
    guesser = lan.guesser(proxy, source=address_of(phone))
    statuses = [guesser.answer(phone.challenge, "wrong-%d" % n) for n in range(THRESHOLD + 1)]
    now = site.told(proxy, "guesses with an own account's nonce")
    assert statuses == [401] * THRESHOLD + [0]
    assert now["expired_nonces"] == 0


def test_one_wrong_password_then_the_right_one(lan, site, registrar, proxy):
    phone = lan.phone(proxy, "carol", "mistyped")
    assert phone.register().status == 401
    phone.password = "carol-secret"
    assert phone.register().status == 200
    now = site.told(proxy, "mistyped once")
    assert (now["failures"], now["banned"]) == (1, 0)


@pytest.mark.parametrize("own", [None, "", "of-the-registrar/+="])
def test_the_registrar_sees_its_own_opaque(lan, site, registrar, proxy, own):
    registrar.opaque = own
    phone = lan.phone(proxy)
    assert phone.register().status == phone.register().status == 200
    print("\nupstream opaque %r: phone got %r, registrar got %r" % (own, phone.challenge["opaque"], registrar.opaques))
    assert phone.challenge["opaque"].endswith(own or "") and len(phone.challenge["opaque"]) == 32 + len(own or "")
    # An empty one is a parameter that says nothing; it is cut out with the token.
    assert registrar.opaques == [own or None] * 2


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
    guesser = lan.guesser(proxy, transport="tcp")
    statuses = [guesser.answer(guesser.challenge() or {"realm": REALM, "nonce": "x", "header": "Authorization"},
                               "wrong-%d" % n, opaque=False) for n in range(THRESHOLD + 1)]
    site.told(proxy, "no token over tcp")
    assert statuses == [401] * THRESHOLD + [0]


def test_a_phone_comes_back_after_a_restart(lan, site, registrar):
    """No cluster_key: its token is of no more use, its nonce is; over UDP one round trip more, no question."""
    proxy = site.proxy(new=True)
    phone = lan.phone(proxy)
    assert phone.register().status == 200
    proxy.stop()
    proxy.start()
    back = phone.register()
    now = site.told(proxy, "after a restart")
    assert tuple(back) == (200, 2) and not phone.asks_owner
    assert now["failures"] == 0


def test_forged_packets(lan, site, registrar, proxy):
    """The registrar's nonces are the same for everybody in one second, as those of Kamailio and pjsip.

    So the attacker has the victim's nonce; he has no token for the victim's address.
    """
    registrar.shared_nonce = True
    victim, attacker = lan.phone(proxy), lan.guesser(proxy)
    assert victim.register().status == 200
    with Forger(lan.net["attacker"]) as forger:
        def forge(requests):
            return forger.send((address_of(victim), 5099), proxy.target, requests, rate=1500)
        sent = 0
        for number in range(20):
            challenge = attacker.challenge()
            stolen = dict(victim.challenge, opaque=None)
            sent += forge([attacker.build()])
            sent += forge([attacker.build([attacker.answer_header(c, "wrong-%d-%d" % (number, n), user=u)])
                           for n in range(3) for u in ("alice", "bob")
                           for c in (challenge, dict(challenge, opaque=None), stolen)])
        wait_for(lambda: site.now(proxy)["unproven"] >= 0.9 * 360, 5, "the packets arrive")
    now = site.told(proxy, "forged packets: %d" % sent)
    assert now["failures"] == now["entries"] == 0
    assert registrar.evaluated == registrar.accepted == 1
    assert victim.register().status == 200


def test_registrar_down(lan, site, registrar, proxy):
    """No answer (408 by tm), or 500, 503 and 400: nobody judged a password."""
    guesser = lan.guesser(proxy, timeout=4)
    challenge = guesser.challenge()
    statuses = []
    for registrar.status in (500, 503, 400, 404, 480):
        statuses.append(guesser.answer(challenge, "wrong-%d" % registrar.status))
    registrar.silent = True
    statuses.append(guesser.answer(challenge, "wrong"))
    now = site.told(proxy, "registrar down: %s" % statuses)
    assert statuses == [500, 500, 400, 404, 480, 408]
    assert now["failures"] == now["entries"] == 0


@pytest.mark.parametrize("watched", [False, True])
def test_403(lan, site, registrar, watched):
    """Counts only where told."""
    proxy = site.proxy(AB_WATCH_403_TOO=watched)
    registrar.refusal = 403
    guesser = lan.guesser(proxy)
    statuses = [guesser.guess("wrong-%d" % n) for n in range(THRESHOLD + 2)]
    now = site.told(proxy, "403, watch_403=%d" % watched)
    assert statuses == ([403] * THRESHOLD + [0, 0] if watched else [403] * (THRESHOLD + 2))
    assert now["failures"] == (THRESHOLD if watched else 0)


def test_403_for_a_known_user(lan, site, registrar):
    """A phone that may register, but not call everywhere, is no guesser."""
    proxy = site.proxy(AB_WATCH_403_TOO=True)
    phone = lan.phone(proxy)
    assert phone.register().status == 200
    registrar.status = 403
    assert [phone.request("MESSAGE", "sip:far@" + REALM).status for _ in range(4)] == [403] * 4
    assert site.told(proxy, "403 for a known user")["failures"] == 0


def test_what_goes_downstream_counts(lan, site, registrar):
    """A forked call: 407 of one branch and 200 of the other is no failure; 407 and 404 is one."""
    other = site.other
    proxy = site.proxy(FORK=other.uri)
    guesser = lan.guesser(proxy, method="INVITE")
    failures = []
    other.status = 404
    challenge = guesser.challenge()
    for other.status in (200, 404, 200):
        status = guesser.answer(challenge, "wrong-%d" % guesser.guesses)
        failures.append((status, site.now(proxy)["failures"]))
    site.told(proxy, "forked calls: %s" % failures)
    assert failures == [(200, 0), (407, 1), (200, 1)]
    assert site.now(proxy)["successes"] == 0, "the one who is called said 200, nobody looked at the password"
    assert other.asked == registrar.asked == 4


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


def test_own_challenges_are_watched(lan, site, registrar):
    """The script checks passwords with the auth module alone, over TCP; its nonces live a second."""
    proxy = site.proxy(OWN_AUTH=True)
    phone = lan.phone(proxy, transport="tcp")
    assert phone.register().status == 200
    wait_for(lambda: phone.register() == (200, 2), 5, "the nonce is old", pause=0.3)
    honest = site.now(proxy)
    guesser = lan.guesser(proxy, transport="tcp")
    statuses = [guesser.guess("wrong-%d" % n) for n in range(THRESHOLD + 1)]
    now = site.told(proxy, "own auth: %s" % statuses)
    assert (honest["failures"], honest["entries"]) == (0, 0) and honest["successes"] >= 2
    assert now["failures"] == THRESHOLD and statuses[-1] == 0
