# SPDX-License-Identifier: GPL-2.0-or-later
"""What was reported already: a file, so that one incident makes one report.

An incident is known by its id, and by its source (a keyed hash; the key lies in the same file) when its
time touches that of a report: with the counts of a cluster the same attack may be told with another id.
"""
import datetime
import hashlib
import hmac
import json
import secrets

from . import Problem, files, timestamp

KEEP = datetime.timedelta(days=400)
_FORMAT = 1


class Reported:
    """with files.only_one(path): Reported(path)."""

    def __init__(self, path):
        self.path = path
        value = files.read_json(path, {"format": _FORMAT, "key": secrets.token_hex(16), "incidents": {}})
        try:
            self.key = bytes.fromhex(value["key"])
            self.incidents = {name: dict(row) for name, row in value["incidents"].items()}
            self._spans = {}
            for row in self.incidents.values():
                self._remember(row)
            if value["format"] != _FORMAT or len(self.key) != 16:
                raise ValueError
        except (KeyError, ValueError, TypeError, AttributeError):
            raise Problem("%s is damaged or from another version: put a copy back, or remove it to begin"
                          " anew" % path) from None

    def _remember(self, row):
        span = (timestamp.parse(row["first"]), timestamp.parse(row["last"]))
        self._spans.setdefault(row["source"], []).append(span)

    def source_name(self, row):
        """The source as the file knows it."""
        return hmac.digest(self.key, row.key.encode(), hashlib.sha256).hex()[:24]

    def knows(self, row):
        """Whether this incident, or one of the same source and time, was reported."""
        return row.incident in self.incidents or any(
            row.first <= last and first <= row.last for first, last in self._spans.get(self.source_name(row), ()))

    def add(self, row, at):
        """Remember it; save() puts it on the disk."""
        entry = {"source": self.source_name(row), "first": timestamp.print_ms(row.first),
                 "last": timestamp.print_ms(row.last), "reported": timestamp.print_ms(at)}
        self.incidents[row.incident] = entry
        self._remember(entry)

    def save(self, at):
        """Write it, without what is older than KEEP."""
        kept = {name: row for name, row in self.incidents.items() if timestamp.parse(row["reported"]) > at - KEEP}
        value = {"format": _FORMAT, "key": self.key.hex(), "incidents": kept}
        files.write_atomic(self.path, json.dumps(value, indent=1, sort_keys=True) + "\n")
