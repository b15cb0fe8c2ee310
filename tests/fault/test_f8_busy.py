# SPDX-License-Identifier: GPL-2.0-or-later
"""F8: somebody's script keeps Redis: first it is silent, then it says BUSY. We wait, and never kill the script."""
import time

from lib import faults
from lib.fleet import fleet, status, wait_banned
from lib.redis import Redis
from lib.wait import holds_for, wait_for

THRESHOLD_MS = 1500  # Redis's own is 5000


def test_f8_busy():
    with Redis(password="of-the-test", config=["busy-reply-threshold %d" % THRESHOLD_MS]) as redis, \
            fleet(2, redis) as (_, nodes), redis.client() as somebody, redis.client() as operator:
        nodes[0].rpc("authban.ban", "127.28.1.9", 600)
        wait_banned(nodes, "127.28.1.9")
        operator("CONFIG", "RESETSTAT")
        notes = faults.Notes(nodes)
        with faults.Load(nodes) as load:
            begin = time.monotonic()
            somebody.send("EVAL", "while true do end", 0)
            shown = faults.assert_shown(nodes)
            for number, node in enumerate(nodes):
                faults.assert_local_ban(node, "127.28.1.%d" % (1 + number))
                wait_for(lambda: "BUSY" in status(node)["redis_last_error"], 5, "BUSY is shown")
            said = time.monotonic() - begin
            busy = faults.Busy(nodes)
            holds_for(lambda: status(nodes[0])["redis"] == "disconnected", 1.0, "the script runs on")
            share = busy.share()
            operator("SCRIPT", "KILL")
            sources = ["127.28.1.%d" % number for number in (1, 2, 9)]
            took = faults.assert_converges(nodes, sources)
            kills = [line for line in operator("INFO", "commandstats").splitlines() if "script|kill" in line]
            faults.report("F8 BUSY", load, took, faults.lost(nodes, sources), notes, shown_after="%.2fs" % shown,
                          busy_after="%.1fs" % said, cpu_of_sync="%.1f%%" % (100 * share))
    # the one is the test's own
    assert len(kills) == 1 and "calls=1," in kills[0]
    assert share < 0.2
