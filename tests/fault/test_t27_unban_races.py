# SPDX-License-Identifier: GPL-2.0-or-later
"""T27: an unban on one proxy while another counts, bans and pushes. Afterwards nobody bans again for old failures, and
all agree within a second. AUTHBAN_LONG=1: 1,000 interleavings."""
import os
import random
import threading
import time

import pytest

from lib.fleet import THRESHOLD, banned, fleet, known, state, status, wait_banned, wait_lifted
from lib.traffic import RoundRobin
from lib.wait import holds_for, wait_for
from proxies import RpcFault

ROUNDS = 1000 if os.environ.get("AUTHBAN_LONG") else 40
SIDE_BY_SIDE = 20  # sources whose races run before one look at all of them


@pytest.fixture(scope="module")
def three():
    with fleet(3) as both:
        yield both


def unban(node, source):
    """When it was lifted, or None: nothing was known there."""
    try:
        node.rpc("authban.unban", source)
    except RpcFault as fault:
        assert fault.code == 404
        return None
    return time.monotonic()


def race(nodes, rng, source):
    """Failures on all proxies, up to a ban or nearly, and an unban somewhere in between."""
    failures = rng.randrange(THRESHOLD - 1, 3 * THRESHOLD)
    with RoundRobin(nodes, source) as attacker:
        sender = threading.Thread(target=attacker.send, args=(failures,))
        sender.start()
        time.sleep(rng.random() * 0.02)
        unban(nodes[rng.randrange(3)], source)
        sender.join()
    # the last word is an unban by somebody who knows of it
    for node in rng.sample(nodes, 3):
        lifted = unban(node, source)
        if lifted:
            break


def settled(nodes, source):
    """Everywhere the same, and no ban."""
    return not any(banned(node, source) for node in nodes)


def test_nobody_bans_again_for_old_failures(three):
    _, nodes = three
    rng, worst, done = random.Random(27), 0.0, 0
    while done < ROUNDS:
        sources = ["127.%d.%d.%d" % (20 + done // 2500, done // 250 % 10, 1 + (done + number) % 250)
                   for number in range(min(SIDE_BY_SIDE, ROUNDS - done))]
        for source in sources:
            race(nodes, rng, source)
        begin = time.monotonic()
        for source in sources:
            wait_for(lambda: settled(nodes, source), 1, "%s is lifted everywhere" % source)
        worst = max(worst, time.monotonic() - begin)
        # one failure more on each proxy makes them push, read back and judge again what was counted before
        for source in sources:
            with RoundRobin(nodes, source) as attacker:
                assert attacker.send(3) == 3, "%s is banned again" % source
        holds_for(lambda: all(settled(nodes, source) for source in sources), 0.2, "nobody bans again")
        done += len(sources)
    new = [known(node, source) for node in nodes for source in sources]
    print("\nT27 unban races: interleavings=%d banned again=0 lifted everywhere after at most %.0fms, counted then %s" % (
        done, 1e3 * worst, sorted({row["failures"] for row in new if row})))
    assert all(not row or row["failures"] <= 3 for row in new)


def test_an_unban_beats_bans_on_their_way(three):
    """An operator bans on one proxy while another lifts: one state everywhere, the unban's if it came later."""
    _, nodes = three
    sources, begin = ["127.30.1.%d" % number for number in range(1, 41)], time.monotonic()
    for number, source in enumerate(sources):
        first, second = nodes[number % 3], nodes[(number + 1) % 3]
        first.rpc("authban.ban", source, 600)
        wait_banned([second], source)
        threads = [threading.Thread(target=first.rpc, args=("authban.ban", source, 900)),
                   threading.Thread(target=unban, args=(second, source))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    agreed = time.monotonic()
    for source in sources:
        wait_for(lambda: len({state(node, source) for node in nodes}) == 1, 1, "all agree on %s" % source)
        for node in nodes:
            if banned(node, source):
                unban(node, source)
        wait_lifted(nodes, source)
    print("\nT27 words at once: rounds=%d differ=0, %.1fs in all, the last look %.1fs" % (
        len(sources), time.monotonic() - begin, time.monotonic() - agreed))
    assert all(status(node)["redis_errors"] == 0 for node in nodes)


def test_an_operators_day_outlasts_an_automatic_ban(three):
    """Banned for a day on a proxy that Redis has just lost; the others ban for ten minutes before they hear of it."""
    redis, nodes = three
    source = "127.30.2.1"
    redis.pause()
    nodes[0].rpc("authban.ban", source, 86400)
    time.sleep(0.01)
    with RoundRobin(nodes[1:2], source) as attacker:
        attacker.send(THRESHOLD)
    wait_banned(nodes[1:2], source)
    redis.resume()
    wait_for(lambda: all(status(node)["redis"] == "connected" for node in nodes), 5, "all are connected again")
    wait_for(lambda: all((known(node, source) or {}).get("ttl", 0) > 86000 for node in nodes), 3, "a day everywhere")
    rows = [known(node, source) for node in nodes]
    print("\nT27 a day against ten minutes: ttl=%s proof=%s" % ([row["ttl"] for row in rows],
                                                                sorted({row["proof"] for row in rows})))
    assert {row["proof"] for row in rows} == {"operator"}
