# SPDX-License-Identifier: GPL-2.0-or-later
"""The other forms of a report: AWS's request, the CSV, the mail. Each is read back by a second hand."""
import csv
import email
import email.policy
import io
import json
import re

from lib.offenders import elsewhere, hostile, row

AWS = [elsewhere("192.0.2.9"), elsewhere("192.0.2.17"), elsewhere("2001:db8:aaaa::5", "2001:db8:aaaa::/48")]


def test_aws_gets_its_request(desk):
    assert desk.report(AWS)[0] == 0
    bodies = [json.loads(data) for data in desk.written(".aws.json").values()]
    assert len(bodies) == len(AWS)
    for body in bodies:
        assert set(body) == {"clientToken", "correlationId", "report"} and set(body["report"]) == {"xarf"}
        assert re.fullmatch(r"[\x21-\x7e]{1,128}", body["clientToken"])
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,256}", body["correlationId"])
        assert len(json.dumps(body)) < 5_000_000
    assert len({body["clientToken"] for body in bodies}) == len(AWS)
    reports = [json.loads(data) for data in desk.written(".xarf.json").values()]
    assert sorted(b["report"]["xarf"]["report_id"] for b in bodies) == sorted(r["report_id"] for r in reports)


def test_only_aws_gets_aws_requests(desk):
    desk.report([row(1)])
    assert not desk.written(".aws.json")


def tokens(desk, rows, *words):
    """{source: clientToken} of a run that remembers nothing."""
    desk.state, desk.out = desk.state + ".lost", desk.out + ".new"
    assert desk.report(rows, *words)[0] == 0
    bodies = [json.loads(data) for data in desk.written(".aws.json").values()]
    return {body["report"]["xarf"]["source_identifier"]: body["clientToken"] for body in bodies}


def test_the_client_token_is_that_of_the_incident(desk):
    """It goes on, is written again after a lost state file, and stays the same; another incident has another."""
    first = tokens(desk, AWS[:1])
    later = tokens(desk, [dict(AWS[0], last="2026-01-31T11:59:00.000Z", failures=900, port=1234)])
    other = tokens(desk, [dict(AWS[0], incident="f" * 16, first="2026-01-31T11:58:00.000Z",
                               last="2026-01-31T11:59:30.000Z")])
    assert first == later and set(first) == set(other) and first != other
    assert tokens(desk, AWS[:1], "--test")["192.0.2.1"].startswith("authban-test-")


def test_addresses_of_one_network_have_one_correlation_id(desk):
    desk.report(AWS)
    found = [json.loads(data)["correlationId"] for data in desk.written(".aws.json").values()]
    assert len(found) == 3 and len(set(found)) == 2


def test_the_csv_parses_back(desk):
    rows = [*AWS, hostile(9) | {"source": "192.0.2.66", "address": "192.0.2.66", "network": "192.0.2.0/24"}]
    assert desk.report(rows)[0] == 0
    (text,) = desk.written(".csv").values()
    table = list(csv.DictReader(io.StringIO(text.decode("ascii"), newline="")))
    assert sorted(line["source_ip"] for line in table) == sorted(r["address"] for r in rows)
    by_address = {r["address"]: r for r in rows}
    for line in table:
        sent = by_address[line["source_ip"]]
        assert (int(line["source_port"]), int(line["failed_attempts"])) == (sent["port"], sent["failures"])
        assert (line["first_seen_utc"], line["last_seen_utc"]) == (sent["first"], sent["last"])
        assert line["target_ip"] == "198.18.0.1" and line["target_port"] == "5060"
        assert line["log"].count(" | ") == len(sent["samples"])
        assert not any(cell[:1] in "=+-@" for cell in line.values() if cell)
        assert len(line["log"]) < 32767
    assert len(text.splitlines()) == 1 + len(rows), "no cell breaks a line"
    print("\nCSV: %d addresses parse back, %d bytes" % (len(table), len(text)))


def test_one_address_needs_no_csv(desk):
    desk.report(AWS[:1])
    assert not desk.written(".csv") and desk.written(".txt")


def test_the_mail_parses_back(desk):
    rows = [row(1), hostile(2), elsewhere("2001:db8:1:2::9", "2001:db8:1::/48")]
    assert desk.report(rows)[0] == 0
    mails = desk.written(".eml")
    assert len(mails) == len(rows)
    for name, data in mails.items():
        mail = email.message_from_bytes(data, policy=email.policy.default)
        assert not mail.defects and mail["To"] in ("abuse@one.example", "abuse@six.example")
        assert mail.get_content_type() == "multipart/report" and mail.get_param("report-type") == "feedback-report"
        text, feedback, attached = mail.iter_parts()
        assert text.get_content_type() == "text/plain"
        assert feedback.get_content_type() == "message/feedback-report"
        fields = feedback.get_payload()[0]
        assert fields["Feedback-Type"] == "xarf" and fields["Version"] == "1" and fields["User-Agent"]
        assert attached.get_content_type() == "application/json" and attached.get_param("name") == "xarf.json"
        report = json.loads(attached.get_content())
        assert report == json.loads(desk.written(".xarf.json")[name[:-4] + ".xarf.json"])
        assert report["source_identifier"] in text.get_content() and report["source_identifier"] in mail["Subject"]
        assert fields["Source-IP"] == report["source_identifier"]
        assert set(mail.keys()) == {"Content-Type", "MIME-Version", "From", "To", "Subject", "Date", "Message-ID",
                                    "Auto-Submitted"}, "no header is injected"
        assert max(map(len, data.splitlines())) <= 998
    print("\nmail: %d multipart/report parse back" % len(mails))


def test_a_test_mail_says_so(desk):
    desk.report([row(1)], "--test")
    (data,) = desk.written(".eml").values()
    mail = email.message_from_bytes(data, policy=email.policy.default)
    assert mail["Subject"].startswith("TEST: ") and "TEST" in next(mail.iter_parts()).get_content()


def test_who_sends_and_who_reports_may_differ(desk):
    desk.write("report.conf", open(desk.path("report.conf"), encoding="utf-8").read()
               + "[sender]\norg = Desk Ltd\ncontact = desk@desk.example\ndomain = desk.example\n")
    desk.report([row(1)])
    (data,) = desk.written(".eml").values()
    mail = email.message_from_bytes(data, policy=email.policy.default)
    assert "desk@desk.example" in mail["From"] and "abuse@reporter.example" in mail["Reply-To"]
    (data,) = desk.written(".xarf.json").values()
    assert json.loads(data)["sender"]["domain"] == "desk.example"


def test_it_says_how_to_send_and_sends_nothing(desk):
    status, out, _ = desk.report([row(1), *AWS, elsewhere("198.51.100.7"), elsewhere("198.18.7.7")])
    assert status == 0 and "Nothing has been sent" in out
    assert "sendmail -t < " in out and "aws abuse-signal create-abuse-report" in out
    assert "paste " in out and "https://two.example/abuse#form" in out
    assert re.search(r"unknown:\n  no contact is known", out)
    (told,) = [data for name, data in desk.written(".txt").items() if name.startswith("HOWTO")]
    assert told.decode() in out
