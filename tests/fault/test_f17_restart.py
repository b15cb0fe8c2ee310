# SPDX-License-Identifier: GPL-2.0-or-later
"""F17: a proxy that is restarted knows what it knew, with Redis or without: bans, and who has logged in.

AUTHBAN_LONG=1: 1,000 restarts by SIGTERM and 100 by kill -9.
"""
import os
import signal
import subprocess
import time

import pytest

from lib import snapshot
from lib.fleet import (THRESHOLD, banned, fleet, make_proxy, pid_of, wait_banned, wait_connected,
                       wait_lifted)
from lib.hammer import Attackers, Hammer
from lib.kamailio import Proxy
from lib.redis import Redis
from lib.sip import Phone
from lib.traffic import answers
from lib.wait import wait_for

LONG = bool(os.environ.get("AUTHBAN_LONG"))
RESTARTS, CRASHES = (1000, 100) if LONG else (5, 5)
PAGE = 300
FIRST = "127.50.1.1"  # sends while the proxy starts


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "authban.snapshot")


def ban_many(node, count=100):
    for number in range(count):
        node.rpc("authban.ban", "127.50.2.%d" % (number + 1), 36000)
    node.rpc("authban.ban", FIRST, 36000)


def listed(node):
    """Sources that stay banned for a while; in pages, since an answer is one datagram."""
    found, offset = set(), 0
    while True:
        page = node.rpc("authban.list", PAGE, offset) or ()
        found |= {row["source"] for row in page if row["ttl"] > 30}
        offset += PAGE
        if len(page) < PAGE:
            return found


def missing(node, known):
    """Those of them that are not banned (any more); the list moves while sources are added."""
    return [source for source in known - listed(node) if not banned(node, source)]


def start_under_fire(node):
    """Starts; answers that the banned source got."""
    with Hammer(node, FIRST) as hammer:
        node.start()
        wait_for(lambda: node.authban()["blocked"] > 20, 5, "drops")
    return hammer.heard


def stop_under_load(node):
    """SIGTERM; the seconds until all has ended, or at least the process that writes the snapshot.

    Kamailio itself hangs now and then when a worker ends with a lock of the core held (Proxy.end()).
    """
    sync, begin = pid_of(node, "authban sync"), time.monotonic()
    node.process.signal(signal.SIGTERM)
    wait_for(lambda: not runs(sync), 2, "the sync process has ended")
    took = time.monotonic() - begin
    try:
        node.process.child.wait(2)
        took = time.monotonic() - begin
    except subprocess.TimeoutExpired:
        print("\nnote: the main process hangs")
    node.kill()
    return took


