# SPDX-License-Identifier: GPL-2.0-or-later
"""F20: the wall clock is set, by an hour, by ten years, by a second: bans, counts and phones do not notice."""
import contextlib
import time

from lib.clock import Clock
from lib.fleet import THRESHOLD, banned, known, make_proxy, state, wait_banned, wait_connected
from lib.kamailio import Proxy
from lib.redis import Redis
from lib.sip import Guesser, Phone
from lib.traffic import Honest, answers, silent
from lib.wait import wait_for

HOUR, YEARS = 3600, 10 * 365 * 86400
JUMPS = [HOUR, -HOUR, YEARS, -YEARS, 1, 0]
BANS = ["127.20.1.%d" % number for number in range(1, 41)]
LIFTED = "127.20.2.1"


def guess(node, source, count=1):
    """Each with a new challenge, since a jump makes auth's nonces old; how many were answered."""
    with Guesser("alice", node.target, source=source, timeout=0.4) as guesser:
        return sum(guesser.guess("wrong-%s-%d" % (time.monotonic_ns(), number)) > 0 for number in range(count))


def ends(node):
    """{source: the true moment its ban ends}."""
    return {source: time.monotonic() + row["ttl"] for source, row in node.bans().items()}


def moved(before, after):
    """The largest change of a ban's end, in seconds; no ban came or went."""
    assert set(before) == set(after)
    return max(abs(after[source] - before[source]) for source in before)


def begin(node):
    """Bans by hand and by guesses, one that was lifted, and a source for each jump that is one guess short."""
    for source in BANS[1:] + [LIFTED]:
        node.rpc("authban.ban", source, 600)
    node.rpc("authban.unban", LIFTED)
    assert guess(node, BANS[0], THRESHOLD) == THRESHOLD - 1
    for number in range(len(JUMPS)):
        assert guess(node, short_of(number), THRESHOLD - 1) == THRESHOLD - 1


def short_of(number):
    return "127.20.3.%d" % (number + 1)


def assert_counts_go_on(node, number):
    """Four and one are five, and four are four."""
    assert known(node, short_of(number))["failures"] == THRESHOLD - 1
    assert guess(node, short_of(number)) == 0 and banned(node, short_of(number))
    assert all(not banned(node, short_of(later)) for later in range(number + 1, len(JUMPS)))


def test_f20_one_proxy():
    with contextlib.ExitStack() as stack:
        clock = stack.enter_context(Clock())
        node = stack.enter_context(Proxy(defines={"AB_THRESHOLD": THRESHOLD}, **clock.settings))
        begin(node)
        phones = [stack.enter_context(Phone("bob", "bob-secret", node.target, source="127.20.4.%d" % number))
                  for number in range(1, 11)]
        assert [phone.register().status for phone in phones] == [200] * 10
        failures, largest, trips = node.authban()["failures"], 0.0, 0
        for number, jump in enumerate(JUMPS):
            before = ends(node)
            clock.set_wall(jump)
            largest = max(largest, moved(before, ends(node)))
            results = [phone.register() for phone in phones]
            trips = max([trips] + [result.round_trips for result in results])
            assert [result.status for result in results] == [200] * 10, "jump %d: %s" % (jump, results)
            assert silent(node, BANS[number]) and answers(node, LIFTED) and state(node, LIFTED) != "banned"
            assert_counts_go_on(node, number)
            node.rpc("authban.ban", "127.20.5.%d" % (number + 1), 300)
            assert 299 <= node.bans()["127.20.5.%d" % (number + 1)]["ttl"] <= 300
        made = node.authban()["failures"] - failures
        print("\nF20 one proxy: jumps=%s end_of_a_ban_moved=%.2fs bans_lost=0 bans_made=0 phones=60/60 round_trips<=%d"
              % (JUMPS, largest, trips))
        assert largest <= 1.1  # of seconds that are cut twice
        assert trips <= 2 and made == len(JUMPS)
        assert not any(phone.asks_owner for phone in phones)


def test_f20_the_clock_does_jump():
    """A control: what Kamailio itself says of the time, and its auth module, follow the jump."""
    with Clock() as clock, Proxy(**clock.settings) as node, \
            Phone("bob", "bob-secret", node.target, source="127.20.6.1") as phone:
        assert [phone.register().round_trips for _ in range(2)] == [2, 1]
        clock.set_wall(HOUR)
        stale = phone.register().round_trips
        year = node.rpc("core.uptime")["now"]
        clock.set_wall(YEARS)
        print("\nF20 control: round trips after the jump=%d, Kamailio's clock %s, then %s"
              % (stale, year, node.rpc("core.uptime")["now"]))
        assert stale == 2 and node.rpc("core.uptime")["now"] != year


def test_f20_one_of_a_cluster():
    """Only one proxy's clock is set: both have the same bans until the same moment, and count together."""
    with contextlib.ExitStack() as stack:
        clock, redis = stack.enter_context(Clock()), stack.enter_context(Redis(password="of-the-test"))
        nodes = [stack.enter_context(make_proxy(redis, 1, **clock.settings)),
                 stack.enter_context(make_proxy(redis, 2))]
        for node in nodes:
            wait_connected(node)
        begin(nodes[0])
        wait_banned(nodes, BANS[0])
        largest = 0.0
        for number, jump in enumerate(JUMPS):
            before = ends(nodes[1])
            clock.set_wall(jump)
            source = "127.20.7.%d" % (number + 1)
            nodes[number % 2].rpc("authban.ban", source, 600)
            wait_banned(nodes, source)
            before[source] = time.monotonic() + 600
            largest = max([largest] + [moved(before, ends(node)) for node in nodes])
            # a guess at the other proxy is the fifth
            guess(nodes[1], short_of(number))
            wait_banned(nodes, short_of(number), 2)
            nodes[number % 2].rpc("authban.unban", source)
            wait_for(lambda name=source: not any(banned(node, name) for node in nodes), 2, "lifted")
        with Honest(nodes) as honest:
            answered, _ = honest.run(40, 200)
        print("\nF20 one of two: jumps=%s end_of_a_ban_moved=%.2fs bans_lost=0 bans_made=0 answered=%d/40"
              % (JUMPS, largest, answered))
        assert largest <= 1.2 and answered == 40
