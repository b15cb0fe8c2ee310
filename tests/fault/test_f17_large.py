# SPDX-License-Identifier: GPL-2.0-or-later
"""F17: a table of the default size, nearly full, is read at the start and written while the proxies work."""
import time

import pytest

from lib import snapshot
from lib.fleet import make_proxy, wait_banned
from lib.hammer import Hammer
from lib.redis import Redis
from lib.traffic import Honest, percentile, spread
from lib.wait import wait_for

pytestmark = pytest.mark.alone  # seconds of a start, p99 of phones
BANS, FACTS = 200_000, 200_000
START = 3.0  # seconds for a start with a full table
LAG = 0.05  # seconds for a ban of one proxy to be known to the other while both write


def address(number):
    return "127.%d.%d.%d" % (100 + number // 65536, number // 256 % 256, number % 256)


def large(path):
    snapshot.write(path, snapshot.make(
        (snapshot.ban(address(number), 36000) for number in range(BANS)),
        ((number % 32768, 5, 0x1234500000 + number) for number in range(FACTS))))


def lags(nodes, count=200):
    """Seconds that a ban on one takes to the other, in turn, at any moment of the writing."""
    took = []
    for number in range(count):
        source = "127.60.%d.%d" % (number // 250, number % 250 + 1)
        begin = time.monotonic()
        nodes[number % 2].rpc("authban.ban", source, 600)
        wait_banned([nodes[1 - number % 2]], source, 2.0)
        took.append(time.monotonic() - begin)
        time.sleep(0.01)
    return took


def test_f17_a_full_table_without_redis(tmp_path):
    path = str(tmp_path / "authban.snapshot")
    large(path)
    node = snapshot.alone(path, memory=(256, 8))
    try:
        begin = time.monotonic()
        with Hammer(node, address(BANS - 1)) as hammer:
            node.start()
            took = time.monotonic() - begin
            wait_for(lambda: node.authban()["blocked"] > 20, 5, "drops")
        said = node.log_lines("facts loaded")[0].split("(): ")[1]
        with Honest([node]) as honest:
            answered, seconds = honest.run(300, 100)
        snapshot.wait_written(path)
        stopped = node.stop()
        node.start()
        after = node.authban()["banned"]
        print("\nF17 full table: started_after=%.2fs (%s) answers_to_the_banned=%d %s stopped_after=%.2fs bans_after=%d"
              % (took, said, hammer.heard, spread(seconds), stopped, after))
        assert took < START and hammer.heard == 0 and answered == 300
        assert percentile(seconds, 0.99) < 0.02
        assert stopped < 1.5 and after == BANS
    finally:
        node.close()


def test_f17_a_full_table_is_written_between_batches(tmp_path):
    """The sync process goes on with Redis while it writes, every second."""
    paths = [str(tmp_path / ("%d.snapshot" % number)) for number in (1, 2)]
    for path in paths:
        large(path)
    with Redis(password="of-the-test") as redis, \
            make_proxy(redis, 1, extra=snapshot.settings(paths[0]), key=False, memory=(256, 8)) as first, \
            make_proxy(redis, 2, extra=snapshot.settings(paths[1]), key=False, memory=(256, 8)) as second:
        nodes = [first, second]
        for node in nodes:
            assert node.authban()["banned"] == BANS
            wait_for(lambda: node.authban()["sync_lag_ms"] == 0, 30, "all is sent", 0.2)
        begun = time.time()
        took = lags(nodes)
        written = [snapshot.written_after(path, begun) for path in paths]
        print("\nF17 a full table is written: a ban is on the other proxy after %s, written=%s" % (spread(took), written))
        assert all(written) and percentile(took, 0.99) < LAG
