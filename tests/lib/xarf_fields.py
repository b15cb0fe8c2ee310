# SPDX-License-Identifier: GPL-2.0-or-later
"""What an XARF v4 report of a login attack must have: a statement of our own, and the official schema where it is.

The schema is not part of this project: XARF_SCHEMA names a folder with xarf-core.json and types/, or it lies beside
the project in ../shared/xarf.
"""
import base64
import hashlib
import ipaddress
import json
import os
import re

from . import ROOT

_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
_UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
_TAG = re.compile(r"^[a-z0-9][a-z0-9_+-]*:[a-z0-9][a-z0-9_+-]*$")


def _is_party(value):
    return (isinstance(value, dict) and set(value) == {"org", "contact", "domain"} and 0 < len(value["org"]) <= 200
            and re.match(r"^[^@\s]+@[^@\s]+$", value["contact"]) and re.match(r"^[A-Za-z0-9.-]+$", value["domain"]))


def _is_address(value):
    try:
        return bool(ipaddress.ip_address(value))
    except ValueError:
        return False


def _is_port(value):
    return isinstance(value, int) and 1 <= value <= 65535


REQUIRED = {
    "xarf_version": lambda value: re.match(r"^4\.\d+\.\d+$", value),
    "report_id": _UUID.match,
    "timestamp": _TIME.match,
    "reporter": _is_party,
    "sender": _is_party,
    "source_identifier": _is_address,
    "source_port": _is_port,
    "category": lambda value: value == "connection",
    "type": lambda value: value == "login_attack",
    "protocol": lambda value: value in ("tcp", "udp", "icmp", "sctp"),
    "first_seen": _TIME.match,
}
OPTIONAL = {
    "destination_ip": _is_address,
    "destination_port": _is_port,
    "last_seen": _TIME.match,
    "evidence_source": lambda value: value,
    "confidence": lambda value: 0 <= value <= 1,
    "description": lambda value: 0 < len(value) <= 1000,
    "tags": lambda value: len(value) <= 20 and all(map(_TAG.match, value)),
    "evidence": lambda value: len(value) <= 50 and all(map(is_evidence, value)),
}


def attachment(item):
    """The bytes of one piece of evidence."""
    return base64.b64decode(item["payload"], validate=True)


def is_evidence(item):
    data = attachment(item)
    return (item["content_type"] == "text/plain" and len(item["description"]) <= 500 and len(data) == item["size"]
            and item["hash"] == "sha256:" + hashlib.sha256(data).hexdigest())


def problems(report):
    """What is missing or wrong, by our own statement; empty: nothing."""
    found = ["%s is missing" % name for name in REQUIRED if name not in report]
    for name, value in report.items():
        check = REQUIRED.get(name) or OPTIONAL.get(name)
        if not check or not check(value):
            found.append("%s is %r" % (name, value))
    return found


def schema_folder():
    """Where the official schema is; None: nowhere."""
    main = os.path.join(os.path.dirname(os.path.realpath(ROOT)), "shared", "xarf")
    for folder in (os.environ.get("XARF_SCHEMA"), main):
        if folder and os.path.exists(os.path.join(folder, "xarf-core.json")):
            return folder
    return None


def official(folder):
    """A function that names what the official schema finds wrong with a report."""
    import jsonschema

    with open(os.path.join(folder, "xarf-core.json"), encoding="utf-8") as text:
        core = json.load(text)
    with open(os.path.join(folder, "types", "connection-login-attack.json"), encoding="utf-8") as text:
        schema = json.load(text)
    resolver = jsonschema.RefResolver(schema["$id"], schema, store={core["$id"]: core})
    validator = jsonschema.Draft202012Validator(schema, resolver=resolver,
                                                format_checker=jsonschema.FormatChecker())
    return lambda report: [error.message for error in validator.iter_errors(report)]
