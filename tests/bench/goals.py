# SPDX-License-Identifier: GPL-2.0-or-later
"""The goals of the project for speed and memory, beside what was measured."""
import core
from figures import Figure, ratios

MILLION = ("v4", 1_000_000)


class Goal:
    """What is wanted: a figure at most (or at least) a limit."""

    def __init__(self, name, what, limit, figure, least=False, form="%.2f"):
        self.name, self.what, self.limit = name, what, limit
        self.figure, self.least, self.form = figure, least, form

    def verdict(self):
        if not self.figure:
            return "not measured"
        value = self.figure.median
        return "met" if (value >= self.limit if self.least else value <= self.limit) else "**not met**"

    def row(self):
        sign = ">=" if self.least else "<="
        return [self.name, self.what, "%s %s" % (sign, self.form % self.limit), self.figure.text(self.form),
                self.verdict()]


def _mean_ratio(runs, peer):
    return ratios(core.net(runs, "authban"), core.net(runs, peer))


def _p99_ratio(runs, peer):
    return ratios(core.part(runs, "authban", "p99"), core.part(runs, peer, "p99"))


def core_goals(times):
    """G1 and G2."""
    runs = times[MILLION]
    goals = [Goal("G1", "check, 2 processes, 1M sources, miss: mean against " + what, limit,
                  _mean_ratio(runs["miss"], peer), form="%.3f")
             for peer, what, limit in (("chain", "a lock per bucket", 0.5), ("htable17", "htable 2^17", 0.25),
                                       ("htable14", "htable 2^14", 0.05))]
    for sources in (100_000, 1_000_000):
        runs = times["v4", sources]["hot"]
        goals += [Goal("G2", "one banned source, %s sources: p99 against %s" % (format(sources, ","), what), limit,
                       _p99_ratio(runs, peer))
                  for peer, what, limit in (("chain", "a lock per bucket", 0.35), ("htable17", "htable 2^17", 0.15))]
    return goals


def proxy_ratio(costs, allocator, flood, above, below):
    """CPU of a datagram with one route against another."""
    runs = costs.get(allocator, {}).get(flood)
    if not runs:
        return Figure([])
    return ratios(*({repeat: run[0] for repeat, run in runs[route].items()} for route in (above, below)))


PROXY_GOALS = (
    ("G3", "authban_check() against an empty route, one banned source", 1.15, "fm", "one banned", "check", "noop"),
    ("G3", "authban_check() against an empty route, 100k banned", 1.35, "fm", "100k banned", "check", "noop"),
    ("G3", "authban_check() against pike, 100k banned", 0.5, "fm", "100k banned", "check", "pike"),
    ("G3", "authban_check() against $shtinc, 100k banned", 0.9, "fm", "100k banned", "check", "inc"),
    ("G4", "early against an empty route, one banned source", 0.8, "fm", "one banned", "early", "noop"),
    ("G4", "early against an empty route, 100k banned", 0.8, "fm", "100k banned", "early", "noop"),
    ("G4", "early against authban_check(), one banned source", 0.65, "fm", "one banned", "early", "check"),
    ("G4", "early against authban_check(), 100k banned", 0.65, "fm", "100k banned", "early", "check"),
    ("G4", "early against an empty route, one banned source", 0.15, "default", "one banned", "early", "noop"),
    ("G4", "early against an empty route, 100k banned", 0.15, "default", "100k banned", "early", "noop"),
)


def proxy_goals(costs):
    """G3 and G4."""
    return [Goal(name, "%s (%s allocator)" % (what, allocator), limit,
                 proxy_ratio(costs, allocator, flood, above, below))
            for name, what, limit, allocator, flood, above, below in PROXY_GOALS]


def register_goals(costs):
    """G6: a failed registration with everything on."""
    return [Goal("G6", "a failed registration, %s against no defence (%s configuration, %s allocator)" % (
        route, *which), limit, ratios(runs[route], runs["plain"]))
            for which, runs in costs.items() for route, limit in (("authban", 1.05), ("htable", 1.08))]


def memory_goals(memory):
    """G9 and G10; no spread, nothing here depends on the clock."""
    rows = (("G9", "bytes a source, table 80 % full", "bytes_per_source", 96, False, "%.1f"),
            ("G9", "MB of a table for 1M sources, at most 80 % full", "mbytes_1m_sources", 96, False, "%.1f"),
            ("G10", "% of live bans kept in a flood of 10x the capacity (20 % banned, 20 % several failures)",
             "flood20.bans_kept", 100, True, "%.2f"),
            ("G10", "% of entries with several failures kept in it", "flood20.several_kept", 99, True, "%.2f"),
            ("G10", "% evicted before the table is 80 % full, IPv4", "v4.evicted_at_80", 2, False, "%.2f"),
            ("G10", "% evicted before the table is 80 % full, IPv6", "v6.evicted_at_80", 2, False, "%.2f"))
    return [Goal(name, what, limit, Figure([memory[key]]), least, form)
            for name, what, key, limit, least, form in rows]
