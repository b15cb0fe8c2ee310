# SPDX-License-Identifier: GPL-2.0-or-later
"""One incident makes one report; what is unproven, not banned, imported or restored makes none."""
import datetime
import json
import os
import stat
import subprocess
import sys

import pytest

from lib import SCRIPTS
from lib.offenders import AT, row, when
from authban_lib import files, reported


def test_the_same_incident_is_reported_once(desk):
    assert desk.report([row(1), row(2)])[0] == 0
    first = desk.written()
    status, out, errors = desk.report([row(1), row(2, failures=900, last=when(100)), row(3)],
                                      at=AT + datetime.timedelta(hours=1))
    assert status == 0 and "1 report written" in out
    assert errors.count("it was reported before") == 2
    new = {name: data for name, data in desk.written(".xarf.json").items() if name not in first}
    assert [json.loads(data)["source_identifier"] for data in new.values()] == ["203.0.113.3"]
    assert {name: data for name, data in desk.written().items() if name in first} == first, "nothing is written over"
    print("\nonce: 3 incidents, seen 5 times, 3 reports")


def test_the_same_attack_under_another_id_is_one_incident(desk):
    """Two proxies may tell one attack with two ids: by source and time it is the same."""
    desk.report([row(1)])
    again = row(1, incident="e" * 16, first=when(250), last=when(10))
    assert "nothing to report" in desk.report([again])[1]
    both = [row(2), row(2, incident="d" * 16, first=when(250))]
    assert "1 report written" in desk.report(both)[1]


def test_an_id_is_known_whatever_else_has_changed(desk):
    desk.report([row(1)])
    assert "nothing to report" in desk.report([row(1, first=when(150), last=when(10))])[1]


def test_a_new_attack_of_the_same_source_is_a_new_incident(desk):
    desk.report([row(1)])
    assert "1 report written" in desk.report([row(1, incident="e" * 16, first=when(150), last=when(10))])[1]


@pytest.mark.parametrize("more, why", [
    ({"imported": 1}, "known only from elsewhere"), ({"proof": "none"}, "not proved its address"),
    ({"banned": 0, "bans": 0}, "never banned"),
    ({"source": "10.1.2.3", "address": "10.1.2.3", "network": "10.1.2.0/24"}, "public Internet")])
def test_never_reported(desk, more, why):
    status, out, errors = desk.report([row(1, **more)])
    assert status == 0 and "nothing to report" in out and why in errors
    assert not desk.written() and not os.path.exists(desk.state)
    assert "1 report written" in desk.report([row(1)])[1], "control: without it there is a report"


def test_a_ban_that_has_ended_is_still_reported(desk):
    assert "1 report written" in desk.report([row(1, banned=0)])[1]


def test_who_saw_it_first_hand_counts(desk):
    """The same incident from two proxies: imported at one, seen at the other."""
    assert "1 report written" in desk.report([row(1, imported=1, failures=99), row(1, failures=5)])[1]
    (data,) = desk.written(".xarf.json").values()
    assert json.loads(data)["attempt_count"] == 5


@pytest.mark.parametrize("words", [("--dry",), ("--test",), ("incidents",)])
def test_nothing_is_remembered_of_a_trial(desk, words):
    assert desk.report([row(1)], *words)[0] == 0
    assert not os.path.exists(desk.state)
    assert words == ("--test",) or not desk.written()
    assert "1 report written" in desk.report([row(1)])[1]


def test_the_state_is_private_and_names_no_source(desk):
    desk.report([row(1)])
    with open(desk.state, encoding="ascii") as text:
        assert "203.0.113" not in text.read()
    assert stat.S_IMODE(os.stat(desk.state).st_mode) == 0o600
    assert all(stat.S_IMODE(os.stat(os.path.join(desk.out, name)).st_mode) == 0o600 for name in desk.written())


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2, "key": "", "incidents": {}}', '{"format": 1, "key"',
                                  '{"format": 1, "key": "00112233445566778899aabbccddeeff", "incidents": {"x": 1}}'])
def test_a_damaged_state_stops_everything(desk, text):
    """An empty one instead would report all again."""
    os.makedirs(os.path.dirname(desk.state))
    desk.write(os.path.join("state", "reported.json"), text)
    status, _, errors = desk.report([row(1)])
    assert status == 1 and "damaged" in errors and errors.count("\n") == 1
    assert not desk.written()


def test_two_runs_at_once_are_one(desk):
    with files.only_one(desk.state):
        status, _, errors = desk.report([row(1)])
    assert status == 1 and "in use by another run" in errors and not desk.written()


def test_who_dies_before_the_state_is_written_reports_the_same_again(desk, monkeypatch):
    def dies(*_):
        raise KeyboardInterrupt
    with monkeypatch.context() as patch:
        patch.setattr(reported.Reported, "save", dies)
        with pytest.raises(KeyboardInterrupt):
            desk.report([row(1)])
    first = desk.written(".xarf.json")
    assert "1 report written" in desk.report([row(1)])[1]
    assert desk.written(".xarf.json") == first


DYING = """
import os, sys
sys.path.insert(0, %r)
from authban_lib import files
real = getattr(os, sys.argv[2])
def die(*args, **more):
    if sys.argv[3] == "after":
        real(*args, **more)
    os._exit(9)
setattr(os, sys.argv[2], die)
files.write_atomic(sys.argv[1], "new")
""" % SCRIPTS


@pytest.mark.parametrize("call, moment, left", [
    ("fsync", "before", "old"), ("fsync", "after", "old"), ("replace", "before", "old"), ("replace", "after", "new")])
def test_the_state_is_old_or_new_whenever_it_dies(desk, call, moment, left):
    path = desk.write("state", "old")
    done = subprocess.run([sys.executable, "-c", DYING, path, call, moment], check=False, timeout=20)
    assert done.returncode == 9
    with open(path, encoding="ascii") as text:
        assert text.read() == left


def test_it_is_on_the_disk_before_it_is_the_file(desk, monkeypatch):
    order = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, name=name, real=real: (order.append(name), real(*args))[1])
    files.write_atomic(desk.path("x"), "x")
    assert order == ["fsync", "replace", "fsync"]


def test_a_full_disk_is_told_and_leaves_nothing(desk, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(os, "fsync", full)
    status, _, errors = desk.report([row(1)])
    assert status == 1 and "No space left" in errors
    assert not desk.written() and not os.path.exists(desk.state)


def test_old_incidents_are_forgotten(desk):
    desk.report([row(1)])
    desk.report([row(2, first="2027-06-01T00:00:00Z", last="2027-06-01T00:00:10Z", samples=[])],
                at=AT + datetime.timedelta(days=486))
    with open(desk.state, encoding="ascii") as text:
        assert list(json.load(text)["incidents"]) == [row(2)["incident"]]
