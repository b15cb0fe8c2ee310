# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wanted of speed and memory, row by row, beside what was measured.

Ratios are paired within a repeat. Where a limit may be out of reach, `note` says by measurement what nobody can go
below: the system call, Kamailio's own way of receiving, the machine's memory.
"""
import core
from figures import Figure, ratios

MILLION = ("v4", 1_000_000)
# In the order of the table; "" for what is wanted beyond it.
ROWS = ("early hook", "script check", "unlisted source", "hot banned source", "counting", "memory", "random sources",
        "collisions", "death in a lock", "5,000 failures/s", "growth", "registration")


class Goal:
    """A figure at most (or at least) a limit; limit None: told beside the others, nothing is wanted."""

    def __init__(self, row, what, limit, figure, least=False, form="%.2f", note=""):
        self.row_name, self.what, self.limit = row, what, limit
        self.figure, self.least, self.form, self.note = figure, least, form, note

    def met(self):
        """True, False, or None: not measured."""
        if not self.figure:
            return None
        value = self.figure.median
        return value >= self.limit if self.least else value <= self.limit

    def verdict(self):
        return {True: "met", False: "**not met**", None: "not measured"}[self.met()]

    def row(self):
        sign = ">=" if self.least else "<="
        note = self.note if self.met() is False else ""
        return [self.row_name, self.what, "%s %s" % (sign, self.form % self.limit), self.figure.text(self.form),
                self.verdict(), note]


def one(data, key):
    """A figure of a single number that may not have been measured."""
    return Figure([data[key]] if key in data else [])


def in_order(found):
    return sorted(found, key=lambda goal: ROWS.index(goal.row_name))


# --- the table alone ---

def _mean_ratio(runs, peer):
    return ratios(core.net(runs, "authban"), core.net(runs, peer))


def _p99_ratio(runs, peer):
    return ratios(core.part(runs, "authban", "p99"), core.part(runs, peer, "p99"))


def core_goals(times):
    """times: {(family, sources): {workload: {subject: {repeat: Run}}}}"""
    miss = times[MILLION]["miss"]
    found = [Goal("unlisted source", "1M sources, 2 processes: mean against " + what, limit, _mean_ratio(miss, peer))
             for peer, what, limit in (("chain", "a lock per bucket", 0.5), ("htable17", "htable 2^17", 0.25))]
    found.append(Goal("unlisted source", "1M sources, 2 processes: p99 against htable 2^17", 0.15,
                      _p99_ratio(miss, "htable17")))
    for sources in (100_000, 1_000_000):
        hot = times["v4", sources]["hot"]
        found += [Goal("hot banned source", "%s sources: p99 against %s" % (format(sources, ","), what), limit,
                       _p99_ratio(hot, peer))
                  for peer, what, limit in (("chain", "a lock per bucket", 0.35), ("htable17", "htable 2^17", 0.15))]
    for (family, sources), runs in times.items():
        found.append(Goal("counting", "a failure, all rules on, 2 writers on one source, %s, %s sources: p99, ns" % (
            family.replace("v", "IPv"), format(sources, ",")), 2000,
            Figure(core.part(runs["count-one"], "authban", "p99").values()), form="%.0f"))
    return found


def memory_goals(memory):
    """No spread: nothing here depends on the clock."""
    rows = (("bytes a source, table 80 % full, IPv4 and IPv6", "bytes_per_source", 96, False, "%.1f"),
            ("MB of a table for 1M sources, at most 80 % full", "mbytes_1m_sources", 96, False, "%.1f"),
            ("% evicted before the table is 80 % full, IPv4", "v4.evicted_at_80", 2, False, "%.2f"),
            ("% evicted before the table is 80 % full, IPv6", "v6.evicted_at_80", 2, False, "%.2f"))
    found = [Goal("memory", what, limit, one(memory, key), least, form) for what, key, limit, least, form in rows]
    return found + [
        Goal("random sources", "10x the capacity at once, 20 % banned, 20 % with several failures: " + what, limit,
             one(memory, key), True)
        for what, key, limit in (("% of live bans kept", "flood20.bans_kept", 100),
                                 ("% of those with several kept", "flood20.several_kept", 99))]


def kinds_goals(kinds):
    return [Goal("memory", "bytes of shared memory allocated after the start, 100,000 sources banned by failures", 0,
                 one(kinds, "grown"), form="%.0f"),
            Goal("memory", "a table of 16,777,216 entries: starts (1), says why not when -m is short (1)", 2,
                 one(kinds, "largest"), True, "%.0f")]


def flood_goals(floods):
    """floods: {family: {name: number}}"""
    found = []
    for family, data in floods.items():
        rows = (("bytes of growth", "grown", 0, False, "%.0f"), ("% of live bans kept", "kept_bans", 100, True, "%.3f"),
                ("% of those with several failures kept", "kept_several", 99, True, "%.2f"),
                ("% of offenders in the noise banned by their 8th failure", "caught", 99.9, True, "%.2f"),
                ("p99 of a check against that before the table was full", "check_p99_ratio", 2, False, "%.2f"),
                ("p99 of a counted failure against that before", "count_p99_ratio", 2, False, "%.2f"))
        found += [Goal("random sources", "%s: %s" % (family.replace("v", "IPv"), what), limit, one(data, key), least, form)
                  for what, key, limit, least, form in rows]
    return found


def attack_goals(attack):
    slow = [attack["slowest.authban.crafted"] / attack["slowest.authban.random"]]
    return [Goal("collisions", "addresses that share one htable bucket, against random ones", 1.1,
                 one(attack, "crafted.authban.ratio")),
            Goal("collisions", "the slowest of a million that an attacker timed, against random ones", 1.1,
                 one(attack, "adaptive.authban.ratio")),
            Goal("collisions", "the slowest single address among those that share a bucket, against random ones", 1.1,
                 Figure(slow))]


def crash_goals(crash):
    return [Goal("death in a lock", "ms until another process had counted in its place, p99", 2,
                 one(crash, "crash_p99_ms")),
            Goal("death in a lock", "% of them that had counted", 100, one(crash, "crash_counted"), True, "%.1f"),
            Goal("death in a lock", "a Kamailio whose main process does not end: ms that the next guess took longer, p50",
                 2, one(crash, "proxy_p50_ms")),
            Goal("death in a lock", "seconds until the whole proxy had ended, p50", 1, one(crash, "ended_s"))]


def growth_goals(growth):
    """growth: {sources: {column: Figure}}; the time beyond the smallest table's, in reads beyond its read."""
    found, small = [], min(growth)
    for column, what, reads in (("miss", "unlisted source", 1), ("banned", "banned source", 2)):
        worst = Figure([])
        for sources, row in growth.items():
            more = row["read"].median - growth[small]["read"].median
            if more > 20:  # caches have made the difference immeasurable
                value = (row[column].median - growth[small][column].median) / more
                worst = Figure([value]) if not worst or value > worst.median else worst
        found.append(Goal("growth", "%s, %s to %s sources: time beyond the smallest table's, in random reads from as"
                          " much memory, at most" % (what, format(small, ","), format(max(growth), ",")), reads, worst))
    return found


