# SPDX-License-Identifier: GPL-2.0-or-later
"""Medians and paired ratios with their spread, and Markdown tables of them."""
import statistics


class Figure:
    """Values of several repeats: the median and the spread."""

    def __init__(self, values):
        self.values = [value for value in values if value is not None]

    def __bool__(self):
        return bool(self.values)

    @property
    def median(self):
        return statistics.median(self.values)

    def text(self, form="%.2f"):
        if not self.values:
            return "-"
        low, high = min(self.values), max(self.values)
        return "%s (%s..%s)" % (form % self.median, form % low, form % high)


def ratios(above, below):
    """{repeat: value} over {repeat: value}, paired within each repeat."""
    return Figure([above[n] / below[n] for n in sorted(above) if below.get(n)])


def table(head, rows):
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])
