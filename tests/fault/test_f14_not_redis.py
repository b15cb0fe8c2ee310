# SPDX-License-Identifier: GPL-2.0-or-later
"""F14: something else listens in Redis's place: a web server, nobody, liars about lengths, one byte at a time."""
import contextlib
import time

import pytest

from lib import faults, fakeredis
from lib.fleet import THRESHOLD, banned, cpu_seconds, fleet, make_proxy, pid_of, status, wait_banned
from lib.redis import Redis
from lib.traffic import Honest, RoundRobin
from lib.wait import wait_for

KINDS = {name: dict(reply=name) for name in fakeredis.REPLIES}
KINDS["http-by-bytes"] = dict(reply="http", step=1, pause=0.01)
KINDS["bulk-by-bytes"] = dict(reply="huge-bulk", step=1, pause=0.01)
KINDS["garbage-by-bytes"] = dict(reply=b"garbage\r\n" * 10, step=1, pause=0.05)


def memory_mb(pid):
    """Resident memory."""
    with open("/proc/%d/status" % pid, encoding="ascii") as text:
        return next(int(line.split()[1]) for line in text if line.startswith("VmRSS:")) / 1024


class Strangers:
    """Several proxies, each with something else in Redis's place: they are watched side by side."""

    def __init__(self, kinds):
        self.kinds, self.stack, self.fakes, self.nodes, self.started = kinds, contextlib.ExitStack(), [], [], []

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            nobody = stack.enter_context(Redis())
            for number, kind in enumerate(self.kinds):
                self.fakes.append(stack.enter_context(fakeredis.FakeRedis(**KINDS[kind])))
                begin = time.monotonic()
                node = make_proxy(nobody, 1 + number, url=self.fakes[-1].url)
                self.nodes.append(stack.enter_context(node))
                self.started.append(time.monotonic() - begin)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()


@pytest.mark.parametrize("part", range(3))
def test_f14_not_redis(part):
    with Strangers(list(KINDS)[part::3]) as all_of_them:
        with faults.Load(all_of_them.nodes) as load:
            busy = [faults.Busy([node]) for node in all_of_them.nodes]
            evaluated = [faults.assert_local_ban(node, "127.11.1.1") for node in all_of_them.nodes]
            time.sleep(1.5)
            busy = [one.share() for one in busy]
            faults.report("F14 not Redis", load, None, faults.lost(all_of_them.nodes, ["127.11.1.1"]))
        for at, (kind, node) in enumerate(zip(all_of_them.kinds, all_of_them.nodes)):
            memory, shown = memory_mb(pid_of(node, "authban sync")), status(node)
            faults.assert_no_secret([node])
            stopped = node.stop()
            print("F14 %s: started_after=%.2fs evaluated=%d cpu_of_sync=%.1f%% memory=%.0fMB connections=%d stop=%.2fs"
                  " error=%r" % (kind, all_of_them.started[at], evaluated[at], 100 * busy[at], memory,
                                 all_of_them.fakes[at].connections, stopped, shown["redis_last_error"]))
            assert shown["redis"] == "disconnected" and shown["redis_last_error"].isprintable()
            assert shown["redis_last_error"], kind
            assert all_of_them.started[at] <= 3.5 and busy[at] < 0.2 and memory < 200 and stopped <= 1.5


def test_true_answers_byte_by_byte():
    """Slow, but it is Redis: everything works."""
    with Redis(password="of-the-test") as redis, fakeredis.SlowRelay(redis, "of-the-test") as relay:
        with fleet(2, redis=redis, url=relay.url) as (_, nodes):
            with RoundRobin(nodes, "127.11.2.1") as attacker:
                evaluated = attacker.send(100)
            took = wait_banned(nodes, "127.11.2.1", 2.0)
            nodes[0].rpc("authban.ban", "127.11.2.2", 600)
            wait_banned(nodes, "127.11.2.2", 2.0)
            print("\nF14 byte by byte: evaluated=%d everywhere_after=%.0fms errors=%s"
                  % (evaluated, 1e3 * took, [status(node)["redis_errors"] for node in nodes]))
    assert THRESHOLD <= evaluated <= 2 * THRESHOLD


def test_a_password_that_the_server_repeats_is_not_shown():
    """A Redis without AUTH answers "unknown command 'AUTH', with args beginning with: 'the password'"."""
    with Redis(config=['rename-command AUTH ""']) as redis:
        url = "redis://:echoed-secret@127.0.0.1:%d/0" % redis.port
        with make_proxy(redis, 1, url=url) as node:
            shown = wait_for(lambda: status(node)["redis_last_error"], 2, "the error is shown")
            print("\nF11 server repeats the password: error=%r" % shown.replace("echoed-secret", "<password>"))
            faults.assert_no_secret([node], "echoed-secret")


def test_redis_turns_into_something_else_and_back():
    """A living cluster: the port answers HTTP for a while."""
    with fleet(2) as (redis, nodes):
        redis.kill()
        with fakeredis.FakeRedis("http", port=redis.port) as fake:
            faults.assert_shown(nodes)
            wait_for(lambda: fake.connections > 2, 5, "they try")
            faults.assert_local_ban(nodes[0], "127.11.3.1")
            with Honest(nodes) as honest:
                assert honest.run(50, 100)[0] == 50
        redis.start()
        took = faults.assert_converges(nodes, ["127.11.3.1"], 3.0)
        assert banned(nodes[1], "127.11.3.1")
        pids = [pid_of(node, "authban sync") for node in nodes]
        print("\nF14 and back: agree_after=%.2fs cpu=%s" % (took, ["%.2fs" % cpu_seconds(pid) for pid in pids]))
