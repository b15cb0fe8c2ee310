# SPDX-License-Identifier: GPL-2.0-or-later
"""5,000 failed registrations a second, two workers: each is counted, and honest phones wait no longer than without.

Turns with a proxy that has no guard come between, so that both see the same machine. AUTHBAN_LONG=1: 60 s of it.
"""
import os

import pytest

from lib import storm

pytestmark = pytest.mark.alone  # how long a phone waits
LONG = bool(os.environ.get("AUTHBAN_LONG"))
TURNS, SECONDS = (12, 5) if LONG else (2, 1)
MORE = 1.1 if LONG else 2.0  # of the 99th percentile; one of a hundred is not much to go by


def test_nothing_is_lost(tmp_path):
    program = storm.build(str(tmp_path))
    with storm.guarded() as guarded, storm.plain() as plain:
        ours, theirs = storm.Side(guarded, program), storm.Side(plain, program)
        before = guarded.authban()["failures"]
        for turn in range(TURNS):
            for side in (ours, theirs) if turn % 2 else (theirs, ours):
                side.turn(SECONDS)
        counted = guarded.authban()["failures"] - before
        status = guarded.rpc("authban.status")
    (our_quiet, our_p99), (quiet, p99) = ours.p99(), theirs.p99()
    print("\nstorm: %d failed registrations, %d a second: answered=%d counted=%d refused=%d lock_timeouts=%d; an honest"
          " phone's p99 %.2fms (quiet %.2fms), without a guard %.2fms (quiet %.2fms): %.2f"
          % (ours.sent, storm.RATE, ours.refused, counted, status["refused"], status["lock_timeouts"], our_p99,
             our_quiet, p99, quiet, our_p99 / p99))
    assert ours.sent == TURNS * SECONDS * storm.RATE
    assert ours.refused == ours.sent and counted == ours.sent
    assert our_p99 <= MORE * p99
