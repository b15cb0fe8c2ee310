# SPDX-License-Identifier: GPL-2.0-or-later
"""Parameters that no other test is about: each does what its text says."""
import time

import pytest

from lib.fleet import cluster_key, wait_connected
from lib.kamailio import Proxy
from lib.redis import Redis
from lib.sip import Guesser, Phone

THRESHOLD = 3


def parameter(name, value):
    return 'modparam("authban", "%s", %s)\n' % (name, value if isinstance(value, int) else '"%s"' % value)


def guesses(node, source, count, user="alice"):
    with Guesser(user, node.target, source=source, timeout=0.5) as guesser:
        return [guesser.guess("wrong-%d" % number) for number in range(count)]


@pytest.mark.parametrize("value,state", [("yes", "allowed"), ("no", "banned"), ("auto", "banned")])
def test_allow_local(value, state):
    """These proxies listen on loopback only, so auto is no."""
    with Proxy(extra=parameter("allow_local", value), defines={"AB_THRESHOLD": THRESHOLD}) as node:
        answers = guesses(node, "127.44.1.1", THRESHOLD + 2)
        row = node.rpc("authban.get", "127.44.1.1")
        print("\nallow_local %s: %s, %s" % (value, row["state"], answers))
        assert row["state"] == state
        assert answers[-1] == (401 if value == "yes" else 0)
        own = {entry["reason"] for entry in node.rpc("authban.allow_list") or ()}
        assert own == ({"own_socket"} if value == "yes" else set())


def test_sync_interval_bounds_the_batches():
    """Failures all the time, for 2 s: with 1000 ms a few batches, with 5 ms many."""
    batches = {}
    with Redis(password="of-the-test") as server:
        key = cluster_key(server)
        for interval in (1000, 5):
            with Proxy(redis=server.url, key_file=key, extra=parameter("sync_interval", interval)) as node:
                wait_connected(node)
                before, end, number = node.rpc("authban.status")["redis_batches"], time.monotonic() + 2, 0
                while time.monotonic() < end:
                    number += 1
                    # networks and users that are never under watch
                    guesses(node, "127.%d.%d.1" % (interval % 200, number % 250), 1, "user-%d" % number)
                    time.sleep(0.01)
                batches[interval] = node.rpc("authban.status")["redis_batches"] - before
    print("\nsync_interval: batches in 2 s %s, guesses %d" % (batches, number))
    assert batches[1000] <= 10 < 30 <= batches[5]


def test_mismatches_count_who_speaks_for_another():
    """The right password under another From: no failure, a counter of its own."""
    with Proxy(defines={"AB_THRESHOLD": THRESHOLD}) as node:
        with Guesser("bob", node.target, source="127.44.3.1", timeout=0.5) as other:
            for number in range(THRESHOLD + 2):
                header = other.answer_header(other.challenge(), "bob-secret", count=number + 1)
                assert other.send([header], user="alice").status == 401
            counts = node.authban()
            print("\nmismatches: %d of %d, failures=%d" % (counts["mismatches"], THRESHOLD + 2, counts["failures"]))
            assert counts["mismatches"] == THRESHOLD + 2 and counts["failures"] == counts["bans"] == 0
        with Phone("bob", "bob-secret", node.target, source="127.44.3.1") as phone:
            assert phone.register().status == 200
