# SPDX-License-Identifier: GPL-2.0-or-later
"""F26: the name server that knows Redis's name is silent. Workers never ask it; nobody else waits for it for long."""
import contextlib
import time

import pytest

from lib import faults
from lib.far import OTHER, REDIS, Far
from lib.fleet import pid_of, status, wait_connected, wait_disconnected
from lib.nameserver import NameServer, asks
from lib.wait import holds_for, wait_for

NAME = "redis.test"
URL = "redis://:of-the-test@%s:6379/0" % NAME


@pytest.fixture
def place():
    """(far, names): the hosts 1 and 2 know Redis by its name only; nobody is there yet."""
    with contextlib.ExitStack() as stack:
        far = Far(0, hosts=2)
        stack.enter_context(far)
        for number in (1, 2):
            stack.enter_context(asks(far.net[str(number)], OTHER))
        yield far, stack.enter_context(NameServer(far.net["other"], OTHER, NAME, REDIS))


def children(pid):
    """How many processes the sync process has made."""
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as text:
        return len(text.read().split())


def test_f26_silent_at_the_start(place):
    far, names = place
    names.silent = True
    begin = time.monotonic()
    with far.proxy(1, url=URL) as node:
        started = time.monotonic() - begin
        with faults.Load([node]) as load:
            faults.assert_local_ban(node, "127.33.1.1")
            why = wait_for(lambda: status(node)["redis_last_error"], 2, "the error is shown")
            most = []
            holds_for(lambda: most.append(children(pid_of(node, "authban sync"))) or most[-1] <= 1, 1.5, "one child")
            busy = faults.Busy([node])
            workers = [text for pid, text in node.pids().items() if "authban sync" != text and children(pid)
                       and "main" not in text and "attendant" not in text]
            time.sleep(1)
            share, asked, names.silent = busy.share(), names.asked, False
            took = wait_connected(node, 5.0)
            faults.report("F26 silent at the start", load, took, faults.lost([node], ["127.33.1.1"]),
                          started_after="%.2fs" % started, error=repr(why), asked=asked, cpu_of_sync="%.1f%%" % (100 * share))
        stopped = node.stop()
    assert started < 3.5 and "name" in why and max(most) == 1 and not workers and share < 0.2
    assert took < 4 and stopped < 1.5 and 0 < asked < 30


def test_f26_silent_later(place):
    """The connection breaks while the name server is silent: the address of before is good enough."""
    far, names = place
    with far.proxy(1, url=URL) as first, far.proxy(2, url=URL) as second:
        nodes = [first, second]
        for node in nodes:
            wait_connected(node)
        names.silent = True
        with faults.Load(nodes) as load:
            far.redis.kill()
            for number, node in enumerate(nodes):
                wait_disconnected(node)
                faults.assert_local_ban(node, "127.33.2.%d" % (1 + number))
            time.sleep(2.5)  # what was just looked up is not asked for again
            asked = names.asked
            far.redis.start()
            took = faults.assert_converges(nodes, ["127.33.2.1", "127.33.2.2"])
            faults.report("F26 silent later", load, took, faults.lost(nodes, ["127.33.2.1", "127.33.2.2"]),
                          asked=names.asked)
        stopped = max(node.stop() for node in nodes)
    assert asked > 0 and stopped < 1.5


def test_f26_control_a_wrong_name_is_told(place):
    far, _ = place
    with far.proxy(1, url=URL.replace(NAME, "another.test")) as node:
        why = wait_for(lambda: status(node)["redis_last_error"], 2, "the error is shown")
        print("\nF26 wrong name: error=%r" % why)
        assert why.startswith("name: ") and "silent" not in why
