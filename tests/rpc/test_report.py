# SPDX-License-Identifier: GPL-2.0-or-later
"""authban.report: an XARF v4 document, by our own statement of its fields and by the official schema."""
import copy
import json

import pytest

from lib import xarf_fields
from lib.kamailio import Proxy
from lib.sip import Guesser
from lib.wait import wait_for
from proxies import RpcFault

ORG, CONTACT, DOMAIN = "A & B, Gmb/H <1>", "abuse@example.com", "voip.example.com"
REPORTER = "\n".join('modparam("authban", "report_%s", "%s")' % pair for pair in (
    ("org", ORG), ("contact", CONTACT), ("domain", DOMAIN)))
SOURCES = {"udp": "127.21.0.1", "tcp": "127.21.0.2"}


USERS = ["alice", "mallory", "alice"]  # there is no mallory


def attack(node, source, transport):
    """Three guesses, of which the last bans; returns their port."""
    with Guesser("alice", node.target, source=source, transport=transport, timeout=2) as guesser:
        for number, user in enumerate(USERS):
            header = guesser.answer_header(guesser.challenge(), "wrong-%d" % number, user)
            guesser.link.send(guesser.build([header, ("User-Agent", 'an "agent" \\ \x01 of \xe4')]))
        wait_for(lambda: source in node.bans(), 3, "the ban")
        return guesser.link.local[1]


@pytest.fixture(scope="module")
def node():
    with Proxy(defines={"AB_THRESHOLD": 3}, extra=REPORTER) as made:
        made.ports = {transport: attack(made, source, transport) for transport, source in SOURCES.items()}
        yield made


@pytest.fixture(params=SOURCES)
def transport(request):
    return request.param


@pytest.fixture
def report(node, transport):
    return json.loads(node.rpc("authban.report", SOURCES[transport]))


def test_the_fields(node, transport, report):
    assert xarf_fields.problems(report) == []
    row = node.rpc("authban.evidence_get", SOURCES[transport])
    assert (report["source_identifier"], report["source_port"]) == (SOURCES[transport], node.ports[transport])
    assert (report["destination_ip"], report["destination_port"]) == ("127.0.0.1", node.port)
    assert (report["first_seen"], report["last_seen"], report["protocol"]) == (row["first"], row["last"], transport)
    assert report["reporter"] == report["sender"] == {"org": ORG, "contact": CONTACT, "domain": DOMAIN}
    lines = xarf_fields.attachment(report["evidence"][0]).decode("ascii").splitlines()
    assert len(lines) == 3 == row["failures"]
    numbers = {}
    for line, sample in zip(lines, row["samples"]):
        number = numbers.setdefault(sample["user"], len(numbers) + 1)
        assert line.startswith("%s method=REGISTER class=wrong_credentials user=%d user_agent=" % (
            sample["time"], number)) and line.endswith('"an \\x22agent\\x22 \\x5c \\x01 of \\xc3\\xa4"')
    assert len(numbers) == 2


def test_which_users_exist_is_not_told(node, transport, report):
    """A report may be passed on to the attacker, who knows whom he tried."""
    row = node.rpc("authban.evidence_get", SOURCES[transport])
    classes = sorted(sample["class"] for sample in row["samples"])  # over UDP two workers may change places
    assert classes == ["no_user", "wrong_password", "wrong_password"]
    text = json.dumps(report) + xarf_fields.attachment(report["evidence"][0]).decode("ascii")
    assert "3 wrong credentials" in report["description"]
    for word in ("wrong_password", "no_user", "unknown", *{sample["user"] for sample in row["samples"]}, *USERS):
        assert word not in text, word


def test_the_same_incident_has_the_same_id(node, transport, report):
    assert json.loads(node.rpc("authban.report", SOURCES[transport]))["report_id"] == report["report_id"]
    others = {json.loads(node.rpc("authban.report", source))["report_id"] for source in SOURCES.values()}
    assert len(others) == len(SOURCES)


def spoiled(report):
    """A report without each required field, and with wrong values."""
    for name in xarf_fields.REQUIRED:
        other = copy.deepcopy(report)
        del other[name]
        yield name, other
    for name, value in (("source_port", 0), ("protocol", "sip"), ("type", "spam"), ("xarf_version", "3.0.0"),
                        ("tags", ["a tag"]), ("reporter", {"org": "x"}), ("confidence", 2)):
        yield name, dict(report, **{name: value})


def test_the_statement_has_teeth(report):
    for name, other in spoiled(report):
        assert any(name in problem for problem in xarf_fields.problems(other)), name


def test_the_official_schema(report):
    folder = xarf_fields.schema_folder()
    if not folder:
        pytest.skip("no XARF schema: set XARF_SCHEMA, or put it into ../shared/xarf")
    errors = xarf_fields.official(folder)
    assert errors(report) == []
    kept = [name for name, other in spoiled(report) if not errors(other)]
    assert kept == [], "the schema accepts a report without these"
    print("\nreport: valid by the official schema, %d spoiled ones are not" % len(list(spoiled(report))))


def test_who_does_not_say_who_reports_gets_no_report():
    with Proxy(defines={"AB_THRESHOLD": 3}) as plain:
        attack(plain, "127.21.0.3", "tcp")
        with pytest.raises(RpcFault, match="report_org, report_contact and report_domain are not set") as caught:
            plain.rpc("authban.report", "127.21.0.3")
        assert caught.value.code == 409
