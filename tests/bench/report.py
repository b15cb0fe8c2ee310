# SPDX-License-Identifier: GPL-2.0-or-later
"""The report of the benchmark, in Markdown."""
import core
from figures import Figure, ratios, table
import goals

PEERS = ("chain", "htable17", "htable14", "pike")
ROUTE_NAMES = {"noop": "empty route", "get": "`$sht(b=>$si)`", "inc": "`$shtinc(b=>$si)`", "idiom": "htable idiom",
               "pike": "`pike_check_req()`", "check": "`authban_check()`", "early": "authban `early=1`"}


def goals_table(found):
    return table(["goal", "what", "wanted", "measured: median (min..max)", ""], [goal.row() for goal in found])


def _core_rows(runs):
    for workload in core.WORKLOADS:
        base = runs[workload]
        ours = core.net(base, "authban")
        for subject in ("noop", "authban") + PEERS:
            mean = core.part(base, "noop", "ns") if subject == "noop" else core.net(base, subject)
            ratio = ratios(core.net(base, subject), ours).text() if subject in PEERS else ""
            tail = ratios(core.part(base, subject, "p99"), core.part(base, "authban", "p99"))
            yield [workload, subject, Figure(mean.values()).text("%.0f"), ratio,
                   *("%.0f" % Figure(core.part(base, subject, name).values()).median
                     for name in ("p50", "p99", "p999")), tail.text() if subject in PEERS else ""]


def core_tables(times, processes):
    text = []
    for (family, sources), runs in times.items():
        text += ["### %s, %s sources, %d processes" % (family.replace("v", "IPv"), format(sources, ","), processes), "",
                 table(["workload", "table", "mean ns", "mean / authban", "p50", "p99", "p99.9", "p99 / authban"],
                       _core_rows(runs)), ""]
    return "\n".join(text)


def instructions_table(counts):
    if counts is None:
        return "Instructions were not counted: valgrind is not installed."
    rows = [[workload, *("%.0f" % counts[workload][subject] for subject in ("authban",) + PEERS)]
            for workload in counts]
    return table(["instructions an operation (callgrind)", "authban", *PEERS], rows)


def memory_table(memory):
    rows = [["bytes a source, 80 % full", "%.1f" % memory["bytes_per_source"]],
            ["MB of the default table (262,144 slots)", "%.1f" % memory["mbytes_default"]],
            ["MB of a table of 2^20 slots", "%.1f" % memory["mbytes_1m_slots"]]]
    for family in ("v4", "v6"):
        rows.append(["first entry with several failures evicted at % full, " + family,
                     "%.1f" % memory[family + ".first_eviction_at"]])
        rows.append(["% of them evicted when the table was offered 60/70/80/90/100 % of its slots, " + family,
                     " / ".join("%.2f" % memory["%s.evicted_at_%d" % (family, n)] for n in (60, 70, 80, 90, 100))])
    rows.append(["% of live bans lost for want of a place in a table 40/60/80 % full of bans",
                 " / ".join("%.4f" % memory["bans_lost_at_%d" % n] for n in (40, 60, 80))])
    for flood, what in (("flood20", "20 % + 20 %"), ("flood45", "45 % + 45 %"),
                        ("flood20_unsent", "20 % + 20 %, in a cluster whose Redis was never there"),
                        ("flood20_cut_off", "20 % + 20 %, Redis goes away when the flood begins")):
        rows.append(["flood of 10x capacity, %s: %% of bans / of several failures kept" % what,
                     "%.2f / %.2f" % (memory[flood + ".bans_kept"], memory[flood + ".several_kept"])])
    return table(["memory and eviction, %s slots" % format(int(memory["slots"]), ","), "measured"], rows)


def attack_table(attack):
    rows = []
    for name, what in (("crafted.htable17", "one hash of htable's, htable 2^17"),
                       ("crafted.authban", "the same addresses, authban"),
                       ("adaptive.authban", "the slowest tenth of what an attacker timed, authban")):
        rows.append([what, "%.0f" % attack[name + ".ns"], "%.2f (..%.2f)" % (
            attack[name + ".ratio"], attack[name + ".ratio_max"])])
    return table(["%s IPv6 addresses that share" % format(int(attack["addresses"]), ","), "ns a lookup",
                  "against random addresses"], rows)


def proxy_tables(costs):
    text = []
    for allocator, found in costs.items():
        rows = []
        for flood, runs in found.items():
            for route, by_repeat in runs.items():
                rows.append([flood, ROUTE_NAMES[route],
                             Figure(run[0] for run in by_repeat.values()).text("%.0f"),
                             goals.proxy_ratio(costs, allocator, flood, route, "noop").text(),
                             "%.1f %% / %.0f %%" % tuple(100 * max(run[n] for run in by_repeat.values()) for n in (1, 2))])
        text += ["### %s allocator" % allocator, "",
                 table(["flood", "route", "CPU ns a datagram", "against the empty route", "lost / waited at most"],
                       rows), ""]
    return "\n".join(text)


def register_table(costs):
    rows = [[*which, route, Figure(runs[route].values()).text("%.0f"), goals.ratios(runs[route], runs["plain"]).text()]
            for which, runs in costs.items() for route in runs]
    return table(["configuration", "allocator", "route", "CPU ns a failed registration", "against no defence"], rows)
