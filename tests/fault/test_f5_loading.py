# SPDX-License-Identifier: GPL-2.0-or-later
"""F5: Redis reads its file and says LOADING to everything. It is waited for, without a storm of tries."""
import threading
import time

from lib import faults
from lib.fakeredis import FakeNode
from lib.fleet import fleet, make_proxy, status, wait_banned
from lib.redis import Redis
from lib.wait import holds_for, wait_for

LOADING = Exception("LOADING Redis is loading the dataset in memory")
KEYS = 2500
SLOWLY = ["key-load-delay 1000", "loading-process-events-interval-bytes 1024"]  # hidden settings of its own tests


def shows_loading(node):
    return "LOADING" in status(node)["redis_last_error"]


def test_f5_a_real_one_that_loads():
    with Redis(password="of-the-test", config=["enable-debug-command local"]) as redis, fleet(2, redis) as (_, nodes):
        nodes[0].rpc("authban.ban", "127.25.1.1", 600)
        wait_banned(nodes, "127.25.1.1")
        redis.command("DEBUG", "POPULATE", KEYS)
        redis.command("SAVE")
        notes = faults.Notes(nodes)
        with faults.Load(nodes) as load:
            redis.kill()
            redis.config += SLOWLY
            loading = threading.Thread(target=redis.start)
            begin = time.monotonic()
            loading.start()
            for node in nodes:
                wait_for(lambda: shows_loading(node), 2, "LOADING is shown")
            for number, node in enumerate(nodes):
                faults.assert_local_ban(node, "127.25.1.%d" % (2 + number))
            loading.join()
            loaded = time.monotonic() - begin
            sources = ["127.25.1.%d" % number for number in (1, 2, 3)]
            took = faults.assert_converges(nodes, sources)
            faults.report("F5 loading", load, took, faults.lost(nodes, sources), notes, loaded_after="%.1fs" % loaded,
                          errors=[status(node)["redis_errors"] for node in nodes])


def test_f5_tries_are_few():
    """A fake that loads for ever: at most two tries a second, and it is not told of more than once."""
    with FakeNode(**{name: LOADING for name in ("SET", "GET", "XREVRANGE", "HGETALL")}) as fake, Redis() as nobody:
        url = "redis://:of-the-test@127.0.0.1:%d/0" % fake.port
        with make_proxy(nobody, 1, url=url) as node:
            wait_for(lambda: status(node)["redis_errors"] >= 4, 5, "it backs off")
            before, begin = fake.heard_of("ROLE"), time.monotonic()
            holds_for(lambda: shows_loading(node), 2.5, "the cause is shown", 0.1)
            rate = (fake.heard_of("ROLE") - before) / (time.monotonic() - begin)
            lines = len(node.log_lines(faults.AWAY))
            written = fake.heard_of("HSET")
            for name in list(fake.special):
                del fake.special[name]
            took = faults.assert_converges([node], [])
    print("\nF5 fake: tries=%.1f/s lines=%d connected_after=%.2fs" % (rate, lines, took))
    assert 0 < rate <= 2.5 and lines == 1 and written == 0
