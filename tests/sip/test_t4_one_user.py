# SPDX-License-Identifier: GPL-2.0-or-later
"""T4: one user guessed from very many sources, each in a network of its own; the user's phone is served.

The usual configurations count by address alone and evaluate every one (test_control_*).
"""
import pytest

from lib import attacks, peers
from lib.clock import Clock
from lib.crowd import Crowd
from lib.kamailio import Proxy
from lib.netns import Net
from lib.office import LIMITS, LONG, Office, answered, figure, tries

PROXY, ATTACKER, PHONE = "10.86.0.1", "10.86.0.66", "10.86.0.2"
NETWORK = "10.88.0.0/14"
SOURCES = ["10.%d.%d.7" % (88 + n // 256, n % 256) for n in range(1000 if LONG else 300)]
FIRST, PACE = 50, 60
ALICE = (PHONE, "alice", "alice-secret")
KINDS = [("htable", "authfail", {"WITH_QOP": True}), ("pike", "ipban", {})]


@pytest.fixture(scope="module")
def net():
    hosts = {"proxy": [PROXY + "/24"], "attacker": [ATTACKER + "/24"], "phone": [PHONE + "/24"]}
    with Net(hosts) as made:
        made.any_ip("attacker", NETWORK, via=ATTACKER)
        yield made


def test_the_phone_is_served(net):
    with Proxy(host=PROXY, netns=net["proxy"], defines=LIMITS) as proxy, \
            Office(proxy.target, net["phone"], [ALICE], rate=100) as office:
        done = attacks.guesses_from_many(proxy.target, net["attacker"], SOURCES, ["alice"])
        office.ended.set()
        office.thread.join(60)
        evaluated = proxy.evaluated() - office.credentials
        figure("T4", sources=len(SOURCES), tried=done["sent"], evaluated=evaluated,
               user_attacks=proxy.authban()["user_attacks"], **office.figures())
    assert done["sent"] == len(SOURCES)
    assert 20 < evaluated <= FIRST + 1
    assert office.requests >= 50 and office.served == office.requests


def test_one_a_minute_afterwards(net):
    """Ten guesses a minute, each from a new source, for as long as the first restriction lasts."""
    sources = iter(SOURCES)
    minutes = 9
    with Clock() as clock, Proxy(host=PROXY, netns=net["proxy"], defines=LIMITS, **clock.settings) as proxy, \
            Crowd(proxy.target, net["attacker"]) as crowd, Crowd(proxy.target, net["phone"]) as home:
        phone = home.member(*ALICE)
        assert attacks.register_all(home, [phone]) == [200]
        first = tries(crowd, [crowd.member(next(sources), "alice") for _ in range(FIRST)], "new")
        evaluated, served = [], 0
        for _ in range(minutes):
            of_this = 0
            for _ in range(5):
                clock.advance(PACE / 5)
                two = [crowd.member(next(sources), "alice") for _ in range(2)]
                of_this += answered(tries(crowd, two, "new", quiet=0.1))
                served += attacks.register_all(home, [phone]) == [200]
            evaluated.append(of_this)
        figure("T4 afterwards", first=answered(first), minutes=minutes, tried=10 * minutes,
               evaluated=",".join(map(str, evaluated)), phone_served="%d/%d" % (served, 5 * minutes))
    assert sum(evaluated) <= minutes and max(evaluated) <= 1
    assert served == 5 * minutes


def test_for_hours(net):
    """Five guesses a minute, never twice from one source: one a minute, and a few more when a restriction ends."""
    hours, number, served, hourly = 24 if LONG else 3, 0, 0, []
    with Clock() as clock, Proxy(host=PROXY, netns=net["proxy"], defines=LIMITS, **clock.settings) as proxy, \
            Crowd(proxy.target, net["attacker"]) as crowd, Crowd(proxy.target, net["phone"]) as home:
        phone = home.member(*ALICE)
        assert attacks.register_all(home, [phone]) == [200]
        for _ in range(hours):
            of_this = 0
            for _ in range(60):
                clock.advance(60)
                five = [crowd.member(distant(number + more), "alice") for more in range(5)]
                number += 5
                of_this += answered(tries(crowd, five, "new", quiet=0.03))
            served += attacks.register_all(home, [phone]) == [200]
            hourly.append(of_this)
        times = len(proxy.log_lines("event=user_attack_restricted"))
        figure("T4 for hours", hours=hours, tried=number, evaluated=",".join(map(str, hourly)), restricted=times,
               phone_served=served)
    assert served == hours
    assert sum(hourly) <= 60 * hours + FIRST * times


def distant(number):
    """An address that no other number has; neighbours in number are far apart."""
    return "10.%d.%d.%d" % (88 + number // 256 % 4, number % 256, 1 + number // 1024)


@pytest.mark.parametrize("name,table,defines", KINDS)
def test_control_nobody_else_sees_it(net, name, table, defines):
    with peers.peer(net, name, PROXY, **defines) as proxy:
        done = attacks.guesses_from_many(proxy.target, net["attacker"], SOURCES, ["alice"], rate=2000)
        evaluated, banned = proxy.evaluated(), peers.banned(proxy, table)
        peers.figure("T4", name, sources=len(SOURCES), evaluated=evaluated, banned=len(banned))
    assert evaluated == done["answered"] == len(SOURCES) and not banned
