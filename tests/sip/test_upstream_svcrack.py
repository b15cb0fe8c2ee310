# SPDX-License-Identifier: GPL-2.0-or-later
"""The real svcrack against a registrar behind two proxies of a cluster, which check no password themselves."""
import concurrent.futures
import contextlib

import pytest

from lib.fleet import cluster_key, wait_banned, wait_connected
from lib.lan import Lan, address_of
from lib.redis import Redis
from lib.svcrack import run_svcrack
from lib.traffic import paced
from lib.upstream import THRESHOLD, Site
from lib.wait import holds_for, wait_for

WORDS = range(1000, 1300)
UNDER_WAY = 3  # guesses that the other proxy lets through before it hears of the ban


@pytest.fixture
def pair():
    """(lan, site, two proxies on one Redis); svcrack always comes from the attacker's first address."""
    with contextlib.ExitStack() as stack:
        lan = stack.enter_context(Lan())
        site = stack.enter_context(Site(lan))
        redis = stack.enter_context(Redis(password="of-the-test"))
        url = "redis+unix://:of-the-test@" + redis.socket_path
        nodes = [site.proxy(new=True, settings={"redis": url, "key_file": cluster_key(redis), "node": "node-%d" % n})
                 for n in (1, 2)]
        for node in nodes:
            wait_connected(node)
        yield lan, site, nodes


def crack_both(lan, nodes, words=WORDS, **more):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(run_svcrack, node.target, "alice", words, lan.net["attacker"], **more) for node in nodes]
        return [job.result() for job in jobs]


@pytest.mark.parametrize("qop", [True, False], ids=["qop", "no qop"])
def test_svcrack_at_two_proxies(pair, qop):
    lan, site, nodes = pair
    site.registrar.qop = qop
    cracks = crack_both(lan, nodes)
    first = site.registrar.evaluated
    wait_banned(nodes, lan.attackers[0])
    again = crack_both(lan, nodes, silence=1, deadline=4)
    failures = [node.authban()["failures"] for node in nodes]
    print("\nupstream svcrack, two proxies, %s: evaluated=%d of %d sent, then %d of %d; failures=%s" % (
        "qop" if qop else "no qop", first, sum(c.sent for c in cracks), site.registrar.evaluated - first,
        sum(c.sent for c in again), failures))
    assert not any(crack.cracked for crack in cracks)
    assert 0 < first <= THRESHOLD + UNDER_WAY
    assert site.registrar.evaluated == first
    assert site.registrar.asked < 3 * THRESHOLD


def test_round_robin(pair):
    """One source, 150 guesses/s to both in turn, challenges fetched beforehand; it waits for nobody."""
    lan, site, nodes = pair
    source = lan.attackers[5]
    guessers = [lan.guesser(node, source=source) for node in nodes]
    challenges = [guesser.challenge() for guesser in guessers]
    for number in paced(300, 150):
        guesser = guessers[number % 2]
        guesser.link.send(guesser.build([guesser.answer_header(challenges[number % 2], "wrong-%d" % number)]))
    evaluated = site.registrar.evaluated
    holds_for(lambda: site.registrar.evaluated == evaluated, 1, "nothing more is evaluated")
    print("\nupstream round robin: evaluated=%d of 300 bans=%s" % (evaluated, [len(node.bans()) for node in nodes]))
    assert THRESHOLD <= evaluated <= THRESHOLD + UNDER_WAY
    assert all(source in node.bans() for node in nodes)


def test_challenged_at_one_answered_at_the_other(pair):
    """The token of one proxy proves the address to the other: over UDP nobody escapes by moving."""
    lan, site, nodes = pair
    source = lan.attackers[6]
    one, two = (lan.guesser(node, source=source) for node in nodes)
    statuses = [two.answer(one.challenge(), "wrong-%d" % n) for n in range(THRESHOLD)]
    wait_banned(nodes, source)
    now = [node.authban() for node in nodes]
    print("\nupstream moving guesser: statuses=%s failures=%s unproven=%s" % (
        statuses, [n["failures"] for n in now], [n["unproven"] for n in now]))
    assert statuses == [401] * THRESHOLD
    assert [n["failures"] for n in now] == [0, THRESHOLD] and now[1]["unproven"] == 0
    assert address_of(two) == source


def test_not_watched_svcrack_tries_them_all():
    """The negative control: the same proxy with watch_replies=0."""
    with Lan() as lan, Site(lan) as site:
        proxy = site.proxy(AB_WATCH=0)
        crack = run_svcrack(proxy.target, "alice", WORDS, lan.net["attacker"], deadline=20)
        wait_for(lambda: site.registrar.evaluated >= len(WORDS), 2, "the last guess")
        print("\nupstream not watched: evaluated=%d of %d failures=%d" % (
            site.registrar.evaluated, crack.sent, proxy.authban()["failures"]))
        assert site.registrar.evaluated == crack.sent == len(WORDS)
        assert proxy.authban()["failures"] == 0 and not proxy.bans()
