# SPDX-License-Identifier: GPL-2.0-or-later
"""What doctor and authban-top share. Python's standard library only."""
from authban_lib import Problem

__all__ = ["Problem", "clean", "number"]


def clean(value, width=200):
    """Foreign text for a terminal: printable ASCII, at most `width` characters, the rest as \\xNN or cut."""
    text = "".join(letter if " " <= letter <= "~" else "\\x%02x" % ord(letter) for letter in str(value)[:width + 1])
    return text if len(text) <= width else text[:max(width - 1, 0)] + "~"


def number(value):
    """A number of an answer; 0 when it is none."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
