# SPDX-License-Identifier: GPL-2.0-or-later
"""A process that dies with a lock held: the table alone (crash.c), and whole proxies (tests/fault/test_f18)."""
import os
import re
import subprocess
import sys

import core

TEST = os.path.join(core.ROOT, "tests", "fault", "test_f18_worker_dies.py")
FIGURES = {"proxy_p50_ms": r"took longer by p50=(-?[\d.]+)ms", "stopped_s": r"stopped after ([\d.]+)s at most",
           "ended_s": r"kill -9 in a lock: .*p50=([\d.]+)s"}


def measure(out, short, say):
    """{name: number}; those of whole proxies are missing when the test could not run."""
    say("deaths in a lock")
    found = core.numbers(out, "crash", 100 if short else 500)
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", TEST],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
                          cwd=core.ROOT)
    for name, pattern in FIGURES.items():
        match = re.search(pattern, done.stdout)
        if match:
            found[name] = float(match.group(1))
    return found
