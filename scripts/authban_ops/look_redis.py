# SPDX-License-Identifier: GPL-2.0-or-later
"""Findings about Redis: reached, master, with which rights, and its clock. Nothing in it is changed.

Each command that the module needs is tried on a key that does not exist and so changes nothing; HSET alone
makes one, for a second. No line has the password.
"""
import time

from . import Problem, clean
from .finding import fail, ok, warn
from .resp import Refused, parse_url
from .servers import log_in, reach

CLOCK_WARN, CLOCK_FAIL = 1.0, 30.0


def look_at_redis(config):
    text = config.param("authban", "redis")
    if not text:
        yield ok("redis", "none: this proxy stands alone")
        return
    prefix = config.param("authban", "redis_prefix", "authban")
    try:
        url = parse_url(text)
        password = url.password or _password(config)
        client, findings = reach(url, password, config.param("authban", "redis_tls_ca"), prefix)
    except Problem as problem:
        yield fail("redis", str(problem), "look at the parameter redis, and whether Redis runs there")
        return
    yield from findings
    if client:
        with client:
            yield from _look_inside(client, url, password, prefix)


def _password(config):
    path = config.param("authban", "redis_password_file")
    if not path:
        return ""
    try:
        with open(path, encoding="utf-8", errors="replace") as text:
            return text.read().strip()
    except OSError as error:
        raise Problem("cannot read %s: %s" % (clean(path), error.strerror)) from None


def _look_inside(client, url, password, prefix):
    try:
        log_in(client, url.user, password)
        if url.db:
            client("SELECT", url.db)
        role = client("ROLE")
    except Problem as problem:
        yield fail("redis", "%s: %s" % (client.name, problem), "look at user and password in redis or"
                   " redis_password_file, and at its ACL (etc/redis-users.acl)")
        return
    role = role[0] if isinstance(role, list) and role else "?"
    if role != "master":
        yield fail("redis", "%s is a %s, which cannot be written to" % (client.name, clean(role, 20)),
                   "name the master, or its sentinels (redis+sentinel://)")
        return
    yield ok("redis", "%s answers and is a master" % client.name)
    yield from _look_at_rights(client, url, prefix)
    yield from _look_at_clock(client)


def _trials(prefix):
    node = "{%s:0}:" % prefix
    counts, bans, log, mark = node + "c:doctor", node + "b:doctor", node + "log", node + "mark"
    return [("GET", mark), ("SET", counts + ":none", "0", "XX"), ("EXPIRE", counts, "1"), ("HSCAN", counts, "0", "COUNT", "1"),
            ("HGETALL", bans), ("HDEL", bans, "none"), ("XREVRANGE", log, "+", "-", "COUNT", "1"),
            ("XREAD", "COUNT", "1", "STREAMS", log, "$"), ("XADD", log, "0-0", "doctor", "0"),
            ("HSET", counts, "doctor", "0"), ("EXPIRE", counts, "1")]


def _refusal(client, words):
    """Why a command is refused; "" when it is not. An id of 0-0 is wrong and so adds nothing."""
    try:
        client(*words)
    except Refused as refused:
        text = str(refused)
        return "" if words[0] == "XADD" and "0-0" in text or text.startswith("MOVED") else text
    return ""


def _look_at_rights(client, url, prefix):
    refused, others = [], []
    for words in _trials(prefix):
        if words[0] == "HSET" and "EXPIRE" in refused:
            continue
        text = _refusal(client, words)
        if text.startswith("NOPERM") and words[0] not in refused:
            refused.append(words[0])
        elif text and not text.startswith("NOPERM"):
            others.append("%s: %s" % (words[0], text))
    who = clean(url.user or "default", 40)
    if refused:
        yield fail("rights", "Redis's user %s may not %s with the keys of %s" % (who, " ".join(refused), clean(prefix)),
                   "give it the line of etc/redis-users.acl, with your redis_prefix")
    elif others:
        yield fail("rights", others[0], "look at Redis: memory, disk, and who else writes there")
    elif not _refusal(client, ("CONFIG", "GET", "maxmemory")):
        yield warn("rights", "Redis's user %s may do everything there" % who,
                   "give authban a user of its own (etc/redis-users.acl)")
    else:
        yield ok("rights", "Redis's user %s may do what authban does, and no more" % who)


def _look_at_clock(client):
    before = time.time()
    told = client("TIME")
    here = (before + time.time()) / 2
    offset = here - (int(told[0]) + int(told[1]) / 1e6)
    text = "this machine is %+.3f s from Redis" % offset
    if abs(offset) > CLOCK_FAIL:
        yield fail("clock", text, "run an NTP client on both")
    elif abs(offset) > CLOCK_WARN:
        yield warn("clock", text, "run an NTP client on both")
    else:
        yield ok("clock", text)
