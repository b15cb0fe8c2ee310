# SPDX-License-Identifier: GPL-2.0-or-later
"""F19: the process that talks to Redis: whatever call of it fails, it goes on; killed, it takes Kamailio with it.

Each library call of one round (a lost connection, a new one, the map, a ban out and a ban in) fails in
its turn, once. AUTHBAN_LONG=1: all of them, with each error; else some of each kind.
"""
import concurrent.futures
import contextlib
import os
import signal
import time

import pytest

from lib.failing import ERRORS, Failing
from lib.fleet import banned, fleet, make_proxy, pid_of, status, wait_connected
from lib.redis import Redis
from lib.traffic import answers
from lib.wait import wait_for

LONG = bool(os.environ.get("AUTHBAN_LONG"))
EACH = 1000000 if LONG else 6  # places of each kind of call
OLD = 40  # bans that are in Redis all along
KINDS = [["realloc", "calloc", "connect"], ["malloc", "read", "socket", "getaddrinfo"],
         ["poll", "write", "recv", "send", "setsockopt", "getsockopt", "fcntl"]]


class Round:
    """One proxy with failing calls, one without, on one Redis."""

    def __init__(self, stack):
        self.failing = stack.enter_context(Failing())
        self.redis = stack.enter_context(Redis(password="of-the-test"))
        self.node = stack.enter_context(make_proxy(self.redis, 1, **self.failing.settings))
        self.other = stack.enter_context(make_proxy(self.redis, 2))
        for number in range(OLD):
            self.node.rpc("authban.ban", "127.19.1.%d" % (number + 1), 3600)
        self.turn = 0
        self.sync = pid_of(self.node, "authban sync")
        self.failing.watch(self.sync)
        self.play()
        self.failing.watch(self.sync)
        self.play()
        self.seen = self.failing.seen()

    def play(self):
        """Connections lost, made anew, news in both directions; within 5 s."""
        self.turn += 1
        out, back = ("127.19.%d.%d" % (direction + self.turn // 250, self.turn % 250 + 1) for direction in (100, 150))
        before = status(self.node)["redis_reconnects"]
        self.redis.command("CLIENT", "KILL", "TYPE", "normal")
        self.node.rpc("authban.ban", out, 3600)
        self.other.rpc("authban.ban", back, 3600)
        wait_for(lambda: status(self.node)["redis_reconnects"] > before and self._agrees(out, back), 5,
                 "it has recovered", 0.005)

    def _agrees(self, out, back):
        now = status(self.node)
        return (now["redis"] == "connected" and not now["redis_pending"] and banned(self.node, back)
                and banned(self.other, out))

    def places(self, call):
        """Which of its calls of one round fail, in turn."""
        count = self.seen[call]
        step = max(1, -(-count // EACH))
        return range(1, count + 1, step)

    def fail_all(self, calls):
        """{call: (times, failed)}; the longest time a round took."""
        done, longest = {}, 0.0
        for call in calls:
            before = self.failing.fired
            for number, nth in enumerate(self.places(call)):
                for error in ERRORS[call] if LONG else [ERRORS[call][number % len(ERRORS[call])]]:
                    self.failing.arm(call, nth, error)
                    begin = time.monotonic()
                    self.play()
                    longest = max(longest, time.monotonic() - begin)
                    self.failing.disarm()
                    assert pid_of(self.node, "authban sync") == self.sync
            done[call] = self.seen[call], self.failing.fired - before
        return done, longest


def run(calls):
    with contextlib.ExitStack() as stack:
        one = Round(stack)
        done, longest = one.fail_all(calls)
        bans = {node.node: node.authban()["banned"] for node in (one.node, one.other)}
        with make_proxy(one.redis, 3) as late:
            wait_connected(late)
            bans[late.node] = late.authban()["banned"]
        assert set(bans.values()) == {OLD + 2 * one.turn}, bans
        assert answers(one.node, "127.19.99.1")
        assert not one.node.log_lines("CRITICAL|ALERT|BUG")
        return done, longest, one.turn


def test_f19_every_call_fails_once():
    with concurrent.futures.ThreadPoolExecutor(len(KINDS)) as pool:
        results = list(pool.map(run, KINDS))
    done = {call: pair for result in results for call, pair in result[0].items()}
    print("\nF19 calls that failed (of those in one round): %s; rounds=%d exits=0 longest_recovery=%.2fs"
          % (" ".join("%s %d/%d" % (call, failed, seen) for call, (seen, failed) in sorted(done.items()) if seen),
             sum(result[2] for result in results), max(result[1] for result in results)))
    assert all(done[call][1] > 0 for call in ("malloc", "calloc", "realloc", "connect", "poll", "read", "write"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_f19_killed_it_takes_the_proxy_along(number):
    """Kamailio ends when any of its processes dies, and is started again by its supervisor."""
    with fleet(1, extra="disable_core_dump=yes\n") as (_, (node,)):
        node.rpc("authban.ban", "127.19.2.1", 600)
        wait_for(lambda: not status(node)["redis_pending"], 2, "it is sent")
        begin = time.monotonic()
        os.kill(pid_of(node, "authban sync"), number)
        code = node.process.child.wait(5)
        took = time.monotonic() - begin
        node.kill()
        node.start()
        print("\nF19 %s: the proxy ended after %.2fs with status %d; started again, ban there: %s"
              % (number.name, took, code, banned(node, "127.19.2.1")))
        assert took < 1 and code != 0 and banned(node, "127.19.2.1")
