# SPDX-License-Identifier: GPL-2.0-or-later
"""authban.top blocked, the estimate of what each source sent in vain, and authban.reset."""
import socket
import time

import pytest

from lib.kamailio import Proxy
from lib.traffic import answers
from lib.wait import wait_for
from proxies import RpcFault


@pytest.fixture(scope="module")
def node():
    with Proxy(node="node-1", defines={"AB_THRESHOLD": 5}) as one:
        yield one


def flood(node, source, count):
    """Datagrams of a banned source, until all were blocked."""
    before = node.authban()["blocked"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.connect(node.target)
        for number in range(count):
            sock.send(b"OPTIONS sip:x SIP/2.0\r\n\r\n")
            if number % 50 == 49:
                time.sleep(0.005)
    wait_for(lambda: node.authban()["blocked"] - before >= count, 5, "all are blocked")


SENT = {"127.20.1.1": 5000, "127.20.1.2": 2000, "127.20.1.3": 160}


@pytest.fixture(scope="module")
def flooded(node):
    for source in (*SENT, "127.20.1.4"):
        node.rpc("authban.ban", source, 600)
    node.rpc("authban.ban", "127.20.2.0/24", 600)
    for source, count in SENT.items():
        flood(node, source, count)
    for host in range(1, 9):
        flood(node, "127.20.2.%d" % host, 100)
    return node


def test_the_worst_first(flooded, call):
    rows = call(flooded, "authban.top", 10, "blocked")
    print("\ntop blocked: sent=%s told=%s" % (
        dict(SENT, **{"127.20.2.0/24": 800}), {row["source"]: int(row["blocked"]) for row in rows}))
    assert [row["source"] for row in rows] == ["127.20.1.1", "127.20.1.2", "127.20.2.0/24", "127.20.1.3"]
    told = {row["source"]: int(row["blocked"]) for row in rows}
    for source, sent in dict(SENT, **{"127.20.2.0/24": 800}).items():
        # one of sixteen by lot: five standard deviations
        assert abs(told[source] - sent) <= 16 * 5 * (sent / 16) ** 0.5, source
        assert told[source] % 16 == 0
    assert len(call(flooded, "authban.top", 1, "blocked")) == 1


def test_the_rows_of_others_have_it(flooded, call):
    by_source = {row["source"]: int(row["blocked"]) for row in call(flooded, "authban.list")}
    assert by_source["127.20.1.1"] > 3000 and by_source["127.20.1.4"] == 0
    (row,) = call(flooded, "authban.get", "127.20.1.1")
    assert int(row["blocked"]) == by_source["127.20.1.1"]


def test_dry_run_blocks_nothing(call):
    with Proxy(node="node-1", defines={"AB_MODE": "dry_run"}) as node:
        node.rpc("authban.ban", "127.20.3.1", 600)
        assert all(answers(node, "127.20.3.1") for _ in range(40))
        assert call(node, "authban.top", 10, "blocked") == []
        assert node.authban()["would_block"] == 40


# what is so now, and so cannot be set back
NOW = {"capacity", "entries", "banned", "breaker", "sync_lag_ms"}


def test_reset(flooded, call):
    """Counters are 0 and bans are not gone."""
    before, bans = flooded.authban(), call(flooded, "authban.list")
    assert before["blocked"] > 5000 and before["bans"] >= 5
    (row,) = call(flooded, "authban.reset")
    after = flooded.authban()
    print("\nreset: counters=%s blocked=%d->%d" % (row["counters"], before["blocked"], after["blocked"]))
    assert {name for name, value in after.items() if value} <= NOW
    assert int(row["counters"]) == len(set(after) - NOW)
    assert {name: after[name] for name in NOW} == {name: before[name] for name in NOW}
    assert {row["source"] for row in call(flooded, "authban.list")} == {row["source"] for row in bans}
    assert call(flooded, "authban.top", 10, "blocked") == []
    assert flooded.rpc("authban.status")["evictions"] == 0
    # for the other way to call, and to see that it goes on counting
    for source, count in SENT.items():
        flood(flooded, source, count + 200)
    flooded.rpc("authban.ban", "127.20.1.4", 600)
    for number in range(5):
        flooded.rpc("authban.ban", "127.20.4.%d" % number, 600)
    assert flooded.authban()["blocked"] == sum(SENT.values()) + 600


def test_no_other_order(node):
    with pytest.raises(RpcFault, match="failures, users or blocked"):
        node.rpc("authban.top", 10, "Blocked")
