# SPDX-License-Identifier: GPL-2.0-or-later
"""F9: Redis has no memory left and evicts nothing: OOM. Local bans go on, and all is told when there is room again."""
import pytest

from lib import faults
from lib.fleet import fleet, status
from lib.redis import RedisError
from lib.wait import wait_for


def test_f9_out_of_memory():
    with fleet(2) as (redis, nodes):
        for node in nodes:
            faults.fail(node, "127.29.2.1", 2)
        notes = faults.Notes(nodes)
        with faults.Load(nodes) as load:
            redis.command("CONFIG", "SET", "maxmemory", "100kb")
            with pytest.raises(RedisError, match="OOM"):
                redis.command("SET", "x", "y")
            nodes[0].rpc("authban.ban", "127.29.1.9", 600)  # alone in the batch that is refused
            faults.assert_shown(nodes[:1])
            sources = ["127.29.1.1", "127.29.1.2"]
            for node, source in zip(nodes, sources):
                faults.assert_local_ban(node, source)
            for node in nodes:
                wait_for(lambda: "OOM" in status(node)["redis_last_error"], 2, "the cause is shown")
            busy = faults.Busy(nodes)
            wait_for(lambda: status(nodes[0])["redis_errors"] >= 4, 5, "it tries again")
            share = busy.share()
            redis.command("CONFIG", "SET", "maxmemory", "0")
            sources.append("127.29.1.9")
            took = faults.assert_converges(nodes, sources)
            faults.report("F9 OOM", load, took, faults.lost(nodes, sources), notes, cpu_of_sync="%.1f%%" % (100 * share),
                          error=repr(status(nodes[0])["redis_last_error"]))
        # what was counted before still counts
        faults.fail(nodes[0], "127.29.2.1", 1)
        faults.assert_converges(nodes, ["127.29.2.1"])
    assert share < 0.2
