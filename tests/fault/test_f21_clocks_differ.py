# SPDX-License-Identifier: GPL-2.0-or-later
"""F21: the proxies' wall clocks are five minutes apart, and their uptimes years: they count and ban as one."""
import contextlib
import time

import pytest

from lib.clock import Clock
from lib.fleet import THRESHOLD, banned, make_proxy, wait_banned, wait_connected, wait_lifted
from lib.redis import Redis
from lib.sip import Phone
from lib.traffic import RoundRobin
from lib.wait import holds_for

WALL = [-300, 300, 0]
UPTIME = [0, 3 * 365 * 86400, 86400]


@pytest.fixture(scope="module")
def three():
    with contextlib.ExitStack() as stack:
        redis, nodes = stack.enter_context(Redis(password="of-the-test")), []
        for number, (wall, uptime) in enumerate(zip(WALL, UPTIME), 1):
            clock = stack.enter_context(Clock())
            clock.advance(uptime)
            clock.set_wall(wall - uptime)
            nodes.append(stack.enter_context(make_proxy(redis, number, **clock.settings)))
        for node in nodes:
            wait_connected(node)
        yield nodes


def ends(nodes, source):
    """Seconds between the first and the last end of this ban."""
    left = [time.monotonic() + node.rpc("authban.get", source)["ttl"] for node in nodes]
    return max(left) - min(left)


def test_f21_the_clocks_do_differ(three):
    """A control: what each of them believes."""
    said = [node.rpc("core.uptime")["now"] for node in three]
    print("\nF21 control: %s" % said)
    assert len(set(said)) == 3


def test_f21_they_count_as_one(three):
    evaluated, spread = [], 0.0
    for turn in range(5):
        source = "127.21.1.%d" % (turn + 1)
        with RoundRobin(three[turn % 3:] + three[:turn % 3], source) as attacker:
            evaluated.append(attacker.send(40))
        wait_banned(three, source)
        spread = max(spread, ends(three, source))
    print("\nF21 round robin over three: evaluated=%s of 40 each, limit=%d; a ban's ends differ by %.1fs"
          % (evaluated, THRESHOLD + 5, spread))
    assert max(evaluated) <= THRESHOLD + 5 and min(evaluated) >= THRESHOLD
    assert spread <= 1.1  # of seconds that are cut


def test_f21_slow_guesses_add_up_exactly(three):
    """One at each in turn: the fifth bans everywhere, and not the fourth."""
    for start in range(3):
        source = "127.21.2.%d" % (start + 1)
        for number in range(THRESHOLD):
            assert not any(banned(node, source) for node in three)
            with RoundRobin([three[(start + number) % 3]], source) as attacker:
                attacker.send(1)
        wait_banned(three, source, 2)
    print("\nF21 five guesses at three proxies: banned by all, at the fifth, 3 of 3 times")


def test_f21_the_last_word_wins(three):
    """Ban and unban in turn by proxies whose clocks are behind those of the proxy before."""
    source, took = "127.21.3.1", []
    for turn in range(12):
        node = three[turn % 3]
        begin = time.monotonic()
        if turn % 2 == 0:
            node.rpc("authban.ban", source, 60 + turn)
            wait_banned(three, source)
        else:
            node.rpc("authban.unban", source)
            wait_lifted(three, source)
        took.append(time.monotonic() - begin)
    holds_for(lambda: not any(banned(node, source) for node in three), 0.5, "it stays lifted")
    print("\nF21 twelve words of three proxies in turn: each the last for all after %.0fms at most" % (1e3 * max(took)))


def test_f21_a_phone_that_wanders(three):
    """Nonces are of auth's wall clock, so it may be asked again; it is served and nothing is counted."""
    before = [node.authban()["failures"] for node in three]
    trips = []
    for number in range(5):
        with contextlib.ExitStack() as stack:
            phones = [stack.enter_context(Phone("bob", "bob-secret", node.target, source="127.21.4.%d" % (number + 1)))
                      for node in three]
            for turn in range(6):
                phone = phones[turn % 3]
                phone.challenge = phones[turn % 3 - 1].challenge or phone.challenge
                result = phone.register()
                assert result.status == 200
                trips.append(result.round_trips)
    print("\nF21 phones that go from proxy to proxy with their challenge: 30/30 served, round_trips<=%d" % max(trips))
    assert max(trips) <= 2
    assert [node.authban()["failures"] for node in three] == before
