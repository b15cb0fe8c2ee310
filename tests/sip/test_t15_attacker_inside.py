# SPDX-License-Identifier: GPL-2.0-or-later
"""T15: the real svcrack behind the address of many good phones, against a stranger's user and against theirs.

The usual configurations lose the phones or stop nothing: test_svcrack_behind_the_phones_address in
test_peer_controls_nat.py.
"""
import pytest

from lib import attacks
from lib.clock import Clock
from lib.crowd import Crowd
from lib.kamailio import Proxy
from lib.netns import Net
from lib.office import LIMITS, LONG, Office, figure, tries, users
from lib.svcrack import run_svcrack

PROXY, OFFICE = "10.90.0.1", "10.90.0.66"
GOOD = users(1000 if LONG else 200)
PHONES = [(OFFICE, *user) for user in GOOD]
ALICE = ("alice", "alice-secret")
A_MINUTE, SERVED = 40, 0.999


@pytest.fixture(scope="module")
def net():
    with Net({"proxy": [PROXY + "/24"], "office": [OFFICE + "/24"]}) as made:
        yield made


def proxy_at(net, **more):
    return Proxy(host=PROXY, netns=net["proxy"], users=GOOD + [ALICE], defines=dict(LIMITS, WITH_QOP=True), **more)


def crack_all(net, proxy, office, victims, guesses=300):
    """svcrack at one user after the other, while the phones go on: guesses sent, evaluated; nobody is cracked."""
    sent = 0
    for victim in victims:
        crack = run_svcrack(proxy.target, victim, range(1000, 1000 + guesses), netns=net["office"],
                            silence=1, deadline=5)
        assert not crack.cracked
        sent += crack.sent
    office.ended.set()
    office.thread.join(60)
    return sent, proxy.authban()["failures"]


@pytest.mark.parametrize("victims", [["alice"], ["phone-7"]], ids=["a stranger", "one of the phones"])
def test_svcrack_behind_the_address(net, victims):
    with proxy_at(net) as proxy, Office(proxy.target, net["office"], PHONES) as office:
        sent, evaluated = crack_all(net, proxy, office, victims)
        now = proxy.authban()
        figure("T15", victim=",".join(victims), guesses_sent=sent, evaluated=evaluated, pair_bans=now["pair_bans"],
               bans=now["bans"], **office.figures())
    assert sent > evaluated and now["blocked"], "it went on when its user was banned"
    assert LIMITS["AB_THRESHOLD"] <= evaluated <= A_MINUTE
    assert office.requests >= 2 * len(PHONES) and office.served >= SERVED * office.requests


def test_svcrack_at_many_users(net):
    """One after the other: max_users ends it for all whom nobody knows there."""
    victims = ["user-%d" % number for number in range(8)]
    with proxy_at(net) as proxy, Office(proxy.target, net["office"], PHONES) as office:
        sent, evaluated = crack_all(net, proxy, office, victims, guesses=30)
        figure("T15 users", victims=len(victims), guesses_sent=sent, evaluated=evaluated, bans=proxy.authban()["bans"],
               **office.figures())
    assert evaluated <= A_MINUTE
    assert office.served >= SERVED * office.requests


def test_an_attacker_who_knows_all_phones(net):
    """He guesses at every known-good user in turn, for simulated minutes: each has its own pair, and all are served."""
    minutes, evaluated = 10, []
    with Clock() as clock, proxy_at(net, **clock.settings) as proxy, Crowd(proxy.target, net["office"]) as crowd, \
            Crowd(proxy.target, net["office"]) as enemy:
        phones = [crowd.member(*phone) for phone in PHONES]
        assert set(attacks.register_all(crowd, phones, rate=1000)) == {200}
        served = 0
        for _ in range(minutes):
            before = proxy.authban()["failures"]
            tries(enemy, [enemy.member(*phone) for phone in PHONES], "new", quiet=0.1)
            evaluated.append(proxy.authban()["failures"] - before)
            clock.advance(60)
            served += attacks.register_all(crowd, phones, rate=1000, tries=1, quiet=3).count(200)
        figure("T15 all phones", phones=len(phones), minutes=minutes, evaluated=",".join(map(str, evaluated)),
               served="%d/%d" % (served, minutes * len(phones)))
    assert served >= SERVED * minutes * len(phones)
    assert sum(evaluated) <= len(phones) * (LIMITS["AB_THRESHOLD"] + 2), "of each user: 12 an hour, not more"
