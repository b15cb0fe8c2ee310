# SPDX-License-Identifier: GPL-2.0-or-later
"""F6: the Redis that is named becomes a replica: READONLY, later MASTERDOWN. No count is lost."""
from lib import faults
from lib.fleet import banned, fleet, status, wait_banned
from lib.redis import RedisError
from lib.wait import wait_for

BEFORE, ACROSS = "127.26.1.1", "127.26.1.2"


def demote(redis):
    redis.command("REPLICAOF", "127.0.0.1", 1)
    try:
        redis.command("SET", "x", "y")
        return ""
    except RedisError as error:
        return str(error).split()[0]


def stop_reading(redis):
    redis.command("CONFIG", "SET", "replica-serve-stale-data", "no")
    try:
        redis.command("GET", "x")
        return ""
    except RedisError as error:
        return str(error).split()[0]


def one_more(nodes, source):
    """Guesses until the ban, after four in sum."""
    assert not any(banned(node, source) for node in nodes)
    faults.fail(nodes[0], source, 1)
    return wait_banned(nodes, source)


def test_f6_read_only_and_masterdown():
    with fleet(2) as (redis, nodes):
        for node in nodes:
            faults.fail(node, BEFORE, 2)
        faults.fail(nodes[0], ACROSS, 2)
        faults.wait_sent(nodes)
        notes = faults.Notes(nodes)
        with faults.Load(nodes) as load:
            says = demote(redis)
            shown = faults.assert_shown(nodes)
            faults.fail(nodes[1], ACROSS, 2)
            faults.assert_local_ban(nodes[0], "127.26.1.3")
            says += " " + stop_reading(redis)
            errors = status(nodes[1])["redis_errors"]
            wait_for(lambda: status(nodes[1])["redis_errors"] > errors, 3, "it tries again")
            why = status(nodes[1])["redis_last_error"]
            faults.assert_local_ban(nodes[1], "127.26.1.4")
            redis.command("REPLICAOF", "NO", "ONE")
            took = faults.assert_converges(nodes, ["127.26.1.3", "127.26.1.4"])
            faults.wait_sent(nodes)
            faults.report("F6 replica", load, took, faults.lost(nodes, ["127.26.1.3", "127.26.1.4"]), notes, says=repr(says),
                          shown_after="%.2fs" % shown, error=repr(why))
        sums = [one_more(nodes, source) for source in (BEFORE, ACROSS)]
        print("F6 counts: before=4 across=4, the fifth bans everywhere after %s"
              % " ".join("%.0fms" % (1e3 * seconds) for seconds in sums))
    assert says == "READONLY MASTERDOWN"
