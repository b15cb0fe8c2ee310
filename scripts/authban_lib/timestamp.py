# SPDX-License-Identifier: GPL-2.0-or-later
"""Times: ISO 8601 in UTC with milliseconds, and spans such as 90m or 7d. Inside: datetime in UTC."""
import datetime
import re

from . import Problem

UTC = datetime.timezone.utc
_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)
_SPAN = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def now():
    """The time of day, in UTC."""
    return datetime.datetime.now(UTC)


def parse(text):
    """ISO 8601 in UTC, as the module writes it; ValueError for anything else."""
    if not isinstance(text, str) or not _FORM.fullmatch(text):
        raise ValueError("not a time such as 2026-01-31T12:00:00.123Z")
    head, _, fraction = text[:-1].partition(".")
    moment = datetime.datetime.strptime(head, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return moment + datetime.timedelta(microseconds=int((fraction + "000000")[:6]))


def from_ms(number):
    """Milliseconds since 1970."""
    return datetime.datetime.fromtimestamp(number // 1000, UTC) + datetime.timedelta(milliseconds=number % 1000)


def print_ms(moment):
    """2026-01-31T12:00:00.123Z"""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (moment.microsecond // 1000)


def print_s(moment):
    """2026-01-31T12:00:00Z"""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(text):
    """Seconds in "90", "90s", "15m", "24h" or "7d"; Problem for anything else."""
    found = _SPAN.fullmatch(text + "s" if text.isascii() and text.isdigit() else text)
    if not found:
        raise Problem("%.40s is not a span of time such as 90s, 15m, 24h or 7d" % text)
    return int(found.group(1)) * _SECONDS[found.group(2)]


def since(text, at):
    """The moment that --since names: a span before `at`, a day, or an ISO time."""
    try:
        return parse(text if "T" in text else text + "T00:00:00Z")
    except ValueError:
        pass
    try:
        return at - datetime.timedelta(seconds=span(text))
    except (Problem, OverflowError):
        raise Problem("%.40s is not a time: give 24h, 7d, 2026-01-31 or 2026-01-31T12:00:00Z" % text) from None
