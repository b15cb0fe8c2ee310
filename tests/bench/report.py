# SPDX-License-Identifier: GPL-2.0-or-later
"""The report of the benchmark, in Markdown."""
import core
from figures import Figure, ratios, table
import goals

PEERS = ("chain", "htable17", "htable14", "pike")
ROUTE_NAMES = {"recvfrom": "no Kamailio: `recvfrom()` alone", "recvmsg": "no Kamailio: `recvmsg()` with IP_PKTINFO",
               "floor": "a module that drops everything early", "noop": "empty route", "get": "`$sht(b=>$si)`", "inc": "`$shtinc(b=>$si)`", "idiom": "htable idiom",
               "pike": "`pike_check_req()`", "check": "`authban_check()`", "early": "authban `early=1`",
               "check_counted": "`authban_check()`, sources banned by failures",
               "early_counted": "authban `early=1`, sources banned by failures"}


def goals_table(found):
    rows = table(["row", "what", "wanted", "measured: median (min..max)", "", "how near anybody comes"],
                 [goal.row() for goal in found])
    missed = ["%s, %s" % (goal.row_name, goal.what) for goal in found if goal.met() is False]
    absent = ["%s, %s" % (goal.row_name, goal.what) for goal in found if goal.met() is None]
    text = [rows, "", "%d of %d met." % (sum(goal.met() is True for goal in found), len(found))]
    text += ["", "Not met:", "", *("- " + name for name in missed)] if missed else []
    text += ["", "Not measured:", "", *("- " + name for name in absent)] if absent else []
    return "\n".join(text)


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
        return "Instructions were not counted: valgrind is not installed, or see the log."
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


def kinds_table(kinds, numbers, memory):
    rows = [[what, format(size, ","), ""] for what, size in sorted(kinds.items(), key=lambda item: -item[1])]
    rows += [["all of it", format(numbers["total"], ","), "nothing is added after the start: %+d bytes" % (
        numbers["grown"])]]
    rows += [[what, "%.1f" % memory[key], "for each " + unit] for what, key, unit in (
        ("a source in the table", "bytes_a_slot", "of `size`, filled to 80 % with no loss"),
        ("a known-good fact", "bytes_a_fact", "of `size`; a login makes three"),
        ("an offender's evidence", "bytes_an_offender", "of `evidence`"),
        ("an imported network", "bytes_a_feed", "of `feed_size`"))]
    rows.append(["tokens of challenges", "0", "they are computed anew, not kept"])
    return table(["shared memory of a running proxy, default settings", "bytes", ""], rows)


def floods_table(floods):
    names = ("evictions", "kept_bans", "kept_several", "offenders", "caught", "grown", "check_p99", "check_p99_ratio",
             "count_p99", "count_p99_ratio")
    head = ("evictions", "% bans kept", "% several kept", "offenders", "% caught", "bytes grown", "check p99 ns",
            "against before", "failure p99 ns", "against before")
    rows = [[family.replace("v", "IPv"), *("%g" % data[name] for name in names)] for family, data in floods.items()]
    return table(["random sources", *head], rows)


def growth_table(growth):
    rows = [[format(sources, ","), "%.1f" % (row["bytes"] / 1e6),
             *(row[column].text("%.0f") for column in ("miss", "banned", "read"))] for sources, row in growth.items()]
    return table(["sources", "MB", "ns a check, unlisted", "banned", "one random read from as many bytes"], rows)


def crash_table(crash):
    rows = [["the table alone: ms until the next had counted, p50 / p99 / max", "%.2f / %.2f / %.2f" % tuple(
        crash["crash_%s_ms" % part] for part in ("p50", "p99", "max"))]]
    for name, what in (("proxy_p50_ms", "a Kamailio that goes on: ms longer for the next guess, p50"),
                       ("stopped_s", "its shutdown afterwards, s at most"),
                       ("ended_s", "a Kamailio as it is: s until all of it had ended, p50")):
        rows.append([what, "%.2f" % crash[name] if name in crash else "not measured"])
    return table(["a process dies with a lock held", ""], rows)


def storm_table(data):
    rows = [[name, figure.text()] for name, figure in data["waits"].items()]
    return table(["honest phone, %d failed registrations beside it" % data["sent"], "p99, ms, of each turn"], rows)


def redis_table(rows):
    if not rows:
        return "Not measured: there is no redis-server, or the fleet was not built."
    return table(["failures/s in all", "commands a failure", "bytes to Redis", "bytes from it", "us of Redis's CPU"],
                 [["%d" % rate, "%.2f" % commands, "%.0f" % sent, "%.0f" % got, "%.0f" % cpu]
                  for rate, commands, sent, got, cpu in rows])


def counts_table(counts):
    if not counts:
        return "Instructions of the whole proxy were not counted: valgrind is not installed, or see the log."
    rows = [[allocator, ROUTE_NAMES[route], "%.0f" % count, "%.2f" % (count / found["noop"])]
            for allocator, found in counts.items() for route, count in found.items()]
    return table(["allocator", "route, one of 2,000 banned sources", "instructions a datagram",
                  "against the empty route"], rows)


def registrations_table(counts):
    if not counts:
        return "Their instructions were not counted: valgrind is not installed, or see the log."
    rows = [[allocator, route, "%.0f" % count, "%.2f" % (count / found["plain"])]
            for allocator, found in counts.items() for route, count in found.items()]
    return table(["stock configuration, allocator", "route", "instructions a failed registration",
                  "against no defence"], rows)


def tcp_tables(costs):
    text = []
    for allocator, found in costs.items():
        rows = [[pattern, ROUTE_NAMES[route], Figure(run[0] / 1000 for run in runs.values()).text("%.1f"),
                 ratios(*({n: run[0] for n, run in of.items()} for of in (runs, found[pattern]["noop"]))).text(),
                 Figure(run[1] for run in runs.values()).text("%.1f")]
                for pattern, routes in found.items() for route, runs in routes.items()]
        text += ["### TCP, %s allocator" % allocator, "",
                 table(["connection", "route", "CPU us a connection, all processes", "against the empty route",
                        "requests that it got rid of"], rows), ""]
    return "\n".join(text)


def attack_table(attack):
    rows = [["slowest single address at random / among the crafted, authban", "%.0f / %.0f" % (
        attack["slowest.authban.random"], attack["slowest.authban.crafted"]), ""]]
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
