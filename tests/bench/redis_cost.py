# SPDX-License-Identifier: GPL-2.0-or-later
"""What a failure costs the proxies' Redis, by its own book; tests/cluster/fleet.c is the cluster."""
import os
import shutil
import subprocess

PROXIES = 3
RATES = (10, 100, 1000, 3000)


def measure(build, short, say):
    """[(rate, commands, bytes in, bytes out, us)]; None: no Redis, or the fleet was not built."""
    program = os.path.join(build, "tests", "cluster", "fleet")
    if not os.path.exists(program) or not shutil.which("redis-server"):
        return None
    say("redis: %d proxies" % PROXIES)
    done = subprocess.run([program, "cost", str(PROXIES), "500" if short else "5000", *map(str, RATES)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200, check=True)
    return [tuple(map(float, line.split())) for line in done.stdout.splitlines()]
