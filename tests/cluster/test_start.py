# SPDX-License-Identifier: GPL-2.0-or-later
"""F17 and the ways to name a Redis: what a proxy knows when it answers its first packet."""
import os
import time

import pytest

from lib.fleet import THRESHOLD, banned, fleet, make_proxy, status, wait_banned, wait_connected
from lib.hammer import Hammer
from lib.redis import Redis
from lib.traffic import RoundRobin, answers, silent
from lib.wait import wait_for
from proxies import write_secret

START = 3.0  # redis_start_timeout (2 s) and one more


def restart_under_fire(node, source, crash):
    """(answers that the banned source got, packets that were dropped)."""
    (node.kill if crash else node.stop)()
    with Hammer(node, source) as hammer:
        node.start()
        dropped = wait_for(lambda: node.authban()["blocked"] > 20 and node.authban()["blocked"], 5, "drops")
    assert answers(node, "127.5.1.99"), "it does serve others"
    return hammer.heard, dropped


def test_bans_are_there_before_the_first_packet():
    source, heard, dropped = "127.5.1.1", 0, 0
    with fleet(2) as (_, (first, second)):
        for number in range(500):
            first.rpc("authban.ban", "127.5.2.%d" % (number % 250 + 1), 600)
        first.rpc("authban.ban", source, 600)
        wait_banned([first, second], source)
        for turn in range(10):
            got, drops = restart_under_fire(second, source, crash=turn % 2)
            heard, dropped = heard + got, dropped + drops
        assert len(second.rpc("authban.list", 1000)) == 251
    print("\nF17 restarts=10 (5 killed): answers_to_the_banned=%d dropped=%d bans_after=251" % (heard, dropped))
    assert heard == 0


def test_control_without_redis_a_restart_forgets():
    """The watcher has eyes: a proxy that stands alone answers the banned source after a restart."""
    with Redis() as redis, make_proxy(redis, 1, url="") as node:
        node.rpc("authban.ban", "127.5.1.1", 600)
        node.stop()
        with Hammer(node, "127.5.1.1") as hammer:
            node.start()
            wait_for(lambda: hammer.heard, 3, "it answers")
    print("\nF17 control alone: answers_to_the_banned=%d" % hammer.heard)
    assert hammer.heard > 0


@pytest.mark.parametrize("fault", ["dead", "hung"])
def test_a_start_without_redis_waits_not_long(fault):
    with Redis(password="of-the-test") as redis, make_proxy(redis, 0) as control:
        control.rpc("authban.ban", "127.5.3.9", 600)
        (redis.kill if fault == "dead" else redis.pause)()
        node = make_proxy(redis, 1)
        begin = time.monotonic()
        try:
            node.start()
            took = time.monotonic() - begin
            with RoundRobin([node], "127.5.3.1") as attacker:
                evaluated = attacker.send(20)
            assert banned(node, "127.5.3.1")
            (redis.start if fault == "dead" else redis.resume)()
            back = wait_connected(node, 2.0) + wait_banned([node], "127.5.3.9", 2.0)
            wait_banned([control], "127.5.3.1", 2.0)
            node.stop()
        finally:
            node.close()
    print("\nF17 start, redis %s: started_after=%.2fs limit=%.0fs evaluated=%d joined_after=%.2fs"
          % (fault, took, START, evaluated, back))
    assert took <= START + 1 and evaluated == THRESHOLD


def round_robin_works(nodes, source):
    with RoundRobin(nodes, source) as attacker:
        evaluated = attacker.send(60)
    wait_banned(nodes, source)
    assert all(silent(node, source) for node in nodes)
    assert THRESHOLD <= evaluated <= THRESHOLD + 5
    return evaluated


def test_without_a_key_on_loopback():
    with fleet(2, key=False) as (_, nodes):
        print("\nstart without cluster_key: evaluated=%d" % round_robin_works(nodes, "127.5.4.1"))


def test_a_key_and_no_key_do_not_mix():
    """Unsigned records are nothing to those who have a key, and the other way round."""
    with Redis(password="of-the-test") as redis, make_proxy(redis, 1) as signed, \
            make_proxy(redis, 2, key=False) as unsigned:
        unsigned.rpc("authban.ban", "127.5.4.2", 600)
        signed.rpc("authban.ban", "127.5.4.3", 600)
        wait_for(lambda: status(signed)["redis_dropped"] and status(unsigned)["redis_dropped"], 2, "both drop")
        assert not banned(signed, "127.5.4.2") and not banned(unsigned, "127.5.4.3")
        assert banned(signed, "127.5.4.3") and banned(unsigned, "127.5.4.2")


def test_unix_socket():
    with Redis() as redis, fleet(2, redis=redis, url=redis.unix_url) as (_, nodes):
        print("\nstart unix socket: evaluated=%d server=%s"
              % (round_robin_works(nodes, "127.5.4.4"), os.path.basename(status(nodes[0])["redis_server"])))


def test_unix_socket_with_password_and_database():
    with Redis(password="of-the-test") as redis:
        url = "redis+unix://:of-the-test@%s?db=3" % redis.socket_path
        with fleet(2, redis=redis, url=url) as (_, nodes):
            round_robin_works(nodes, "127.5.4.5")
            assert "of-the-test" not in str(status(nodes[0])) + nodes[0].log()
        with redis.client() as client:
            assert client("DBSIZE") == 0 and client("SELECT", 3) == "OK" and client("DBSIZE") > 0


def test_password_file(tmp_path):
    path = write_secret(str(tmp_path / "redis-password"), "of-the-test\n")
    with Redis(password="of-the-test") as redis:
        url = "redis://%s:%d/0" % (redis.host, redis.port)
        with fleet(2, redis=redis, url=url, defines={"AB_REDIS_PASSWORD_FILE": path}) as (_, nodes):
            print("\nstart password file: evaluated=%d" % round_robin_works(nodes, "127.5.4.6"))


def test_two_clusters_in_one_redis_know_nothing_of_each_other():
    prefix = 'modparam("authban", "redis_prefix", "other")'
    with Redis(password="of-the-test") as redis, make_proxy(redis, 1) as one, \
            make_proxy(redis, 2, extra=prefix) as other, make_proxy(redis, 3, extra=prefix) as third:
        other.rpc("authban.ban", "127.5.4.7", 600)
        wait_banned([third], "127.5.4.7")
        assert status(other)["redis_prefix"] == "other"
        assert not banned(one, "127.5.4.7") and status(one)["redis_dropped"] == 0


@pytest.mark.parametrize("url,sentence", [
    ("redis://192.0.2.1:6379/0", "without a password"),
    ("http://127.0.0.1/", "not a URL"),
    ("redis://127.0.0.1:99999/0", "not a URL"),
    ("rediss://127.0.0.1:6379/0", "TLS")])
def test_urls_that_are_refused_with_a_sentence(url, sentence):
    with Redis() as redis:
        node = make_proxy(redis, 1, url=url)
        try:
            assert sentence in node.refuses_to_start()
        finally:
            node.close()


def test_a_remote_redis_without_a_key_is_refused():
    with Redis() as redis:
        node = make_proxy(redis, 1, key=False, url="redis://:a-password@192.0.2.1:6379/0")
        try:
            log = node.refuses_to_start()
            assert "no cluster_key" in log and "a-password" not in log
        finally:
            node.close()
