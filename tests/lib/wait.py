# SPDX-License-Identifier: GPL-2.0-or-later
"""Wait for a condition, never for a time."""
import time


def wait_for(condition, timeout=5.0, what="the condition", pause=0.01):
    """Poll until condition() is true and return its value; AssertionError at the deadline."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError("not within %.1f s: %s (last value %r)" % (timeout, what, value))
        time.sleep(pause)


def holds_for(condition, seconds, what="the condition", pause=0.02):
    """The opposite: condition() must stay true all the time; AssertionError as soon as it is not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        assert value, "did not hold: %s (value %r)" % (what, value)
        time.sleep(pause)
