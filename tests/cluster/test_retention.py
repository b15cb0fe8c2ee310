# SPDX-License-Identifier: GPL-2.0-or-later
"""After evidence_ttl nothing of an offender is left: not in memory, not in Redis, not in the snapshot.

Searched for is the address, as text and in its binary forms, and what it sent; before, the search finds it in
all three places. One clock for the proxy and Redis, so that a week takes seconds.
"""
import contextlib
import os
import time

import pytest

from lib.clock import Clock
from lib.fleet import THRESHOLD, fleet, wait_banned
from lib.memory import shared_memory
from lib.redis import Redis
from lib.remains import forms, in_redis
from lib.sip import Guesser
from lib.wait import wait_for
from proxies import RpcFault

OFFENDER, AGENT, DAY, WINDOW, TTL = "127.217.93.61", "an agent that ages", 86400, 600, 7 * 86400
OTHERS = ["127.217.94.%d" % number for number in range(1, 81)]  # more than one opening of Redis deletes


class Place:
    """One proxy with Redis and a snapshot, all with one clock."""

    def __init__(self, stack, folder):
        self.clock = stack.enter_context(Clock())
        self.redis = stack.enter_context(Redis(password="of-the-test", **self.clock.settings))
        self.snapshot = os.path.join(folder, "snapshot")
        settings = ('modparam("authban", "snapshot", "%s")\nmodparam("authban", "snapshot_interval", 1)\n'
                    % self.snapshot)
        _, (self.node,) = stack.enter_context(
            fleet(1, redis=self.redis, extra=settings, **self.clock.settings))

    def contents(self):
        """{place: [bytes, ...]} of all that is there."""
        saved = b""
        with contextlib.suppress(FileNotFoundError), open(self.snapshot, "rb") as data:
            saved = data.read()
        return {"memory": list(shared_memory(next(iter(self.node.pids())))), "Redis": [in_redis(self.redis)],
                "snapshot": [saved]}

    def where(self, words):
        """{place: {form: how often}} of what is anywhere."""
        return {place: times for place, times in (
            (place, {name: n for name, n in ((name, sum(part.count(word) for part in parts))
                                             for name, word in words.items()) if n})
            for place, parts in self.contents().items()) if times}

    def pass_seconds(self, seconds):
        """The sync process works once in each of them (a sweep takes 64), and keeps its connection."""
        for _ in range(seconds):
            self.clock.advance(1.02)
            with contextlib.suppress(RpcFault):
                self.node.rpc("authban.unban", "192.0.2.1")  # nobody; it wakes the sync process
            time.sleep(0.01)


@pytest.fixture
def place(tmp_path):
    with contextlib.ExitStack() as stack:
        yield Place(stack, str(tmp_path))


def attack(node):
    with Guesser("alice", node.target, source=OFFENDER, timeout=2) as guesser:
        for number in range(THRESHOLD):
            header = guesser.answer_header(guesser.challenge(), "wrong-%d" % number)
            guesser.link.send(guesser.build([header, ("User-Agent", AGENT)]))
    wait_banned([node], OFFENDER, 3)


def test_nothing_is_left(place):
    node, words = place.node, dict(forms(OFFENDER), agent=AGENT.encode())
    attack(node)
    for other in OTHERS:
        node.rpc("authban.ban", other, 60)
    key = "{authban:0}:evidence"
    wait_for(lambda: place.redis.command("EXISTS", key), 8, "the evidence is told")
    wait_for(lambda: "snapshot" in place.where(words), 5, "the snapshot has the ban")
    before = place.where(words)
    print("\nretention: at the ban: %s" % before)
    assert set(before) == {"memory", "Redis", "snapshot"}, "control: the search finds it"
    assert before["memory"]["agent"] >= 1 and "agent" not in before["Redis"]
    place.clock.advance(TTL - 60)
    assert node.rpc("authban.evidence_get", OFFENDER)["failures"] == THRESHOLD, "kept to the end"
    place.clock.advance(61)
    begin, left = time.monotonic(), {}
    words["others"] = forms(OTHERS[0])["mapped"][:-1]
    try:
        wait_for(lambda: place.pass_seconds(70) or not left.update(now=place.where(words)) and not left["now"],
                 15, "nothing is left")
    finally:
        print("retention: %.1f s in real time after evidence_ttl there is left: %s" % (
            time.monotonic() - begin, left["now"] or "nothing"))
    with pytest.raises(RpcFault):
        node.rpc("authban.evidence_get", OFFENDER)
