# SPDX-License-Identifier: GPL-2.0-or-later
"""authban.status tells what is wrong with Redis: errors by their kind, the last one in words, clock, place in the log."""
import pytest

from lib.fakeredis import FakeNode, Raw
from lib.fleet import fleet, status, wait_banned
from lib.kamailio import Proxy
from lib.wait import wait_for

# kind -> what the server does; the order is that of the story, the login comes last: it is tried each 30 s only
KINDS = {
    "loading": {"ROLE": Exception("LOADING Redis is loading the dataset in memory")},
    "busy": {"ROLE": Exception("BUSY Redis is busy running a script")},
    "readonly": {"ROLE": ["slave", "127.0.0.1", 1, "connected", 1]},
    "oom": {"SET": Exception("OOM command not allowed when used memory > 'maxmemory'.")},
    "moved": {"SET": Exception("MOVED 1 127.0.0.1:1")},
    "maxclients": {"AUTH": Exception("ERR max number of clients reached")},
    "protocol": {"TIME": Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")},
    "closed": {"TIME": Raw(b"")},
    "timeout": {"TIME": Raw(None)},
    "other": {"XREVRANGE": Exception("ERR of some other kind")},
    "wrongtype": {"GET": Exception("WRONGTYPE Operation against a key holding the wrong kind of value")},
    "auth": {"AUTH": Exception("WRONGPASS invalid username-password pair of-the-test")},
}


def errors(node):
    row = status(node)
    return {kind: row["redis_errors_" + kind] for kind in [*KINDS, "refused", "tls"]}


@pytest.fixture
def fake():
    with FakeNode() as server:
        yield server


def test_each_kind_of_error_is_counted_and_named(fake, key_file):
    seen = {}
    with Proxy(redis=fake.url, key_file=key_file, extra='modparam("authban", "redis_start_timeout", 0)') as node:
        wait_for(lambda: status(node)["redis"] == "connected", 2, "it is connected")
        assert not any(errors(node).values()), "nothing is wrong yet"
        for kind, special in KINDS.items():
            before = errors(node)
            fake.special = special
            fake.hang_up()
            wait_for(lambda: errors(node)[kind] > before[kind], 4, kind + " is counted")
            seen[kind] = status(node)["redis_last_error"]
        row = status(node)
        assert "of-the-test" not in node.log() + str(row)
    print("\nstatus: %s" % "; ".join("%s %r" % pair for pair in seen.items()))
    assert all(seen.values()) and "LOADING" in seen["loading"] and "OOM" in seen["oom"]
    assert row["redis_errors"] == sum(row["redis_errors_" + kind] for kind in [*KINDS, "refused", "tls"]) - row["redis_errors_wrongtype"]


def test_refused_and_back():
    with fleet(1) as (redis, (node,)):
        redis.stop()
        wait_for(lambda: errors(node)["refused"], 3, "it is counted")
        wait_for(lambda: "refused" in status(node)["redis_last_error"], 2, "it is named")
        assert status(node)["redis"] == "disconnected"
        redis.start()
        wait_for(lambda: status(node)["redis"] == "connected", 3, "it is back")


def test_clock_and_place_in_the_log():
    with fleet(2) as (redis, nodes):
        nodes[0].rpc("authban.ban", "127.10.9.1", 600)
        wait_banned(nodes, "127.10.9.1")
        last = redis.command("XREVRANGE", "{authban:0}:log", "+", "-", "COUNT", 1)[0][0]
        for node in nodes:
            wait_for(lambda: status(node)["redis_log_id"] == last, 1, "the last news")
        rows = [status(node) for node in nodes]
        print("\nstatus: redis_offset_ms=%s redis_log_id=%s" % ([row["redis_offset_ms"] for row in rows], last))
        assert all(abs(row["redis_offset_ms"]) < 100 for row in rows)
        assert all(row["redis_role"] == "master" and row["redis_pending"] == 0 for row in rows)
