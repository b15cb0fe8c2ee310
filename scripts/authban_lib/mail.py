# SPDX-License-Identifier: GPL-2.0-or-later
"""The mail of one report: multipart/report with a text, the feedback-report and xarf.json."""
import email.message
import email.mime.application
import email.mime.base
import email.mime.multipart
import email.mime.text
import email.utils
import json

from . import VERSION, xarf


def text_of(report, row, config, test=False):
    """The plain words of a mail."""
    at = xarf.facts(row, config, test)
    lines = ["Dear abuse team,", "", "an address of yours guesses passwords of SIP accounts.", ""]
    if test:
        lines[2] = "this is a TEST of a reporting system: please do nothing."
    lines += [xarf.summary(row, at), "", "Log:", "", *xarf.log_lines(row, at), "",
              "The same in XARF v4 is attached for your systems (report %s)." % report["report_id"],
              "Please stop it. Names of our users are left out on purpose; ask us if you need more.", "",
              config.reporter.org, config.reporter.contact]
    return "\n".join(lines) + "\n"


def message(report, row, config, to, test=False):
    """An email.message for a mailbox, to be sent by whatever sends your mail."""
    mail = email.mime.multipart.MIMEMultipart("report", _boundary(report), report_type="feedback-report")
    mail["From"] = email.utils.formataddr((config.sender.org, config.sender.contact))
    mail["To"] = to
    if config.reporter != config.sender:
        mail["Reply-To"] = email.utils.formataddr((config.reporter.org, config.reporter.contact))
    mail["Subject"] = "%sAbuse report: SIP password guessing from %s" % (
        "TEST: " if test else "", report["source_identifier"])
    mail["Date"] = email.utils.format_datetime(row.last)
    mail["Message-ID"] = "<%s@%s>" % (report["report_id"], config.sender.domain)
    mail["Auto-Submitted"] = "auto-generated"
    mail.attach(email.mime.text.MIMEText(text_of(report, row, config, test), "plain", "utf-8"))
    mail.attach(_feedback(report))
    json_part = email.mime.application.MIMEApplication(
        json.dumps(report, indent=1, sort_keys=True).encode(), "json", name="xarf.json")
    json_part["Content-Disposition"] = 'attachment; filename="xarf.json"'
    mail.attach(json_part)
    return mail


def _boundary(report):
    # the same file for the same report
    return "=_" + report["report_id"]


def _feedback(report):
    fields = email.message.Message()
    fields["Feedback-Type"] = "xarf"
    fields["User-Agent"] = "authban-report/" + VERSION
    fields["Version"] = "1"
    fields["Source-IP"] = report["source_identifier"]
    fields["Source-Port"] = str(report["source_port"])
    fields["Arrival-Date"] = report["timestamp"]
    part = email.mime.base.MIMEBase("message", "feedback-report")
    part.set_payload([fields])
    return part
