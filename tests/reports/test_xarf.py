# SPDX-License-Identifier: GPL-2.0-or-later
"""Every report is good XARF v4: by our own statement, and by the official schema where that is there.

The schema is not part of the project: XARF_SCHEMA names its folder, or it stands in ../shared/xarf.
"""
import base64
import glob
import json
import os

import pytest

from lib import ROOT
from lib.offenders import elsewhere, hostile, row
from authban_lib import xarf

SCHEMA = os.environ.get("XARF_SCHEMA") or os.path.join(ROOT, "..", "shared", "xarf")

ROWS = [row(1), row(2, transport="tls", proof="stream", campaign=1), row(3, transport="sctp", proof="stream"),
        row(4, transport="ws", proof="nonce", samples=[]), row(5, first="2026-01-31T11:55:00Z", users=0, methods={}),
        hostile(), elsewhere("2001:db8:1:2::9", "2001:db8:1::/48"), elsewhere("192.0.2.9"),
        row(8, local_address="10.0.0.1"), row(9, source="203.0.113.9", failures=2**40, wrong_password=2**40)]


def reports(desk, *words):
    """[(name, report), ...] of all ROWS."""
    status, _, errors = desk.report(ROWS, *words)
    assert status == 0, errors
    return [(name, json.loads(data)) for name, data in sorted(desk.written(".xarf.json").items())]


@pytest.fixture(scope="module")
def official():
    """validate(report) -> [error, ...] by the official schema."""
    if not glob.glob(os.path.join(SCHEMA, "types", "*.json")):
        pytest.skip("the official schema is not here: set XARF_SCHEMA to its folder")
    jsonschema = pytest.importorskip("jsonschema")
    with open(os.path.join(SCHEMA, "xarf-core.json"), encoding="utf-8") as text:
        core = json.load(text)
    with open(os.path.join(SCHEMA, "types", "connection-login-attack.json"), encoding="utf-8") as text:
        kind = json.load(text)
    jsonschema.Draft202012Validator.check_schema(kind)
    validator = jsonschema.Draft202012Validator(
        kind, resolver=jsonschema.RefResolver(kind["$id"], kind, store={core["$id"]: core}),
        format_checker=jsonschema.FormatChecker())

    def validate(report):
        return [error.message for error in validator.iter_errors(report)]
    validate.required = set(core["required"]) | set(kind["allOf"][1]["required"]) | {"source_port"}
    return validate


@pytest.mark.parametrize("words", [(), ("--test",)], ids=["real", "test"])
def test_every_report_is_good_by_our_own_statement(desk, words):
    made = reports(desk, *words)
    assert len(made) == len(ROWS)
    for name, report in made:
        assert xarf.faults(report) == [], name
        assert ("lifecycle:test" in report["tags"]) == bool(words)
    print("\nXARF: %d reports, each good by our statement of %d required fields" % (len(made), len(xarf.REQUIRED)))


@pytest.mark.parametrize("words", [(), ("--test",)], ids=["real", "test"])
def test_every_report_validates_against_the_official_schema(desk, official, words):
    made = reports(desk, *words)
    assert {name: official(report) for name, report in made if official(report)} == {}
    print("\nXARF: %d reports validate against the official schema" % len(made))


@pytest.mark.parametrize("field", sorted(xarf.REQUIRED))
def test_control_a_missing_field_is_told(desk, field):
    report = reports(desk)[0][1]
    del report[field]
    assert xarf.faults(report) == ["%s is missing" % field]


@pytest.mark.parametrize("field", sorted(xarf.REQUIRED))
def test_control_the_schema_tells_it_too(desk, official, field):
    report = reports(desk)[0][1]
    del report[field]
    assert official(report)


def test_our_statement_asks_for_all_that_the_schema_requires(official):
    assert official.required == set(xarf.REQUIRED)


BAD = {"xarf_version": "3.0.0", "report_id": "1", "timestamp": "yesterday", "reporter": {"org": "x"}, "sender": "x",
       "source_identifier": "203.0.113.0/24", "source_port": 0, "category": "abuse", "type": "spam",
       "protocol": "tls", "first_seen": 1, "tags": ["Not A Tag"], "confidence": 2, "description": "x" * 1001,
       "evidence": [{"content_type": "text/plain", "payload": "!"}], "destination_port": 65536,
       "destination_ip": "here", "last_seen": None}


@pytest.mark.parametrize("field", sorted(BAD))
def test_control_a_wrong_value_is_told(desk, field):
    report = reports(desk)[0][1]
    assert xarf.faults({**report, field: BAD[field]}) == ["%s is not allowed as it is" % field]
    assert xarf.faults({**report, "_internal": {}}) == ["_internal must never be sent"]


def test_a_report_names_one_address_and_port_and_exact_times(desk):
    made = {report["source_identifier"]: report for _, report in reports(desk)}
    six = made["2001:db8:1:2::9"]
    assert "/" not in "".join(made), "a prefix is no address"
    assert (six["source_port"], six["protocol"]) == (40007, "udp")
    one = made["203.0.113.2"]
    assert (one["source_port"], one["protocol"], one["destination_ip"], one["destination_port"]) == (
        40002, "tcp", "198.18.0.1", 5060)
    assert (one["first_seen"], one["last_seen"]) == ("2026-01-31T11:55:00.000Z", "2026-01-31T11:56:40.000Z")
    assert "destination_ip" not in made["203.0.113.8"], "an address of an own network says nothing outside"


def test_the_log_is_evidence_and_does_not_tell_who_exists(desk):
    """wrong_password and no_user are one class in a report: it is passed on to the attacker."""
    for name, report in reports(desk):
        log = base64.b64decode(report["evidence"][0]["payload"]).decode("ascii")
        assert report["source_identifier"] in log
        for word in ("no_user", "wrong_password", "no such user"):
            assert word not in log + report["description"], name


def test_a_proxy_behind_nat_tells_its_public_address(desk):
    desk.write("report.conf", open(desk.path("report.conf"), encoding="utf-8").read()
               + "[targets]\n10.0.0.1 = 198.18.5.5\n")
    made = {report["source_identifier"]: report for _, report in reports(desk)}
    assert made["203.0.113.8"]["destination_ip"] == "198.18.5.5"


def test_a_test_report_names_nobody(desk):
    """AWS asks for test values in tests."""
    for name, report in reports(desk, "--test"):
        assert report["source_identifier"] in ("192.0.2.1", "2001:db8::1"), name
        assert "203.0.113" not in json.dumps(report)
    assert not os.path.exists(desk.state), "a test is not remembered"


def test_a_trial_can_be_made_in_a_laboratory(desk):
    """A private address is never reported, and a trial names none of ours."""
    rows = [elsewhere("10.1.2.3")]
    status, out, _ = desk.report(rows)
    assert status == 0 and "nothing to report" in out
    status, out, errors = desk.report(rows, "--test")
    assert status == 0 and "1 report written" in out, errors
    for name, data in desk.written().items():
        assert "10.1.2.3" not in name and b"10.1.2.3" not in data
