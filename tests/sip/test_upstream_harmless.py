# SPDX-License-Identifier: GPL-2.0-or-later
"""watch_replies and those who do no harm: nothing of what they do is counted.

Honest phones of every kind of registrar, victims of forged packets, a registrar that is down.
"""
import pytest

from lib.kamailio import REALM
from lib.lan import address_of
from lib.rawudp import Forger
from lib.upstream import THRESHOLD
from lib.wait import holds_for, wait_for


@pytest.fixture
def proxy(site):
    return site.proxy()


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


def test_403_for_a_known_user(lan, site, registrar):
    """A phone that may register, but not call everywhere, is no guesser."""
    proxy = site.proxy(AB_WATCH_403_TOO=True)
    phone = lan.phone(proxy)
    assert phone.register().status == 200
    registrar.status = 403
    assert [phone.request("MESSAGE", "sip:far@" + REALM).status for _ in range(7)] == [403] * 7
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
