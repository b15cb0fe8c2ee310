# SPDX-License-Identifier: GPL-2.0-or-later
"""Who has logged in at one proxy is known-good at the others, and after a restart.

A phone registers at A. Then somebody guesses at B from the same address: B, which has never seen the phone, bans the
address or its strangers, and the phone is served there all the same. Control: without Redis, or without a cluster key.
AUTHBAN_LONG=1: 1,000,000 facts at a start.
"""
import contextlib
import itertools
import os
import time

import pytest

from lib import credit
from lib.attacks import new_password
from lib.fleet import cluster_key, fleet, known, make_proxy, status, wait_connected, wait_disconnected
from lib.kamailio import Proxy
from lib.redis import Redis
from lib.sip import Guesser, Phone
from lib.topologies import Cluster
from lib.traffic import percentile
from lib.wait import holds_for, wait_for

LONG = bool(os.environ.get("AUTHBAN_LONG"))
FACTS = 1_000_000 if LONG else 100_000
START = 5.0 if LONG else 3.0
SOURCES = itertools.count(1)
PHONE = ("bob", "bob-secret")


@pytest.fixture(scope="module")
def three():
    with fleet(3) as both:
        yield both


@pytest.fixture
def source():
    return "127.80.%d.1" % next(SOURCES)


def register(node, source, times=1, who=PHONE, timeout=0.7):
    with Phone(*who, node.target, source=source, timeout=timeout) as phone:
        return [phone.register().status for _ in range(times)]


def attack(node, source, users=10, each=1):
    """Guesses at many users: how many were answered."""
    answered = 0
    for number in range(users):
        with Guesser("user-%d" % number, node.target, source=source, timeout=0.05) as guesser:
            answered += sum(guesser.guess(new_password()) == 401 for _ in range(each))
    return answered


def heard(node):
    return status(node)["facts_heard"]


def wait_heard(nodes, before, more=1):
    for node, old in zip(nodes, before):
        wait_for(lambda: heard(node) >= old + more, 2, node.node + " has heard", 0.002)


def test_a_phone_of_one_proxy_beside_an_attacker_at_another(three, source):
    _, (one, two, third) = three
    before = [heard(node) for node in (two, third)]
    assert register(one, source) == [200]
    wait_heard([two, third], before, 2)
    answered = attack(two, source)
    found = known(two, source)
    statuses = register(two, source, 10)
    # the third has seen neither of them, and heard of the ban
    wait_for(lambda: known(third, source)["state"] == "banned", 1, "the ban is known there")
    elsewhere = register(third, source, 3)
    print("\nknown-good: guesses answered at B %d, address there %s (%s), phone at B %s, at C %s" % (
        answered, found["state"], found["reason"], statuses, elsewhere))
    assert found["state"] == "banned" and found["reason"] == "users"
    assert statuses == [200] * 10 and elsewhere == [200] * 3


def alone():
    stack = contextlib.ExitStack()
    return stack, [stack.enter_context(Proxy(defines={"AB_THRESHOLD": 5})) for _ in range(2)]


def without_key():
    stack = contextlib.ExitStack()
    return stack, stack.enter_context(fleet(2, key=False))[1]


@pytest.mark.parametrize("made", [alone, without_key])
def test_control_where_nothing_is_shared(made, source):
    """The same story: B takes the phone for a stranger, and it waits with the attacker."""
    stack, (one, two) = made()
    with stack:
        assert register(one, source) == [200]
        attack(two, source)
        statuses = register(two, source, 2)
        print("\ncontrol, %s: address at B %s (%s), phone there %s" % (
            made.__name__, known(two, source)["state"], known(two, source)["reason"], statuses))
        assert 200 not in statuses
        assert heard(two) == status(one)["facts_told"] == 0