# --- the whole proxy ---

def proxy_ratio(costs, allocator, flood, above, below, below_flood=None):
    """CPU of a datagram with one route against another, which may have had another flood in the same repeat."""
    floods = costs.get(allocator, {})
    pair = [floods.get(name, {}).get(route) for name, route in ((flood, above), (below_flood or flood, below))]
    if not all(pair):
        return Figure([])
    return ratios(*({repeat: run[0] for repeat, run in runs.items()} for runs in pair))


ONE, MANY, FAILED = "one banned", "100k banned", "100k banned by failures"
# (row, what, limit, allocator, flood, above, below)
PROXY_GOALS = (
    ("early hook", "one banned source, against the htable idiom", 0.1, "default", ONE, "early", "idiom"),
    ("early hook", "one banned source, against pike", 0.1, "default", ONE, "early", "pike"),
    ("early hook", "100k banned, against the htable idiom", 0.1, "default", MANY, "early", "idiom"),
    ("early hook", "100k banned, against pike", 0.1, "default", MANY, "early", "pike"),
    ("early hook", "100k banned, against htable's `$sht()`", 0.65, "fm", MANY, "early", "get"),
    ("early hook", "100k banned, against the htable idiom", 0.65, "fm", MANY, "early", "idiom"),
    ("early hook", "100k banned, against pike", 0.3, "fm", MANY, "early", "pike"),
    ("early hook", "100k banned by failures, against htable's `$sht()`", 0.65, "fm", FAILED, "early_counted", "get"),
    ("early hook", "100k banned by failures, against the htable idiom", 0.65, "fm", FAILED, "early_counted", "idiom"),
    ("early hook", "100k banned by failures, against pike", 0.3, "fm", FAILED, "early_counted", "pike"),
    ("script check", "one banned source, against an empty route", 1.15, "fm", ONE, "check", "noop"),
    ("script check", "100k banned, against an empty route", 1.3, "fm", MANY, "check", "noop"),
    ("script check", "100k banned, against pike", 0.5, "fm", MANY, "check", "pike"),
    ("script check", "100k banned, against `$shtinc`", 0.9, "fm", MANY, "check", "inc"),
    ("script check", "100k banned by failures, against an empty route", 1.3, "fm", FAILED, "check_counted", "noop"),
    ("script check", "100k banned by failures, against pike", 0.5, "fm", FAILED, "check_counted", "pike"),
    ("script check", "100k banned by failures, against `$shtinc`", 0.9, "fm", FAILED, "check_counted", "inc"),
)