def runs(pid):
    """It is there, and no zombie."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as text:
            return text.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def restarts(node, count, end):
    """(longest stop, answers to the banned, bans that were lost, bans at the end)"""
    longest, heard, lost, known = 0.0, 0, 0, set()
    with Attackers(node, THRESHOLD):
        for _ in range(count):
            time.sleep(0.3)
            known = listed(node)
            longest = max(longest, end(node) or 0.0)
            heard += start_under_fire(node)
            lost += len(missing(node, known))
    return longest, heard, lost, len(known)


def test_f17_sigterm_under_load(path):
    """The last snapshot is written at the stop: nothing is lost, however young."""
    with snapshot.alone(path) as node:
        ban_many(node)
        longest, heard, lost, known = restarts(node, RESTARTS, stop_under_load)
        print("\nF17 SIGTERM: restarts=%d bans=%d lost=%d answers_to_the_banned=%d longest_stop=%.3fs"
              % (RESTARTS, known, lost, heard, longest))
        assert lost == 0 and heard == 0 and known > 100
        assert longest < 1.0
        assert not node.log_lines("WARNING: authban|ERROR: authban")


def test_f17_kill_9_under_load(path):
    """Main and workers are killed: what is younger than the interval may be lost, nothing else."""
    with snapshot.alone(path) as node:
        ban_many(node)
        _, heard, lost, known = restarts(node, CRASHES, snapshot.crash(path))
        print("\nF17 kill -9: restarts=%d bans=%d lost=%d answers_to_the_banned=%d" % (CRASHES, known, lost, heard))
        assert lost == 0 and heard == 0 and known > 100
        assert not node.log_lines("WARNING: authban|ERROR: authban")


def test_f17_control_without_a_snapshot(path):
    """The watcher has eyes: without the file the bans are gone and the banned source is answered."""
    with snapshot.alone(path) as node:
        ban_many(node)
        known = listed(node)
        node.stop()
        os.unlink(path)
        with Hammer(node, FIRST) as hammer:
            node.start()
            wait_for(lambda: hammer.heard, 3, "it answers")
        lost = len(missing(node, known))
        print("\nF17 control: lost=%d of %d answers_to_the_banned=%d" % (lost, len(known), hammer.heard))
        assert lost == len(known)


# --- with Redis ---


def with_snapshot(path, number):
    return snapshot.settings("%s.%d" % (path, number))


@pytest.mark.parametrize("how", ["SIGTERM", "kill -9"])
def test_f17_redis_is_away_at_the_start(path, how):
    """Bans of this proxy and of another are there; when Redis is back, emptied, it gets them."""
    end = Proxy.stop if how == "SIGTERM" else snapshot.crash(path + ".1")
    with Redis(password="of-the-test") as redis, make_proxy(redis, 1, extra=with_snapshot(path, 1)) as node:
        with make_proxy(redis, 2) as other:
            ban_many(node, 50)
            other.rpc("authban.ban", "127.50.5.1", 600)
            wait_banned([node], "127.50.5.1")
        end(node)
        redis.kill()
        heard = start_under_fire(node)
        assert banned(node, "127.50.5.1") and len(listed(node)) == 52
        redis.start()
        wait_connected(node)
        with make_proxy(redis, 3) as late:
            wait_banned([late], "127.50.5.1")
            wait_for(lambda: len(listed(late)) == 52, 2, "all bans")
    print("\nF17 Redis away, %s: answers_to_the_banned=%d bans=52, another proxy has them from the emptied Redis"
          % (how, heard))
    assert heard == 0


def test_f17_an_unban_in_the_meantime_wins(path):
    """Redis's word is newer than the snapshot's."""
    with Redis(password="of-the-test") as redis, make_proxy(redis, 1, extra=with_snapshot(path, 1)) as node, \
            make_proxy(redis, 2) as other:
        node.rpc("authban.ban", "127.50.5.2", 600)
        wait_banned([other], "127.50.5.2")
        node.stop()
        other.rpc("authban.unban", "127.50.5.2")
        node.start()
        wait_connected(node)
        assert "127.50.5.2" not in listed(node)
        assert answers(node, "127.50.5.2")
        wait_lifted([node, other], "127.50.5.2")
    print("\nF17 unban while it was down: lifted on both")


def test_f17_an_old_snapshot_leaves_bans_to_redis(path):
    """Longer away than an unban is remembered: a ban that was lifted since must not come back."""
    short = '\nmodparam("authban", "grace", 1)\nmodparam("authban", "window", 1)'
    with fleet(1, extra=with_snapshot(path, 1) + short) as (_, (node,)):
        with Phone("alice", "alice-secret", node.target, source="127.50.5.4") as alice:
            assert alice.register().status == 200
        node.rpc("authban.ban", "127.50.5.3", 600)
        node.stop()
        time.sleep(2.1)
        node.start()
        said = node.log_lines("bans are left to Redis")
        facts = node.log_lines(r" 0 records and [1-9]\d* facts loaded")
        print("\nF17 old snapshot in a cluster: %s" % said[0].split("(): ")[1])
        assert len(said) == 1 and len(facts) == 1
        assert banned(node, "127.50.5.3"), "by Redis"
