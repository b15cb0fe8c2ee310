# SPDX-License-Identifier: GPL-2.0-or-later
"""What authban-top shows: asked of one proxy, and laid out as lines of plain text."""
import collections
import time

from . import clean, number

BANS_MAX, TOP_MAX = 300, 10
RATES = ("failures", "blocked", "checked", "successes", "bans")
# keys of the rows, and how the bans and the worst sources are sorted by each
SORTS = ("ttl", "failures", "blocked", "users", "source")
_ORDER = {"failures": "failures", "users": "users", "blocked": "blocked"}

Shot = collections.namedtuple("Shot", "at counters status bans top networks users")


def take(proxy, sort="ttl"):
    """Asks for everything once."""
    counters = {name: number(value) for name, value in proxy.rows("cnt.grp_get_all", "authban")[0].items()}
    return Shot(time.monotonic(), counters, proxy.rows("authban.status")[0],
                proxy.rows("authban.list", BANS_MAX), proxy.rows("authban.top", TOP_MAX, _ORDER.get(sort, "failures")),
                proxy.rows("authban.networks", TOP_MAX), proxy.rows("authban.users", TOP_MAX))


def rates(before, now):
    """{name: a second}; nothing without a shot before, or after authban.reset."""
    seconds = now.at - before.at if before else 0
    return {name: max(now.counters.get(name, 0) - before.counters.get(name, 0), 0) / seconds if seconds > 0 else 0.0
            for name in RATES}


def sorted_bans(shot, sort):
    if sort == "source":
        return sorted(shot.bans, key=lambda row: str(row.get("source", "")))
    return sorted(shot.bans, key=lambda row: (-number(row.get(sort)), str(row.get("source", ""))))


def countdown(seconds):
    """1:02:03, 9:59, 0:07"""
    seconds = max(number(seconds), 0)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return "%d:%02d:%02d" % (hours, minutes, seconds % 60) if hours else "%d:%02d" % (minutes, seconds % 60)


class Column:
    """Width 0: what is left of the line. right: numbers."""

    def __init__(self, title, key, width, right=False, show=str):
        self.title, self.key, self.width, self.right, self.show = title, key, width, right, show

    def cell(self, row, width):
        text = clean(self.show(row.get(self.key, "")), width)
        return text.rjust(width) if self.right else text.ljust(width)


def table(columns, rows, width):
    """Lines: a head and one of each row, none longer than width."""
    rest = max(width - sum(column.width + 1 for column in columns), 8)
    sizes = [column.width or rest for column in columns]

    def line(cells):
        return " ".join(cells)[:width].rstrip()
    head = line(column.title.rjust(size) if column.right else column.title.ljust(size)
                for column, size in zip(columns, sizes))
    return [head] + [line(column.cell(row, size) for column, size in zip(columns, sizes)) for row in rows]


_BANS = [Column("source", "source", 24), Column("reason", "reason", 14), Column("left", "ttl", 9, True, countdown),
         Column("fail", "failures", 6, True), Column("users", "users", 5, True),
         Column("blocked", "blocked", 9, True), Column("origin", "origin", 0)]
_TOP = [Column("source", "source", 24), Column("state", "state", 14), Column("left", "ttl", 9, True, countdown),
        Column("fail", "failures", 6, True), Column("users", "users", 5, True),
        Column("blocked", "blocked", 9, True), Column("reason", "reason", 0)]


def _crowd(title, key):
    return [Column(title, key, 24), Column("level", "level", 14), Column("left", "ttl", 9, True, countdown),
            Column("fail", "failures", 6, True), Column("srcs", "sources", 5, True), Column("why", "why", 0)]


def head(shot, before, width):
    """Three lines: who and what, rates, the cluster."""
    status, each = shot.status, rates(before, shot)

    def of(name):
        return clean(status.get(name, "?"), 40)
    first = "authban %s  mode %s  proof %s  entries %s/%s  bans %d  breaker %s" % (
        of("node"), of("mode"), of("proof"), of("entries"), of("capacity"),
        number(status.get("banned")) + number(status.get("dry_run")), of("breaker"))
    second = "a second: " + "  ".join("%s %.1f" % (name, each[name]) for name in RATES)
    third = "redis %s" % of("redis")
    if status.get("redis") not in (None, "none"):
        third += " %s %s  lag %s ms  pending %s  errors %s" % (
            of("redis_server"), of("redis_role"), of("redis_lag_ms"), of("redis_pending"), of("redis_errors"))
        if status.get("redis_last_error"):
            third += "  last: " + of("redis_last_error")
    return [line[:width] for line in (first, second, third)]


def crowds(rows):
    """Networks or users that more than one source failed in, or on."""
    return [row for row in rows if row.get("level") != "none" or number(row.get("sources")) > 1]


def section(title, columns, rows, width):
    """[] when there is nothing to tell."""
    return ["", title, *table(columns, rows, width)] if rows else []


def frame(shot, before, width=100, sort="ttl", rows=BANS_MAX):
    """(lines, numbers of the lines of the bans, the bans in that order). rows: of bans, at most."""
    bans = sorted_bans(shot, sort)[:max(rows, 0)]
    more = max(len(shot.bans), number(shot.status.get("banned")) + number(shot.status.get("dry_run"))) - len(bans)
    lines = head(shot, before, width)
    lines += ["", "BANS by %s%s" % (sort, ", %d more" % more if more > 0 else "")]
    lines += table(_BANS, bans, width)
    first = len(lines) - len(bans)
    lines += section("TOP SOURCES by " + _ORDER.get(sort, "failures"), _TOP, shot.top, width)
    lines += section("CAMPAIGNS", _crowd("network", "net"), crowds(shot.networks), width)
    lines += section("USERS UNDER ATTACK", _crowd("user", "user"), crowds(shot.users), width)
    return lines, list(range(first, first + len(bans))), bans