def _proxy_note(costs, counts, allocator, flood, above, below):
    """What a module that drops everything unseen would reach, and what instructions say."""
    peers = MANY if flood == FAILED else flood
    floor = "floor" if above.startswith("early") else None
    note = []
    if floor:
        least = proxy_ratio(costs, allocator, peers, floor, below)
        if least:
            note.append("a module that drops everything: %.2f" % least.median)
    counts = (counts or {}).get(allocator, {})
    if above in counts and below in counts:
        note.append("instructions in the worker: %.2f" % (counts[above] / counts[below]))
    return "; ".join(note)


def proxy_goals(costs, counts=None):
    """counts: {allocator: {route: instructions a datagram}}"""
    found = []
    for row, what, limit, allocator, flood, above, below in PROXY_GOALS:
        # what has not met that flood met the other one in the same repeat
        other = flood if below == "noop" else MANY if flood == FAILED else None
        found.append(Goal(row, "%s (%s allocator)" % (what, allocator), limit,
                          proxy_ratio(costs, allocator, flood, above, below, other),
                          note=_proxy_note(costs, counts, allocator, flood, above, below)))
    return found


def register_goals(costs, counts=None):
    """A failed registration with everything on; counts: {allocator: {route: instructions}} of the stock one."""
    found = []
    for which, runs in costs.items():
        note = "htable's counter: %.2f" % ratios(runs["htable"], runs["plain"]).median
        some = (counts or {}).get(which[1])
        if some and which[0] == "stock":
            note += "; instructions: %.2f, htable's %.2f" % tuple(some[r] / some["plain"] for r in ("authban", "htable"))
        found.append(Goal("registration", "a failed one, authban against no defence (%s configuration, %s allocator)" % which,
                          1.05, ratios(runs["authban"], runs["plain"]), note=note))
    return found


def storm_goals(data):
    """data: {lost: number, p99: Figure of ratios}"""
    return [Goal("5,000 failures/s", "failed registrations that were not answered or not counted, two workers", 0,
                 one(data, "lost"), form="%.0f"),
            Goal("5,000 failures/s", "p99 of an honest phone meanwhile, against the same with no guard", 1.1,
                 data.get("p99", Figure([])))]