def test_how_soon_and_how_often(three):
    """Facts of a new phone are everywhere soon; further logins tell nothing."""
    redis, (one, two, _) = three
    took, before = [], status(one)["facts_told"]
    for _ in range(10):
        old, source = heard(two), "127.80.%d.1" % next(SOURCES)
        time.sleep(0.25)  # longer than facts are gathered
        assert register(one, source) == [200]
        begin = time.monotonic()
        wait_heard([two], [old])
        took.append(time.monotonic() - begin)
    wait_for(lambda: status(one)["facts_told"] == before + 20, 1, "all is told")
    redis.command("CONFIG", "RESETSTAT")
    assert register(one, source, 200) == [200] * 200 and register(two, source, 20) == [200] * 20
    holds_for(lambda: status(one)["facts_told"] == before + 20, 0.5, "only what is new is told")
    with redis.client() as client:
        pushes = [line for line in client("INFO", "commandstats").splitlines() if "_rpush" in line or "_xadd" in line]
    print("\nknown-good: a fact is at the other proxy after p50=%.0fms max=%.0fms; 220 more logins: %d writes" % (
        1e3 * percentile(took, 0.5), 1e3 * max(took), len(pushes)))
    assert percentile(took, 0.5) < 0.25 and not pushes


def test_many_phones_cost_little(three):
    """New phones at one proxy: bytes and commands of Redis a fact."""
    redis, (one, two, third) = three
    phones, before = 300, [heard(two), heard(third)]
    old_bytes, _ = credit.memory(redis)
    redis.command("CONFIG", "RESETSTAT")
    begin = time.monotonic()
    for number in range(phones):
        assert register(one, "127.81.%d.%d" % (number // 250, number % 250 + 1)) == [200]
    wait_heard([two, third], before, 2 * phones)
    seconds, (new_bytes, _) = time.monotonic() - begin, credit.memory(redis)
    with redis.client() as client:
        calls = {line.split(":")[0][8:]: int(line.split("calls=")[1].split(",")[0])
                 for line in client("INFO", "commandstats").splitlines() if line.startswith("cmdstat_")}
    facts, batches = 2 * phones, calls["rpush"]
    used = sum(calls.get(name, 0) for name in ("rpush", "expire", "xadd", "lrange"))
    print("\nknown-good: %d phones in %.1fs: %d facts, %.1f bytes and %.2f commands of three proxies a fact,"
          " %.0f facts a batch" % (phones, seconds, facts, (new_bytes - old_bytes) / facts, used / facts,
                                   facts / batches))
    assert (new_bytes - old_bytes) / facts <= 16 and used / facts <= 0.5
    with redis.client() as client:
        text = "".join("".join(client("LRANGE", key, 0, -1)) for key in client("KEYS", "{*}:g:*"))
        assert all(0 < client("TTL", key) <= 2 * 86400 for key in client("KEYS", "{*}:g:*"))
    assert "bob" not in text and bytes([127, 81, 0]).decode("latin-1") not in text


def test_a_wiped_redis_is_told_again(three, source):
    redis, (one, two, _) = three
    before = status(one)["facts_told"]
    assert register(one, source) == [200]
    wait_for(lambda: status(one)["facts_told"] == before + 2, 2, "it is told")
    lines = len(one.log_lines("lost its memory"))
    redis.command("FLUSHALL")
    wait_for(lambda: len(one.log_lines("lost its memory")) > lines, 7, "it is noticed")
    assert credit.memory(redis)[1] == 0
    time.sleep(1.1)  # what is told in the second of the loss may be told once more
    old = heard(two)
    assert register(one, source, 3) == [200] * 3
    wait_heard([two], [old], 2)
    print("\nknown-good: wiped: told again with the next login: %d records" % credit.memory(redis)[1])
    assert credit.memory(redis)[1] >= 1


def test_logins_while_redis_is_away():
    with fleet(2) as (redis, (one, two)):
        redis.kill()
        for node in (one, two):
            wait_disconnected(node)
        sources = ["127.82.0.%d" % number for number in range(1, 21)]
        assert all(register(one, source, timeout=5) == [200] for source in sources)
        redis.start()
        begin = time.monotonic()
        for node in (one, two):
            wait_connected(node, 10)
        connected = time.monotonic()
        wait_for(lambda: heard(two) >= 2 * len(sources), 3, "all is told")
        took = time.monotonic() - connected
        attack(two, sources[0])
        statuses = register(two, sources[0], 3, timeout=5)
        print("\nknown-good: %d logins while Redis was away, known %.2fs after both are connected (%.2fs), phone at B %s"
              % (len(sources), took, connected - begin, statuses))
        assert statuses == [200] * 3


def test_what_a_liar_can_do(three, source):
    """Without the key nothing; an old record is no news."""
    redis, (one, two, _) = three
    with open(cluster_key(redis), "rb") as text:
        secret = text.read().strip()
    good, now = credit.record([1, 2, 3], secret), time.time()
    forged = bytes([good[10] ^ 1])
    bad = [credit.record([4], b"another secret"), good[:10] + forged + good[11:], good[:-1], b"", b"\x01", b"x" * 600,
           bytes([9]) + good[1:], credit.record([5], secret, prefix=b"other")]
    old = [credit.record([6], secret, made) for made in (now - 90000, now + 90000)]
    before, dropped = heard(two), status(two)["redis_dropped"]
    redis.command("RPUSH", credit.key_of(), *bad, *old)
    for value in (b"", b"x", b"\xff\xff\xff\xff", b"\0\0\0\0"):
        redis.command("XADD", "{authban:0}:log", "*", "g", value)
    assert register(one, source) == [200]
    wait_heard([two], [before])
    after = status(two)
    print("\nknown-good, a liar: %d of %d records refused, %d too old, facts believed: only the phone's %d" % (
        after["redis_dropped"] - dropped - 2, len(bad), len(old), after["facts_heard"] - before))
    assert after["redis_dropped"] - dropped == len(bad) + 2 and after["facts_heard"] - before == 2
    assert after["redis"] == "connected" and after["redis_errors"] == status(one)["redis_errors"]


def test_a_forgotten_proxy():
    """authban.forget takes what that proxy told, and nothing else."""
    with fleet(3) as (_, (one, two, third)):
        sources = ["127.83.0.1", "127.83.0.2"]
        for node, source in zip((one, third), sources):
            assert register(node, source) == [200]
        wait_heard([two], [0], 4)
        third.rpc("authban.forget", one.node)
        wait_for(lambda: status(two)["facts_heard"] == 6 and status(two)["facts_loading"] == "no", 3, "all is read again")
        for source in sources:
            attack(two, source)
        statuses = [register(two, source, 2) for source in sources]
        print("\nknown-good: proxy forgotten: its phone at B %s, that of another %s" % tuple(statuses))
        assert 200 not in statuses[0] and statuses[1] == [200, 200]


def test_on_a_redis_cluster(source):
    """The lists go round among the masters from hour to hour, the log stays: each reads both."""
    with Cluster() as cluster, fleet(2, redis=cluster) as (_, (one, two)):
        owner = cluster.owner(int(time.time()) // credit.HOUR % 16)
        assert register(one, source) == [200]
        wait_heard([two], [0], 2)
        attack(two, source)
        statuses = register(two, source, 3)
        with make_proxy(cluster, 3) as late:
            wait_for(lambda: heard(late) == 2, 5, "it is read at a start")
        used = {name: cluster.errors(name) for name in ("CROSSSLOT", "MOVED", "NOPERM")}
        print("\nknown-good on a Redis Cluster: phone at B %s, list at the home node %s, errors %s" % (
            statuses, owner is cluster.owner(0), used))
        assert statuses == [200] * 3 and not any(used.values())


def test_f17_a_restarted_proxy_knows_before_the_first_packet(source):
    with Redis(password="of-the-test") as redis, make_proxy(redis, 1, memory=(256, 8)) as one:
        wait_connected(one)
        assert register(one, source) == [200]
        wait_for(lambda: status(one)["facts_told"] == 2, 2, "it is told")
        with open(cluster_key(redis), "rb") as text:
            records = credit.fill(redis, text.read().strip(), FACTS)
        size, _ = credit.memory(redis)
        begin = time.monotonic()
        with make_proxy(redis, 2, memory=(512 if LONG else 256, 8),
                        extra='modparam("authban", "size", %d)' % (2 * FACTS)) as two:
            started, answered = time.monotonic() - begin, attack(two, source)
            statuses = register(two, source, 5)
            line = two.log_lines("known-good facts loaded")[0].split("(): ")[1]
            wait_for(lambda: status(two)["facts_loading"] == "no", 10, "all is loaded")
            took, row = time.monotonic() - begin, status(two)
        print("\nF17 known-good: %d facts in %d records, %.1f bytes a fact; %s; started after %.2fs, all after %.2fs;"
              " guesses answered %d, phone %s" % (FACTS, records, size / FACTS, line, started, took, answered, statuses))
        assert statuses == [200] * 5
        assert row["facts_heard"] >= FACTS and row["redis_dropped"] == 0
        assert took < START
