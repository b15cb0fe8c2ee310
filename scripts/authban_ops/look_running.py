# SPDX-License-Identifier: GPL-2.0-or-later
"""Findings about the proxy that runs: what authban.status tells."""
from . import clean, number
from .finding import fail, ok, warn


def look_at_running(status, shm, config):
    """status: authban.status; shm: core.shmmem or {}; config: may be None."""
    yield from _mode(status)
    yield from _table(status)
    yield from _shm(shm)
    yield from _early(status, config)
    yield from _breaker(status)
    yield from _sync(status)


def _mode(status):
    mode = clean(status.get("mode", "?"), 20)
    if mode == "ban":
        yield ok("mode", "ban")
    else:
        yield warn("mode", "%s: nobody is blocked" % mode,
                   "when its log lines please you: kamcmd cfg.set_now_int authban mode 2, and ban in kamailio.cfg")


def _table(status):
    capacity, entries = number(status.get("capacity")), number(status.get("entries"))
    full = entries / max(capacity, 1)
    lost, refused = number(status.get("evicted_bans")), number(status.get("refused"))
    text = "%d of %d entries" % (entries, capacity)
    if lost or refused:
        yield fail("table", "%s; %d bans gave way to others and %d failures found no place" % (text, lost, refused),
                   "set a larger size, and -m with it")
    elif full > 0.8:
        yield warn("table", "%s (%d %%)" % (text, 100 * full), "set a larger size, and -m with it")
    elif number(status.get("lock_timeouts")):
        yield warn("table", "%d failures were not counted because a lock was not free in time"
                   % number(status.get("lock_timeouts")), "look for processes of Kamailio that were stopped or killed")
    else:
        yield ok("table", text)


def _shm(shm):
    total, free = number(shm.get("total")), number(shm.get("free"))
    if total and free < 0.1 * total:
        yield warn("shm", "only %d of %d MB of shared memory are free" % (free >> 20, total >> 20),
                   "start kamailio with a larger -m")
    elif total:
        yield ok("shm", "%d of %d MB of shared memory are free" % (free >> 20, total >> 20))


def _early(status, config):
    if config is not None and not number(status.get("early")) and config.number("authban", "early", 1) \
            and not config.loads("sipcapture"):
        yield warn("early", "another module took the place that sees datagrams before they are parsed",
                   "look at the log of the start; authban_check() in the script does the dropping")


def _breaker(status):
    if status.get("breaker") == "open":
        yield fail("breaker", "open since %d s: %d known-good sources failed at once, so nobody is banned"
                   % (number(status.get("breaker_age")), number(status.get("breaker_sources"))),
                   "look at the user database")
    else:
        yield ok("breaker", "closed")


def _sync(status):
    state, error = status.get("redis", "none"), clean(status.get("redis_last_error", ""), 160)
    lag, dropped = number(status.get("redis_lag_ms")), number(status.get("redis_dropped"))
    if state == "none":
        return
    if state != "connected":
        yield fail("sync", "not connected to Redis: %s" % (error or "no error is told"),
                   "look at the findings about redis; this proxy goes on alone meanwhile")
    elif lag > 2000:
        yield warn("sync", "news wait for %d ms, %d of them" % (lag, number(status.get("redis_pending"))),
                   "look at the load of Redis and the way to it")
    elif dropped:
        yield warn("sync", "%d records of Redis were refused" % dropped,
                   "use the same cluster key and version on every proxy, and look at who else writes to Redis")
    elif error:
        yield warn("sync", "connected; the last error was: %s" % error, "watch whether it comes again")
    else:
        yield ok("sync", "connected, lag %d ms" % lag)
