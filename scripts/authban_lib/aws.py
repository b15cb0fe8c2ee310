# SPDX-License-Identifier: GPL-2.0-or-later
"""For Amazon Web Services: the body of the Abuse Signal API, and the CSV and text that its form takes."""
import csv
import hashlib
import io
import json

from . import timestamp, xarf

CSV_FIELDS = ("source_ip", "source_port", "transport", "target_ip", "target_port", "first_seen_utc", "last_seen_utc",
              "failed_attempts", "incident", "log")


def client_token(row, config, test=False):
    """The same for the same incident, so that AWS takes a repeated report once; 1..128 printable characters."""
    return "authban-%s%s" % ("test-" if test else "", xarf.fingerprint(row, config))


def correlation_id(row, config):
    """The same for one network (/24, /48) and a day: [a-zA-Z0-9_-]."""
    text = "\n".join((config.reporter.domain, str(row.network), row.first.date().isoformat()))
    return "authban-" + hashlib.sha256(text.encode()).hexdigest()[:32]


def api_body(report, row, config, test=False):
    """POST /v1/abuse as text."""
    body = {"clientToken": client_token(row, config, test), "correlationId": correlation_id(row, config),
            "report": {"xarf": report}}
    return json.dumps(body, indent=1, sort_keys=True) + "\n"


def csv_text(rows, config, test=False):
    """One line per address: what the form wants when there are several."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(CSV_FIELDS)
    for row in rows:
        at = xarf.facts(row, config, test)
        # no cell begins with foreign words: a spreadsheet must not take them for a formula
        table.writerow([
            at.source, at.port, row.transport, at.target or "", at.target_port, timestamp.print_ms(row.first),
            timestamp.print_ms(row.last), row.failures, xarf.report_id(row, config, test),
            " | ".join(xarf.log_lines(row, at)[1:])])
    return out.getvalue()


def form_text(rows, config, test=False):
    """What is pasted into a provider's form."""
    lines = ["Abuse type: intrusion attempts, password guessing against SIP (VoIP) accounts.",
             "Reported by: %s <%s>" % (config.reporter.org, config.reporter.contact), ""]
    for row in rows:
        at = xarf.facts(row, config, test)
        lines += [xarf.summary(row, at), "", *xarf.log_lines(row, at), ""]
    return "\n".join(lines)
