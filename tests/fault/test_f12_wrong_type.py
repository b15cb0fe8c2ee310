# SPDX-License-Identifier: GPL-2.0-or-later
"""F12: a key of another type lies where ours belongs: it is named, counted and left alone, the others work on, and
when it goes away all is told again. Too many clients, and numbers where none belong."""
import concurrent.futures
import contextlib
import time

from lib import credit, faults, wire
from lib.fleet import banned, cpu_seconds, fleet, make_proxy, pid_of, status, wait_banned, wait_connected
from lib.sip import Phone
from lib.traffic import Honest, RoundRobin
from lib.wait import wait_for

OLD, NEW, OTHER = "127.10.1.1", "127.10.1.2", "127.10.1.3"
HUGE = "9223372036854775807"
# key -> the kind of key, and the seconds after which a ban of one proxy is on the other in spite of it
PLACES = {"log": (wire.LOG, 6.0), "mark": (wire.MARK, 0.5), "map": (wire.map_key(NEW), 0.5)}


def put_strings(redis, keys):
    with redis.client() as client:
        for key in keys:
            client("DEL", key)
            client("LPUSH" if key == wire.MARK else "SET", key, HUGE)


def delete(redis, keys):
    with redis.client() as client:
        for key in keys:
            client("DEL", key)


def cpu_under_load(nodes):
    """Share of a processor that the sync processes take while phones register for 2 s."""
    pids = [pid_of(node, "authban sync") for node in nodes]
    before = sum(map(cpu_seconds, pids))
    with Honest(nodes) as honest:
        answered, took = honest.run(200, 100)
    assert answered == 200
    return (sum(map(cpu_seconds, pids)) - before) / max(2.0, sum(took)) / len(pids)


def bad_keys(node):
    return status(node)["redis_bad_keys"]


def assert_quarantined(nodes, key, timeout=7.0):
    """Named and counted, and no reason to be disconnected."""
    for node in nodes:
        wait_for(lambda: bad_keys(node), timeout, "it is seen")
        row = status(node)
        assert key in row["redis_last_error"] and "WRONGTYPE" in row["redis_last_error"]
        assert row["redis_errors_wrongtype"] > 0
        assert row["redis"] == "connected" and row["redis_errors"] == 0


def assert_all_known(redis, nodes, sources):
    """Of all proxies and of one that starts now: bans that are missing."""
    with make_proxy(redis, 9) as late:
        return [(node.node, source) for node in [*nodes, late] for source in sources if not banned(node, source)]


def story(place):
    """One key is bad, another ban is made, the key is deleted; the figures."""
    key, within = PLACES[place]
    with fleet(2) as (redis, nodes):
        nodes[0].rpc("authban.ban", OLD, 600)
        wait_banned(nodes, OLD)
        put_strings(redis, [key])
        faults.assert_local_ban(nodes[0], NEW)
        told = wait_banned(nodes, NEW, within)
        assert_quarantined(nodes if place != "map" else nodes[:1], key)
        with make_proxy(redis, 3) as late:
            wait_connected(late, 1.0)
            faults.assert_local_ban(late, OTHER)
            assert banned(late, OLD) and banned(late, NEW) == (place != "map")
        begin = time.monotonic()
        delete(redis, [key])
        for node in nodes:
            wait_for(lambda: bad_keys(node) == 0, 3, "it is used again")
        faults.assert_converges(nodes, [OLD, NEW], 2.0)
        took = time.monotonic() - begin
        lost = assert_all_known(redis, nodes, [OLD, NEW])
        lines = [len(node.log_lines("something else where a key")) for node in nodes]
        return told, took, lost, lines


def test_f12_wrong_type():
    with concurrent.futures.ThreadPoolExecutor(len(PLACES) + 1) as pool:
        stories = {place: pool.submit(story, place) for place in PLACES}
        facts = pool.submit(facts_story)
    for place, job in stories.items():
        told, took, lost, lines = job.result()
        print("\nF12 %s: ban of one proxy on the other after %.2fs; key deleted: all agree after %.2fs; bans lost %d;"
              " lines %s" % (place, told, took, len(lost), lines))
        assert not lost and max(lines) == 1
    facts.result()
    print("\nF12 known-good: left alone, bans went on, told again")


def test_f12_the_whole_map():
    """All 256 buckets: more keys than are asked for."""
    keys = ["{authban:0}:b:%d" % bucket for bucket in range(256)]
    with fleet(2) as (redis, nodes):
        put_strings(redis, keys)
        sources = ["127.10.4.%d" % number for number in range(1, 41)]
        for number, source in enumerate(sources):
            nodes[number % 2].rpc("authban.ban", source, 600)
        for source in sources:
            wait_banned(nodes, source)
        busy = cpu_under_load(nodes)
        shown = [bad_keys(node) for node in nodes]
        delete(redis, keys)
        begin = time.monotonic()
        for node in nodes:
            wait_for(lambda: bad_keys(node) == 0, 3, "all are used again")
        took = time.monotonic() - begin
        wait_for(lambda: sum(redis.command("HLEN", key) for key in keys) == len(sources), 2, "the map is whole")
        lost = assert_all_known(redis, nodes, sources)
        print("\nF12 the whole map: asked for %s keys, cpu_of_sync=%.1f%%, used again after %.2fs, bans lost %d of %d" % (
            shown, 100 * busy, took, len(lost), len(sources)))
        assert not lost and busy < 0.2 and max(shown) == 16


