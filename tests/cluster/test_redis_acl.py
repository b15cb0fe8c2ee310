# SPDX-License-Identifier: GPL-2.0-or-later
"""etc/redis-users.acl: enough for everything that authban does, and not more."""
import pytest

from lib import acl
from lib.fleet import THRESHOLD, fleet, make_proxy, state, status, wait_banned, wait_connected, wait_lifted
from lib.redis import RedisError
from lib.sip import Phone
from lib.traffic import RoundRobin
from lib.wait import holds_for, wait_for


@pytest.fixture
def redis():
    with acl.redis_with_users() as server:
        yield server


def used_commands(redis):
    """What authban's user has called, as Redis counted it."""
    lines = redis.command("INFO", "commandstats").splitlines()
    return {line.split(":")[0][len("cmdstat_"):] for line in lines if line.startswith("cmdstat_")}


def whole_life(nodes, redis):
    """Counting, bans, unbans, a login, and the deletion of what is over."""
    with Phone("bob", "bob-secret", nodes[0].target, source="127.3.1.7") as phone:
        phone.register()
    with RoundRobin(nodes, "127.3.1.1") as attacker:
        evaluated = attacker.send(150)
    wait_banned(nodes, "127.3.1.1")
    nodes[0].rpc("authban.ban", "127.3.1.2", 1, "short")
    nodes[1].rpc("authban.unban", "127.3.1.1")
    wait_lifted(nodes, "127.3.1.1")
    nodes[0].rpc("authban.ban", "127.3.1.3", 600)
    wait_banned(nodes, "127.3.1.3")
    wait_ended(nodes[0], "127.3.1.2")
    return evaluated


def wait_ended(node, source):
    """The ban is over for two windows of 1 s, and a second more: records end later than the ban."""
    wait_for(lambda: state(node, source) != "banned", 4, "the short ban ends")
    holds_for(lambda: state(node, source) != "banned", 3.2, "it is over")


def test_the_whole_life_under_the_narrow_user(redis):
    redis.command("CONFIG", "RESETSTAT")
    with fleet(2, redis=redis, url=acl.url_of(redis)) as (_, nodes):
        evaluated = whole_life(nodes, redis)
        # what is over for two windows is deleted by whoever loads it: here after 2 s
        with make_proxy(redis, 3, url=acl.url_of(redis), defines={"AB_WINDOW": 1}) as late:
            wait_connected(late)
            assert state(late, "127.3.1.3") == "banned"
            assert status(late)["redis_errors"] == 0
        assert all(status(node)["redis_errors"] == 0 for node in nodes)
        wait_for(lambda: "exists" in used_commands(redis), 6, "somebody has looked whether the map is there")
        refused = redis.command("ACL", "LOG")
        used = used_commands(redis)
    print("\nACL: evaluated=%d acl_log=%d commands=%s" % (evaluated, len(refused), ",".join(sorted(acl.commands()))))
    assert THRESHOLD <= evaluated <= THRESHOLD + 5
    assert refused == []
    assert set(acl.commands()) <= used, "a command that is allowed but not used: %s" % (set(acl.commands()) - used)


@pytest.mark.parametrize("left_out", acl.commands())
def test_no_command_is_superfluous(redis, left_out):
    """Without any one of them Redis refuses something that authban does."""
    redis.command("ACL", "SETUSER", acl.USER, "-" + left_out)
    nodes = [make_proxy(redis, number, url=acl.url_of(redis), defines={"AB_WINDOW": 1}) for number in (1, 2)]
    try:
        nodes[0].start()
        begin_of_a_life(nodes, left_out == "hdel")
        entry = wait_for(lambda: redis.command("ACL", "LOG"), 6, "Redis refuses " + left_out)[0]
        assert left_out in dict(zip(entry[::2], entry[1::2]))["object"]
    finally:
        for node in nodes:
            node.close()


def begin_of_a_life(nodes, with_an_old_ban):
    """Enough to call every command once: one failure, one login, one ban, a second start (HDEL: after its end)."""
    with Phone("bob", "bob-secret", nodes[0].target, source="127.3.1.7") as phone:
        phone.register()
    with RoundRobin(nodes[:1], "127.3.1.9") as attacker:
        attacker.send(1)
    nodes[0].rpc("authban.ban", "127.3.1.8", 1)
    if with_an_old_ban:
        wait_ended(nodes[0], "127.3.1.8")
    nodes[1].start()


@pytest.mark.parametrize("words", [
    ("KEYS", "*"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("EVAL", "return 1", "0"), ("GET", "other"),
    ("DEL", "{authban:0}:log"), ("SET", "{authban:1}:mark", "x"), ("HSET", "{authban:1}:b:1", "x", "y"),
    ("HSET", "{authban:1x}:c:1.2:3", "x", "y"), ("RPUSH", "{authban:1x}:g:1", "x"),
    ("RPUSH", "other", "x"), ("LPOP", "{authban:0}:g:1"), ("CLUSTER", "NODES"), ("CLUSTER", "RESET"), ("PUBLISH", "x", "y"), ("ACL", "LIST")])
def test_the_user_can_do_nothing_else(redis, words):
    with redis.client(acl.SECRET, acl.USER) as client, pytest.raises(RedisError, match="NOPERM"):
        client(*words)


def test_nobody_logs_in_before_a_password_is_set():
    with open(acl.FILE, encoding="ascii") as text:
        line = next(line.strip() for line in text if line.startswith("user "))
    server = acl.Redis(password="of-the-test", config=[line])
    with server as redis:
        for secret in ("resetpass", "x"):
            with pytest.raises(RedisError, match="WRONGPASS"):
                redis.client(secret, acl.USER).close()


def test_a_wrong_password_is_tried_seldom_and_never_shown(redis):
    with make_proxy(redis, 1, url=acl.url_of(redis, "not-the-secret")) as node:
        shown = wait_for(lambda: status(node)["redis_last_error"], 2, "the error is shown")
        wait_for(lambda: node.log_lines("Redis at .* away"), 2, "a line in the log")
        assert "WRONGPASS" in shown and "not-the-secret" not in shown + node.log()
        with RoundRobin([node], "127.3.1.5") as attacker:
            assert attacker.send(20) == THRESHOLD
        tried = sum(dict(zip(entry[::2], entry[1::2]))["count"] for entry in redis.command("ACL", "LOG"))
    print("\nF11 WRONGPASS: logins_tried=%d evaluated=%d error=%r" % (tried, THRESHOLD, shown))
    assert 1 <= tried <= 2
