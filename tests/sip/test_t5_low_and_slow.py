# SPDX-License-Identifier: GPL-2.0-or-later
"""T5: one guess each ten minutes, below every short window; and a phone whose owner errs once a day.

htable forgets within minutes (test_control_htable_forgets); pike sees no patient guesser at all
(test_pike_never_sees_a_patient_guesser in test_peer_controls.py).
"""
import pytest

from lib import attacks, peers
from lib.clock import Clock
from lib.crowd import Crowd
from lib.kamailio import Proxy, peer_config
from lib.netns import Net
from lib.office import LIMITS, LONG, answered, figure, tries

PROXY, ATTACKER, PHONE = "10.87.0.1", "10.87.0.66", "10.87.0.2"
DAY, EACH, LIMIT = 86400, 600, 20
HOUR = 3600


@pytest.fixture(scope="module")
def net():
    hosts = {"proxy": [PROXY + "/24"], "attacker": [ATTACKER + "/24"], "phone": [PHONE + "/24"]}
    with Net(hosts) as made:
        yield made


def guess_for_a_day(net, proxy, clock, each, own=None, banned=None):
    """(number of the guess that banned, all that were evaluated, all); banned(): whether there is a ban."""
    at = evaluated = 0
    with Crowd(proxy.target, net["attacker"]) as crowd:
        if own:
            assert attacks.register_all(crowd, [crowd.member(ATTACKER, *own)]) == [200]
        before, count = proxy.evaluated(), DAY // each
        for _ in range(count):
            tries(crowd, [crowd.member(ATTACKER, "alice")], "new", quiet=0.04)
            evaluated = proxy.evaluated() - before
            if not at and banned and banned():
                at = evaluated
            clock.advance(each)
    return at, evaluated, count


@pytest.mark.parametrize("own", [None, ("carol", "carol-secret")], ids=["stranger", "own account"])
def test_a_guess_each_ten_minutes(net, own):
    with Clock() as clock, Proxy(host=PROXY, netns=net["proxy"], defines=LIMITS, **clock.settings) as proxy:
        at, evaluated, count = guess_for_a_day(net, proxy, clock, EACH, own,
                                               lambda: proxy.authban()["bans"] + proxy.authban()["pair_bans"])
        now = proxy.authban()
        figure("T5", account=bool(own), guesses=count, banned_at=at, evaluated_in_a_day=evaluated,
               bans=now["bans"] + now["pair_bans"])
        assert proxy.log_lines("reason=slow")
    assert 10 <= at <= LIMIT
    # behind the first ban one guess in 72 minutes, as the level leaks
    assert evaluated <= 2 * LIMIT


def test_a_guess_each_seventy_five_minutes(net):
    """As many as long_threshold allows in a day: nobody can tell these from an owner who errs."""
    with Clock() as clock, Proxy(host=PROXY, netns=net["proxy"], defines=LIMITS, **clock.settings) as proxy:
        _, evaluated, count = guess_for_a_day(net, proxy, clock, 75 * 60)
        figure("T5 slower", guesses=count, evaluated_in_a_day=evaluated, bans=proxy.authban()["bans"])
    assert evaluated == count <= LIMIT


def test_a_typo_each_day(net):
    """30 days of a phone that registers all along and is told a wrong password once a day."""
    days, step = 30, HOUR if LONG else 4 * HOUR
    lost = requests = 0
    with Clock() as clock, Proxy(host=PROXY, netns=net["proxy"], defines=LIMITS, **clock.settings) as proxy, \
            Crowd(proxy.target, net["phone"]) as crowd:
        phone = crowd.member(PHONE, "alice", "alice-secret")
        for _ in range(days):
            for _ in range(DAY // step):
                lost += attacks.register_all(crowd, [phone]) != [200]
                requests += 1
                clock.advance(step)
            tries(crowd, [phone], "new")
        now = proxy.authban()
        figure("T5 typos", days=days, failures=now["failures"], good_requests=requests, lost=lost, bans=now["bans"],
               pair_bans=now["pair_bans"])
    assert now["failures"] == days
    assert lost == now["bans"] == now["pair_bans"] == now["blocked"] == 0


def test_typos_of_a_phone_that_never_got_in(net):
    """The same without a login all month: still nobody's brute force."""
    days = 30
    with Clock() as clock, Proxy(host=PROXY, netns=net["proxy"], defines=LIMITS, **clock.settings) as proxy, \
            Crowd(proxy.target, net["phone"]) as crowd:
        phone = crowd.member(PHONE, "alice", "alice-secret")
        told = 0
        for _ in range(days):
            told += answered(tries(crowd, [phone], "new"))
            clock.advance(DAY)
        figure("T5 stranger's typos", days=days, evaluated=told, bans=proxy.authban()["bans"])
        assert attacks.register_all(crowd, [phone]) == [200]
    assert told == days


def test_control_htable_forgets(net):
    """Its entries end 900 s after the last failure: each twenty minutes is each time the first."""
    with Clock() as clock, Proxy(config=peer_config("htable"), host=PROXY, netns=net["proxy"],
                                 defines={"WITH_QOP": True}, **clock.settings) as proxy:
        _, evaluated, count = guess_for_a_day(net, proxy, clock, 20 * 60)
        peers.figure("T5", "htable", guesses=count, evaluated=evaluated,
                     banned=len(peers.banned(proxy, "authfail")))
    assert evaluated == count
