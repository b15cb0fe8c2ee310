# SPDX-License-Identifier: GPL-2.0-or-later
"""T14: one phone with a wrong password among many good ones behind one address, for simulated hours.

The usual configuration blocks them all: test_one_bad_phone_and_sixty_good_ones in test_peer_controls_nat.py.
"""
import pytest

from lib import attacks
from lib.clock import Clock
from lib.crowd import Crowd
from lib.kamailio import Proxy
from lib.netns import Net
from lib.office import LIMITS, LONG, figure, tries, users

PROXY, OFFICE = "10.89.0.1", "10.89.0.66"
GOOD = users(500 if LONG else 100)
CAROL = ("carol", "carol-secret")
RETRY, EACH = 60, 600  # seconds: of the bad phone; of the good ones
PER_HOUR, THRESHOLD = 12, LIMITS["AB_THRESHOLD"]


@pytest.fixture(scope="module")
def net():
    with Net({"proxy": [PROXY + "/24"], "office": [OFFICE + "/24"]}) as made:
        yield made


def hour(proxy, clock, crowd, good, bad, lost):
    """One hour in steps of a minute: how many of the bad phone's passwords were evaluated."""
    before, ours = proxy.authban()["failures"], 0
    for minute in range(3600 // RETRY):
        part = [phone for number, phone in enumerate(good) if number % (EACH // RETRY) == minute % (EACH // RETRY)]
        statuses = attacks.register_all(crowd, part, rate=2000, tries=1, quiet=3)
        lost += [phone.user for phone, status in zip(part, statuses) if status != 200]
        ours += len(part)
        tries(crowd, [bad], "the old one", quiet=0.06)
        clock.advance(RETRY)
    return proxy.authban()["failures"] - before, ours


@pytest.mark.parametrize("knew", [False, True], ids=["never logged in", "was known-good"])
def test_a_bad_phone_and_good_ones(net, knew):
    hours, lost, evaluated, requests = 2, [], [], 0
    with Clock() as clock, Proxy(host=PROXY, netns=net["proxy"], users=GOOD + [CAROL], defines=LIMITS,
                                 **clock.settings) as proxy, Crowd(proxy.target, net["office"]) as crowd:
        good, bad = [crowd.member(OFFICE, *user) for user in GOOD], crowd.member(OFFICE, *CAROL)
        assert set(attacks.register_all(crowd, good + [bad] * knew, rate=1000)) == {200}
        for _ in range(hours):
            one, ours = hour(proxy, clock, crowd, good, bad, lost)
            evaluated.append(one)
            requests += ours
        now = proxy.authban()
        figure("T14", known_good=knew, good=len(good), good_requests=requests, good_lost=len(lost),
               bad_tries=hours * 3600 // RETRY, bad_evaluated_by_hour=",".join(map(str, evaluated)),
               pair_bans=now["pair_bans"], bans=now["bans"])
    assert not lost and now["bans"] == 0
    assert evaluated[0] <= PER_HOUR + THRESHOLD - 1, "the first ban takes `threshold` tries"
    assert evaluated[1] <= PER_HOUR
    if not knew:
        assert evaluated[0] <= PER_HOUR


def test_several_bad_phones(net):
    """More bad users than max_users: strangers wait in turn, those who have logged in do not notice."""
    lost = []
    with Clock() as clock, Proxy(host=PROXY, netns=net["proxy"], users=GOOD, defines=LIMITS,
                                 **clock.settings) as proxy, Crowd(proxy.target, net["office"]) as crowd:
        good = [crowd.member(OFFICE, *user) for user in GOOD]
        bad = [crowd.member(OFFICE, "bad-%d" % number) for number in range(12)]
        assert set(attacks.register_all(crowd, good, rate=1000)) == {200}
        for _ in range(20):
            tries(crowd, bad, "the old one", quiet=0.06)
            some = attacks.register_all(crowd, good[::5], rate=2000, tries=1, quiet=3)
            lost += [status for status in some if status != 200]
            clock.advance(RETRY)
        now = proxy.authban()
        figure("T14 many bad", bad=len(bad), minutes=20, good_requests=20 * len(good[::5]), good_lost=len(lost),
               evaluated=now["failures"], bans=now["bans"])
    assert not lost and now["bans"] >= 1, "the source is banned, and they are spared"
