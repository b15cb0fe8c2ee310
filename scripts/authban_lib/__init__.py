# SPDX-License-Identifier: GPL-2.0-or-later
"""What authban-report and authban-lists share. Python's standard library only."""

import sys

VERSION = "0.1"


class Problem(Exception):
    """Something the operator has to put right; the text is one sentence for him."""


def say(program, text):
    """One line to stderr; what a terminal would obey is escaped."""
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    print("%s: %s" % (program, safe), file=sys.stderr)
