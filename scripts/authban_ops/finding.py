# SPDX-License-Identifier: GPL-2.0-or-later
"""One line of doctor."""
import collections

OK, WARN, FAIL = "OK", "WARN", "FAIL"

Finding = collections.namedtuple("Finding", "level subject what todo")


def ok(subject, what):
    return Finding(OK, subject, what, "")


def warn(subject, what, todo):
    return Finding(WARN, subject, what, todo)


def fail(subject, what, todo):
    return Finding(FAIL, subject, what, todo)


def line(finding):
    text = "%-4s  %s: %s" % (finding.level, finding.subject, finding.what)
    return text + (" -> " + finding.todo if finding.todo else "")


def status(findings):
    """0 all is well, 1 warnings, 2 failures."""
    levels = {one.level for one in findings}
    return 2 if FAIL in levels else 1 if WARN in levels else 0
