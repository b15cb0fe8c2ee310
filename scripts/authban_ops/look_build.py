# SPDX-License-Identifier: GPL-2.0-or-later
"""Findings about the binary and the module file."""
import os
import re
import subprocess

from . import clean
from .finding import fail, ok, warn


class Binary:
    """What `kamailio -V` and `-I` say; .version is "" when it does not run."""

    def __init__(self, path):
        self.path = path
        text = self._run("-V")
        found = re.search(r"^version: (.*?) *$", text, re.M)
        self.version = found.group(1) if found else ""
        found = re.search(r"^flags: (.*?) *$", text, re.M)
        # 6.1 says these of itself and compares without them (scripts/kamailio-flags)
        self.flags = re.sub(r", DBG_(QM|F|TLSF)_MALLOC\b", "", found.group(1)) if found else ""
        found = re.search(r"Default paths to modules: *(\S+)", self._run("-I"))
        self.folders = found.group(1).split(":") if found else []

    def _run(self, *words):
        try:
            return subprocess.run([self.path, *words], capture_output=True, text=True, errors="replace", timeout=10,
                                  stdin=subprocess.DEVNULL, check=False).stdout
        except (OSError, subprocess.TimeoutExpired):
            return ""

    def check(self, words):
        """(good, the first error of `kamailio -c`)."""
        try:
            done = subprocess.run([self.path, "-c", *words], capture_output=True, text=True, errors="replace",
                                  timeout=30, stdin=subprocess.DEVNULL, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return False, clean(error)
        errors = re.findall(r"(?:ERROR|CRITICAL): (.*)", done.stdout + done.stderr)
        return done.returncode == 0, clean(errors[0] if errors else "it gives no reason", 300)


def look_at_binary(binary):
    if not binary.version:
        yield fail("binary", "%s does not run" % clean(binary.path),
                   "install kamailio, or name its path with --kamailio")
    else:
        yield ok("binary", clean(binary.version))


def find_module(name, binary, paths):
    """(path or None, folders that were looked at)."""
    if "/" in name:
        return (name if os.path.isfile(name) else None), [os.path.dirname(name)]
    file = name if name.endswith(".so") else name + ".so"
    folders = paths or binary.folders
    for folder in folders:
        for path in (os.path.join(folder, file), os.path.join(folder, name, file)):
            if os.path.isfile(path):
                return path, folders
    return None, folders


def look_at_module(path, folders, binary):
    if path is None:
        yield fail("module", "authban.so is not in %s" % clean(":".join(folders) or "any folder"),
                   "install kamailio-authban-modules, or `make install`, or set loadpath")
        return
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        yield fail("module", "cannot read %s: %s" % (clean(path), error.strerror), "give Kamailio's user the right to")
        return
    built = re.findall(rb"\0((?:kamailio|ser) \d[ -~]{0,80}\([ -~]{1,40}\))\0", data)
    flags = re.findall(rb"\0((?:[A-Z0-9_-]+(?:, |(?=\0))){8,})\0", data)
    if not built:
        yield fail("module", "%s is no module of Kamailio" % clean(path), "install it anew")
    elif binary.version and binary.version.encode() not in built:
        yield fail("module", "%s was built for %s, the binary is %s" % (clean(path), built[0].decode(), binary.version),
                   "build it for this Kamailio: make, or the package of that version")
    elif binary.flags and not any(binary.flags.encode() == one for one in flags):
        yield fail("module", "%s was built with other flags: %s" % (clean(path), _differ(flags, binary.flags)),
                   "build it on this machine: make")
    else:
        yield ok("module", "%s fits the binary" % clean(path))


def _differ(flags, wanted):
    if not flags:
        return "none are in it"
    has, wants = set(flags[0].decode().split(", ")), set(wanted.split(", "))
    return "missing %s; more %s" % (" ".join(sorted(wants - has)) or "none", " ".join(sorted(has - wants)) or "none")


def look_at_running_version(told, binary):
    """told: what core.version answers."""
    if binary.version and binary.version not in str(told):
        yield warn("running", "the proxy runs %s, the file is %s" % (clean(told), binary.version), "restart kamailio")
    else:
        yield ok("running", "the proxy answers")
