# SPDX-License-Identifier: GPL-2.0-or-later
"""Evidence in a cluster: others show it as imported, nobody can put some there, and it goes with evidence_ttl."""
import json
import time

import pytest

from lib import acl
from lib.fleet import THRESHOLD, fleet, make_proxy, status, wait_banned, wait_connected
from lib.sip import Guesser
from lib.wait import holds_for, wait_for
from lib.wire import PREFIX
from proxies import RpcFault

STREAM = "{%s:0}:evidence" % PREFIX
REPORTER = "\n".join('modparam("authban", "report_%s", "%s")' % pair for pair in (
    ("org", "The Reporter"), ("contact", "abuse@example.com"), ("domain", "example.com")))
USER, AGENT = "a-user-of-this-test", "an agent of this test"


@pytest.fixture(scope="module")
def cluster():
    with acl.redis_with_users() as redis, fleet(2, redis=redis, url=acl.url_of(redis), extra=REPORTER) as both:
        yield both


def evidence(node, source):
    try:
        return node.rpc("authban.evidence_get", source)
    except RpcFault as fault:
        assert fault.code == 404, fault
        return None


def attack(node, source, count=THRESHOLD):
    with Guesser(USER, node.target, source=source, timeout=2) as guesser:
        for number in range(count):
            header = guesser.answer_header(guesser.challenge(), "wrong-%d-%f" % (number, time.time()))
            guesser.link.send(guesser.build([header, ("User-Agent", AGENT)]))
        wait_for(lambda: (evidence(node, source) or {}).get("failures") == count, 3, "all are counted")


def imported(node, source):
    row = evidence(node, source)
    return row if row and row["imported"] else None


def entries(redis):
    """The summaries in the stream; erasures have a flag of their own (test_erase.py)."""
    answer = redis.command("XRANGE", STREAM, "-", "+")
    return [fields[1] for _, fields in answer if not ord(fields[1][1]) & 2]


def as_bytes(redis):
    """All that is in Redis, as its dump shows it."""
    text = []
    for key in redis.command("KEYS", "*"):
        text.append(repr(key) + repr(redis.command("DUMP", key)))
    return "\n".join(text)


def test_another_proxy_shows_it_as_imported(cluster):
    _, (first, second) = cluster
    attack(first, "127.22.0.1")
    wait_banned([second], "127.22.0.1")
    begin = time.monotonic()
    theirs = wait_for(lambda: imported(second, "127.22.0.1"), 8, "the evidence arrives")
    took = time.monotonic() - begin
    ours = evidence(first, "127.22.0.1")
    assert not ours["imported"] and len(ours["samples"]) == THRESHOLD
    assert theirs == dict(ours, imported=1, samples=[], banned=1)
    assert json.loads(first.rpc("authban.report", "127.22.0.1"))["source_identifier"] == "127.22.0.1"
    with pytest.raises(RpcFault, match="by other nodes only") as caught:
        second.rpc("authban.report", "127.22.0.1")
    assert caught.value.code == 409
    assert all(status(node)["redis_errors"] == 0 for node in (first, second))
    print("\nevidence: at another proxy %.1f s after the ban" % took)


def test_what_was_not_banned_is_not_told(cluster):
    redis, (first, second) = cluster
    attack(first, "127.22.0.2", THRESHOLD - 1)
    attack(first, "127.22.0.3")
    wait_for(lambda: imported(second, "127.22.0.3"), 8, "the evidence of the other")
    assert evidence(second, "127.22.0.2") is None
    assert AGENT not in as_bytes(redis) and USER not in as_bytes(redis)
    assert redis.command("ACL", "LOG") == []


def test_strangers_records_are_dropped(cluster):
    redis, (first, second) = cluster
    attack(first, "127.22.0.4")
    wait_for(lambda: imported(second, "127.22.0.4"), 8, "a true record")
    before = status(second)["redis_dropped"]
    for _ in range(50):
        redis.command("XADD", STREAM, "*", "e", "x" * 200)
        redis.command("XADD", STREAM, "*", "other", "")
    attack(first, "127.22.0.6")  # the stream is read soon after a ban
    wait_for(lambda: imported(second, "127.22.0.6"), 8, "what comes behind them")
    wait_for(lambda: status(second)["redis_dropped"] >= before + 100, 8, "they are dropped and counted")
    assert status(second)["redis"] == "connected"
    assert {row["source"] for row in second.rpc("authban.evidence")} == {
        "127.22.0.%d" % number for number in (1, 3, 4, 6)}


def test_erase_takes_it_out_of_redis(cluster):
    redis, nodes = cluster
    attack(nodes[0], "127.22.0.5")
    wait_for(lambda: imported(nodes[1], "127.22.0.5"), 8, "the evidence arrives")
    for node in nodes:
        node.rpc("authban.erase", "127.22.0.5")
    wait_for(lambda: not entries(redis), 8, "the stream is empty")
    holds_for(lambda: evidence(nodes[1], "127.22.0.5") is None and not entries(redis), 0.5)


def test_over_a_restart_and_after_ttl():
    """Redis brings it back as imported; evidence_ttl after the last word the key itself is gone."""
    extra = REPORTER + '\nmodparam("authban", "evidence_ttl", 4)'
    with fleet(1, extra=extra) as (redis, (node,)):
        attack(node, "127.22.1.1")
        wait_for(lambda: redis.command("EXISTS", STREAM), 8, "it is told")
        begin = time.monotonic()
        node.stop()
        with make_proxy(redis, 1, extra=extra) as again:
            wait_connected(again)
            row = wait_for(lambda: evidence(again, "127.22.1.1"), 3, "it is heard again")
            assert row["imported"] == 1 and row["origin"] == "node-1" and row["failures"] == THRESHOLD
            with pytest.raises(RpcFault, match="by other nodes only"):
                again.rpc("authban.report", "127.22.1.1")
            wait_for(lambda: not redis.command("EXISTS", STREAM), 10, "nothing is left in Redis")
            wait_for(lambda: not evidence(again, "127.22.1.1"), 2, "nor in memory")
    print("\nevidence: out of Redis %.1f s after it was told (evidence_ttl 4 s)" % (time.monotonic() - begin))


def test_an_older_acl_costs_the_evidence_only():
    lines = [line.replace(" ~{authban:0}:evidence", "").replace(" +xtrim", "") for line in acl.user_lines()]
    with acl.Redis(password="of-the-test", config=lines) as redis, \
            fleet(2, redis=redis, url=acl.url_of(redis)) as (_, (first, second)):
        attack(first, "127.22.2.1")
        wait_banned([second], "127.22.2.1")
        wait_for(lambda: first.log_lines("evidence is not shared"), 8, "the log says so")
        assert status(first)["redis"] == status(second)["redis"] == "connected"
        assert status(first)["redis_errors"] == 0 and evidence(second, "127.22.2.1") is None
        assert len(first.log_lines("evidence is not shared")) == 1
