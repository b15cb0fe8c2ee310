# SPDX-License-Identifier: GPL-2.0-or-later
"""5,000 failed registrations a second at two workers, and what an honest phone waits; tests/lib/storm.py sends them."""
import os
import sys
import tempfile

from figures import Figure

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)

from lib import storm  # noqa: E402
from lib.traffic import percentile  # noqa: E402


def _turns(ours, theirs, turns, seconds):
    """{side: [p99 of each turn, ms]}"""
    found = {"authban": [], "no guard": []}
    sides = [("authban", ours), ("no guard", theirs)]
    for turn in range(turns):
        for name, side in sides[::-1] if turn % 2 else sides:
            before = len(side.loaded)
            side.turn(seconds)
            found[name].append(1e3 * percentile(side.loaded[before:], 0.99))
    return found


def measure(short, say):
    """{sent, lost: numbers; p99: ratios of each turn; waits: {side: Figure of ms}}"""
    turns, seconds = (3, 2) if short else (5, 4)
    say("%d failed registrations a second, %d turns of %d s" % (storm.RATE, turns, seconds))
    with tempfile.TemporaryDirectory() as folder:
        program = storm.build(folder)
        with storm.guarded() as guarded, storm.plain() as plain:
            ours, theirs = storm.Side(guarded, program), storm.Side(plain, program)
            before = guarded.authban()["failures"]
            found = _turns(ours, theirs, turns, seconds)
            counted = guarded.authban()["failures"] - before
    lost = max(turns * seconds * storm.RATE - min(ours.refused, counted), 0)
    pairs = zip(found["authban"], found["no guard"])
    return {"sent": ours.sent, "lost": lost, "p99": Figure([mine / other for mine, other in pairs]),
            "waits": {name: Figure(values) for name, values in found.items()}}
