# SPDX-License-Identifier: GPL-2.0-or-later
"""An ASN database (.mmdb), by the python3-maxminddb package or the program mmdblookup; optional."""
import os
import re
import shutil
import subprocess

from . import Problem

try:
    import maxminddb
except ImportError:
    maxminddb = None

_NUMBER = re.compile(r'"autonomous_system_number":\s*(\d{1,10}) <uint')
_NAME = re.compile(r'"autonomous_system_organization":\s*"(.*)" <utf8_string>')


class _Module:
    def __init__(self, path):
        self.reader = maxminddb.open_database(path)

    def find(self, addr):
        """(AS number, organization) or None."""
        row = self.reader.get(str(addr))
        if not isinstance(row, dict) or not isinstance(row.get("autonomous_system_number"), int):
            return None
        return row["autonomous_system_number"], str(row.get("autonomous_system_organization") or "")


class _Program:
    def __init__(self, path):
        self.path = path

    def find(self, addr):
        """(AS number, organization) or None."""
        done = subprocess.run(["mmdblookup", "--file", self.path, "--ip", str(addr)], stdin=subprocess.DEVNULL,
                              capture_output=True, encoding="utf-8", errors="replace", timeout=10, check=False)
        number, name = _NUMBER.search(done.stdout), _NAME.search(done.stdout)
        return (int(number.group(1)), name.group(1) if name else "") if number else None


def open_database(path, warn):
    """Something with find(address), or None after one sentence to warn()."""
    if not os.path.exists(path):
        warn("the ASN database %s is not there: providers are not looked up in it" % path)
        return None
    try:
        if maxminddb:
            return _Module(path)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise Problem("%s is not an ASN database: %s" % (path, error)) from None
    if shutil.which("mmdblookup"):
        return _Program(path)
    warn("neither python3-maxminddb nor mmdblookup (package mmdb-bin) is installed: %s is not used" % path)
    return None
