# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of reports: a folder per provider, and how to send what is in it. Nothing is sent from here."""
import collections
import json
import os
import shlex

from . import Problem, aws, config, files, incidents, mail, xarf

File = collections.namedtuple("File", "folder name text send")
File.__doc__ = "folder: below the output folder; text: str or bytes; send: the sentence or command, or None."


def make(offenders, settings, at, test=False):
    """[File, ...] for offenders that may all be reported. at: now, for the names of what holds several."""
    made = []
    folders = _folders(offenders)
    by_provider = collections.defaultdict(list)
    for one in offenders:
        made += _of_one(one, folders[one.provider.name], settings, test)
        by_provider[one.provider.name].append(one)
    for name, members in sorted(by_provider.items()):
        made += _of_provider(members, folders[name], settings, stamp(at), test)
    return made


def stamp(at):
    """20260131T120000Z: later runs leave the files of earlier ones alone."""
    return at.strftime("%Y%m%dT%H%M%SZ")


def _folders(offenders):
    """{provider's name: folder}, no two the same."""
    found = {}
    for name in sorted({one.provider.name for one in offenders}):
        folder, number = incidents.folder_name(name), 1
        while folder in found.values():
            number += 1
            folder = "%s-%d" % (incidents.folder_name(name), number)
        found[name] = folder
    return found


def _of_one(one, folder, settings, test):
    report = xarf.document(one.row, settings, test)
    wrong = xarf.faults(report)
    if wrong:
        raise Problem("the report of incident %s is not as XARF wants it: %s" % (one.row.incident, "; ".join(wrong)))
    stem = "%s-%s%s" % (report["source_identifier"].replace(":", "_"), one.row.incident, "-test" if test else "")
    contact = one.provider.contact
    yield File(folder, stem + ".xarf.json", json.dumps(report, indent=1, sort_keys=True) + "\n", None)
    if one.provider.aws:
        yield File(folder, stem + ".aws.json", aws.api_body(report, one.row, settings, test),
                   "aws abuse-signal create-abuse-report --region us-east-1 --cli-input-json file://%s")
    if contact and config.is_mailbox(contact):
        text = mail.message(report, one.row, settings, contact, test).as_bytes()
        yield File(folder, stem + ".eml", text, "sendmail -t < %s")


def _of_provider(members, folder, settings, when, test):
    rows = [one.row for one in members]
    pages = sorted({one.provider.contact for one in members
                    if one.provider.contact and not config.is_mailbox(one.provider.contact)})
    send = "paste %%s into %s" % " or ".join(page.replace("%", "%%") for page in pages) if pages else None
    yield File(folder, "form-%s.txt" % when, aws.form_text(rows, settings, test), send)
    if len(rows) > 1:
        yield File(folder, "addresses-%s.csv" % when, aws.csv_text(rows, settings, test),
                   "attach %s there" if pages else None)


def write(made, out, at):
    """Write all below `out`, how to send it last. Returns that text."""
    try:
        os.makedirs(out, mode=0o700, exist_ok=True)
        for folder in sorted({one.folder for one in made}):
            os.makedirs(os.path.join(out, folder), mode=0o700, exist_ok=True)
        for one in made:
            files.write_atomic(os.path.join(out, one.folder, one.name), one.text)
        text = howto(made, out)
        files.write_atomic(os.path.join(out, "HOWTO-%s.txt" % stamp(at)), text)
    except OSError as error:
        raise Problem("cannot write below %s: %s" % (out, error.strerror)) from None
    return text


def howto(made, out):
    """How to send them, provider by provider."""
    lines = ["Nothing has been sent. Look at the files, then send them yourself:", ""]
    for folder in sorted({one.folder for one in made}):
        lines.append(folder + ":")
        steps = [one.send % shlex.quote(os.path.join(out, folder, one.name))
                 for one in made if one.folder == folder and one.send]
        lines += ["  " + step for step in steps] or [
            "  no contact is known: add one to your map or to [contacts] (whois names it), or use the form-*.txt"]
        lines.append("")
    return "\n".join(lines)
