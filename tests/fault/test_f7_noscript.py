# SPDX-License-Identifier: GPL-2.0-or-later
"""F7: SCRIPT FLUSH again and again. There is no script of ours that could get lost."""
import threading

from lib import faults
from lib.fleet import THRESHOLD, fleet, status, wait_banned
from lib.traffic import RoundRobin, failures, paced

SOURCES = ["127.27.%d.1" % number for number in range(1, 4)]


def flush(redis, ending, counts):
    """10 a second."""
    with redis.client() as client:
        for _ in paced(1000, 10):
            if ending.is_set():
                return
            client("SCRIPT", "FLUSH", "SYNC")
            counts.append(1)


def test_f7_script_flush_in_a_loop():
    ending, counts = threading.Event(), []
    with fleet(2) as (redis, nodes):
        redis.command("CONFIG", "RESETSTAT")
        with faults.Load(nodes) as load:
            flusher = threading.Thread(target=flush, args=(redis, ending, counts))
            flusher.start()
            try:
                evaluated, took = [], []
                for number, source in enumerate(SOURCES):
                    with RoundRobin(nodes, source, "user-%d" % number, judged=failures) as attacker:
                        evaluated.append(attacker.send(100))
                    took.append(wait_banned(nodes, source))
            finally:
                ending.set()
                flusher.join()
            called = [line.split(":")[0] for line in redis.command("INFO", "commandstats").splitlines()
                      if "eval" in line or "script" in line or "fcall" in line]
            errors = [status(node)["redis_errors"] for node in nodes]
            faults.report("F7 SCRIPT FLUSH", load, max(took), faults.lost(nodes, SOURCES), flushes=len(counts),
                          evaluated=evaluated, errors=errors, script_commands=called)
    assert len(counts) >= 10 and errors == [0, 0] and max(evaluated) <= THRESHOLD + 5
    assert called == ["cmdstat_script|flush"]