def facts_story():
    """A list of known-good facts."""
    with fleet(2) as (redis, nodes):
        put_strings(redis, [credit.key_of()])

        def register():
            with Phone("bob", "bob-secret", nodes[0].target, source=OLD) as phone:
                return phone.register().status

        assert register() == 200
        assert_quarantined(nodes[:1], credit.key_of(), 2)
        faults.assert_local_ban(nodes[0], NEW)
        wait_banned(nodes, NEW, 0.5)
        delete(redis, [credit.key_of()])
        wait_for(lambda: bad_keys(nodes[0]) == 0, 3, "it is used again")
        time.sleep(1.1)  # what is told in the second of the loss may be told once more
        assert register() == 200
        wait_for(lambda: status(nodes[1])["facts_heard"] == 2, 2, "the next login tells it again")


def test_f12_numbers_and_rubbish_in_our_hashes():
    """Values that no proxy wrote are dropped and counted; no command of ours reads a number from a key."""
    with fleet(2) as (redis, nodes):
        field = wire.place(NEW)
        with RoundRobin(nodes[:1], NEW) as attacker:
            attacker.send(1)
        wait_for(lambda: bucket_keys(redis, NEW), 1, "its bucket")
        rubbish = [HUGE, "-1", "not an integer", "", "1e400"]
        for key in bucket_keys(redis, NEW) + [wire.map_key(NEW)]:
            for number, value in enumerate(rubbish):
                redis.command("HSET", key, field + b"node-bo%d." % number, value)
        with RoundRobin(nodes, NEW) as attacker:
            evaluated = 1 + attacker.send(20)
        wait_banned(nodes, NEW)
        with make_proxy(redis, 3) as late:
            missing = not banned(late, NEW)
            dropped = [status(node)["redis_dropped"] for node in (*nodes, late)]
        used = redis.command("INFO", "commandstats")
        print("\nF12 rubbish: evaluated=%d dropped=%s" % (evaluated, dropped))
        assert evaluated <= 10 and min(dropped) >= len(rubbish) and not missing
        assert "cmdstat_incr" not in used and "incrby" not in used
        assert all(status(node)["redis_errors"] == 0 for node in nodes)


def test_f12_maxclients():
    """Redis has no connection left for us: it is named, tried again soon, and over as soon as there is one."""
    with fleet(2) as (redis, nodes), contextlib.ExitStack() as stack:
        nodes[0].rpc("authban.ban", OLD, 600)
        wait_banned(nodes, OLD)
        control = stack.enter_context(redis.client())
        control("CONFIG", "SET", "maxclients", 1)
        control("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for node in nodes:
            wait_for(lambda: status(node)["redis_errors_maxclients"] > 1, 3, "it is named")
        shown = status(nodes[0])["redis_last_error"]
        faults.assert_local_ban(nodes[0], NEW)
        control("CONFIG", "SET", "maxclients", 1000)
        took = faults.assert_converges(nodes, [OLD, NEW])
        tries = [status(node)["redis_errors"] for node in nodes]
        print("\nF12 maxclients: agree_after=%.2fs tries=%s shown=%r" % (took, tries, shown))
        assert "max number of clients" in shown and took <= 2.0
        faults.assert_no_secret(nodes)


def test_a_bucket_of_counts_of_the_wrong_type():
    """Only its sources lose the cluster's sum; each proxy still counts for itself, the others are as ever."""
    with fleet(2) as (redis, nodes):
        with RoundRobin(nodes[:1], "127.10.2.1") as attacker:
            attacker.send(1)
        wait_for(lambda: bucket_keys(redis, "127.10.2.1"), 1, "its bucket")
        put_strings(redis, bucket_keys(redis, "127.10.2.1"))
        with RoundRobin(nodes, "127.10.2.1") as attacker:
            evaluated = attacker.send(40)
        with RoundRobin(nodes, "127.10.2.2") as attacker:
            other = attacker.send(40)
        wait_banned(nodes, "127.10.2.1")
        wait_banned(nodes, "127.10.2.2")
        counts = [status(node)["redis_dropped"] for node in nodes]
        print("\nF12 counts: evaluated=%d limit=10 other_source=%d dropped=%s" % (evaluated + 1, other, counts))
        assert evaluated + 1 <= 2 * 5 and other <= 5 + 5 and min(counts) > 0
        for node in nodes:
            wait_connected(node, 0.5)
        assert_quarantined(nodes, "{authban:0}:c:")
        delete(redis, bucket_keys(redis, "127.10.2.1"))
        for node in nodes:
            wait_for(lambda: bad_keys(node) == 0, 3, "it is used again")
        wait_for(lambda: bucket_keys(redis, "127.10.2.1"), 2, "the shares are told again")


def bucket_keys(redis, source):
    with redis.client() as client:
        return client("KEYS", "{authban:0}:c:*:%d" % wire.count_bucket(source))
