# SPDX-License-Identifier: GPL-2.0-or-later
"""Records that no proxy writes, by somebody who may write to Redis where there is no cluster key: dropped and counted."""
import time

import pytest

from lib import wire
from lib.fleet import fleet, known, status
from lib.wait import wait_for


@pytest.fixture(scope="module")
def two():
    """Without a key: unsigned records are taken, if they can be true."""
    with fleet(2, key=False) as both:
        yield both


def write(redis, record):
    with redis.client() as client:
        client("XADD", wire.LOG, "*", "r", record)


def record(source, bits, kind, user=0):
    return wire.state_record(source, int(time.time() * 1000), bits=bits, kind=kind, user=user, reason=b"pair")


def numbers(node):
    now = status(node)
    return {name: now[name] for name in (
        "redis_dropped", "states_applied", "entries", "pairs", "networks", "users", "banned")}


SOMEBODY = bytes(range(1, 9)) + b"\0" * 8
WRONG = {
    "pair without a user": ("198.51.100.1", 128, wire.PAIR, 0),
    "pair of a /8": ("10.0.0.0", 96 + 8, wire.PAIR, 7),
    "source with a user": ("198.51.100.1", 128, wire.SOURCE, 7),
    "network of a /25": ("198.51.100.0", 96 + 25, wire.NETWORK, 0),
    "network of a /16": ("198.51.0.0", 96 + 16, wire.NETWORK, 0),
    "network of one address": ("198.51.100.1", 128, wire.NETWORK, 0),
    "network of everything": (b"\0" * 16, 0, wire.NETWORK, 0),
    "network of an IPv6 /64": (b"\x20\x01\x0d\xb8" + b"\0" * 12, 64, wire.NETWORK, 0),
    "network with a user": ("198.51.100.0", 96 + 24, wire.NETWORK, 7),
    "network with bits behind its length": ("198.51.100.1", 96 + 24, wire.NETWORK, 0),
    "user nobody": (b"\0" * 16, 64, wire.USER, 0),
    "user with a user": (SOMEBODY, 64, wire.USER, 7),
    "user of 63 bits": (b"\2" + b"\0" * 15, 63, wire.USER, 0),
    "user of 128 bits": (SOMEBODY, 128, wire.USER, 0),
    "users all of them": (b"\0" * 16, 0, wire.USER, 0),
    "no kind": ("198.51.100.1", 128, 0, 0),
    "a kind of later": ("198.51.100.1", 128, 6, 0),
}


@pytest.mark.parametrize("name", WRONG)
def test_dropped(two, name):
    redis, nodes = two
    before = [numbers(node) for node in nodes]
    write(redis, record(*WRONG[name]))
    for node, old in zip(nodes, before):
        wait_for(lambda: numbers(node)["redis_dropped"] > old["redis_dropped"], 2, "it is dropped")
        now = numbers(node)
        assert now == dict(old, redis_dropped=old["redis_dropped"] + 1)
    print("\nwrong record, %s: dropped by both, nothing applied" % name)


def test_control_right_ones_are_applied(two):
    """So the wrong ones lie where they are looked for."""
    redis, nodes = two
    before = [numbers(node) for node in nodes]
    right = [("198.51.100.1", 128, wire.SOURCE, 0), ("198.51.100.2", 128, wire.PAIR, 7),
             ("203.0.113.0", 96 + 24, wire.PAIR, 7), ("198.51.100.0", 96 + 24, wire.NETWORK, 0),
             (b"\x20\x01\x0d\xb8" + b"\0" * 12, 48, wire.NETWORK, 0), (SOMEBODY, 64, wire.USER, 0)]
    for one in right:
        write(redis, record(*one))
    for node, old in zip(nodes, before):
        wait_for(lambda: numbers(node)["states_applied"] >= old["states_applied"] + len(right), 2, "they are applied")
        now = numbers(node)
        assert now["redis_dropped"] == old["redis_dropped"]
        assert [now[name] - old[name] for name in ("pairs", "networks", "users")] == [2, 2, 1]
        assert known(node, "198.51.100.1")["state"] == "banned"
    print("\nright records: applied %d by both" % len(right))
