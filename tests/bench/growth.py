# SPDX-License-Identifier: GPL-2.0-or-later
"""A check's time from a thousand sources to ten millions, as CSV and as a plot; see growth.c."""
import os
import shutil
import subprocess

import core
from figures import Figure

DOCS = os.path.join(core.ROOT, "docs")
COLUMNS = ("miss", "banned", "read")
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
# medians, with the spread as a band
PLOT = """
set terminal pngcairo size 900,560 font "sans,11"
set output "%(png)s"
set datafile separator ","
set logscale xy
set grid
set key left top
set xlabel "sources in the table (80 %% full at most)"
set ylabel "ns of CPU (median; bars: smallest and largest of the repeats)"
set xrange [700:1.5e7]
set yrange [1:1500]
set format x "10^{%%L}"
plot "%(csv)s" using 1:3:4:5 every ::1 with yerrorlines lw 2 pt 7 title "check, unlisted source", \\
     "%(csv)s" using 1:6:7:8 every ::1 with yerrorlines lw 2 pt 5 title "check, banned source", \\
     "%(csv)s" using 1:9:10:11 every ::1 with yerrorlines lw 2 dt 2 pt 9 title "one random read from as many bytes"
"""


def measure(out, repeats, short, say):
    """{sources: {column: Figure, "bytes": number}}"""
    found = {}
    for sources in SIZES[:-2] if short else SIZES:
        say("growth: %d sources" % sources)
        done = subprocess.run([os.path.join(out, "growth"), str(sources), str(repeats), "10" if short else "60"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=True)
        rows = [list(map(float, line.split(","))) for line in done.stdout.splitlines()]
        found[sources] = {"bytes": int(rows[0][1])}
        for n, column in enumerate(COLUMNS):
            found[sources][column] = Figure([row[2 + n] for row in rows])
    return found


def write(found, folder):
    """growth.csv and growth.png; returns their paths, the second None without gnuplot."""
    csv, png = os.path.join(folder, "growth.csv"), os.path.join(folder, "growth.png")
    with open(csv, "w", encoding="ascii") as text:
        head = ["%s_ns%s" % (column, part) for column in COLUMNS for part in ("", "_min", "_max")]
        text.write(",".join(["sources", "bytes", *head]) + "\n")
        for sources, row in found.items():
            values = [value for column in COLUMNS
                      for value in (row[column].median, min(row[column].values), max(row[column].values))]
            text.write(",".join([str(sources), str(row["bytes"]), *("%.2f" % value for value in values)]) + "\n")
    if not shutil.which("gnuplot"):
        return csv, None
    subprocess.run(["gnuplot"], input=PLOT % {"csv": csv, "png": png}, text=True, check=True, timeout=60)
    return csv, png
