# SPDX-License-Identifier: GPL-2.0-or-later
"""make deb: the package is built, is clean for lintian, is installed, upgraded and purged, and its module loads by name.

dpkg works on a folder of its own with a copy of this machine's list of packages, so nothing is installed here.
"""
import os
import re
import shutil
import subprocess
import time

import pytest

from lib import ROOT
from lib.kamailio import Proxy

NAME = "kamailio-authban-modules"
FOLDER = os.path.join(ROOT, "build", "deb")
NEXT = "99.1"


def build(*version):
    """(path, seconds)."""
    begin = time.monotonic()
    done = subprocess.run([os.path.join(ROOT, "scripts", "deb", "build"), FOLDER, *version], capture_output=True,
                          text=True, timeout=300, check=False, stdin=subprocess.DEVNULL, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return os.path.join(ROOT, done.stdout.split("\n")[-2]), time.monotonic() - begin


@pytest.fixture(scope="module")
def deb():
    path, seconds = build()
    print("\ndeb: built in %.1f s, %d bytes" % (seconds, os.path.getsize(path)))
    return path


def field(path, name):
    return subprocess.run(["dpkg-deb", "-f", path, name], capture_output=True, text=True, check=True).stdout.strip()


def upstream():
    text = subprocess.run(["kamailio", "-V"], capture_output=True, text=True, check=True).stdout
    return re.search(r"^version: kamailio (\S+)", text).group(1)


class Place:
    """A root of its own for dpkg."""

    def __init__(self, folder):
        self.root, self.admin = str(folder / "root"), str(folder / "admin")
        os.makedirs(self.root)
        for name in ("info", "updates", "triggers"):
            os.makedirs(os.path.join(self.admin, name))
        shutil.copy("/var/lib/dpkg/status", self.admin)
        with open("/var/lib/dpkg/info/format", encoding="ascii") as form, \
                open(os.path.join(self.admin, "info", "format"), "w", encoding="ascii") as out:
            out.write(form.read())

    def dpkg(self, *words):
        done = subprocess.run(["dpkg", "--instdir", self.root, "--admindir", self.admin, "--log=/dev/null",
                               "--force-not-root,bad-path", *words], capture_output=True, text=True, timeout=60,
                              check=False, stdin=subprocess.DEVNULL, env=dict(os.environ, LC_ALL="C.UTF-8"))
        # each other package is listed as installed here and has no list of files
        return done.returncode, "\n".join(line for line in (done.stdout + done.stderr).splitlines()
                                          if "files list file for package" not in line)

    def state(self):
        with open(os.path.join(self.admin, "status"), encoding="utf-8") as text:
            found = re.search(r"^Package: %s\n(.+\n)*?Status: (.*)\n(.+\n)*?Version: (.*)$" % NAME, text.read(), re.M)
        return found and (found.group(2), found.group(4))

    def files(self):
        return sorted(os.path.relpath(os.path.join(folder, name), self.root)
                      for folder, _, names in os.walk(self.root) for name in names)

    def commands(self):
        folder = os.path.join(self.root, "usr", "bin")
        return sorted(os.listdir(folder))

    def tool(self, name, *words):
        """What an installed command prints."""
        done = subprocess.run([os.path.join(self.root, "usr", "bin", name), *words], capture_output=True, text=True,
                              timeout=30, check=False, stdin=subprocess.DEVNULL)
        assert not done.stderr, done.stderr
        return done.stdout

    def modules(self):
        """The folder of the installed module."""
        (path,) = [path for path in self.files() if path.endswith("/authban.so")]
        return os.path.dirname(os.path.join(self.root, path))


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_lintian_finds_no_error(deb):
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", deb], capture_output=True, text=True,
                          timeout=60, check=False, stdin=subprocess.DEVNULL)
    print("\nlintian: %d lines %s" % (len(done.stdout.splitlines()), done.stdout.strip()))
    assert done.returncode == 0, done.stdout


def test_it_names_the_version_of_kamailio(deb):
    depends = field(deb, "Depends")
    version = upstream()
    assert field(deb, "Package") == NAME and field(deb, "Version").endswith("+kamailio" + version)
    assert "kamailio (>= %s), kamailio (<< %s.0~)" % (version, version) in depends
    assert re.search(r"libhiredis\S* \(>=", depends) and re.search(r"libc6 \(>=", depends)


def test_installs_loads_upgrades_and_goes(deb, place):
    status, text = place.dpkg("-i", deb)
    assert status == 0, text
    assert place.state() == ("install ok installed", field(deb, "Version"))
    files = place.files()
    for wanted in ("usr/share/doc/kamailio/modules/README.authban.gz", "usr/share/doc/%s/copyright" % NAME,
                   "usr/share/doc/%s/examples/authban.cfg" % NAME):
        assert wanted in files, files
    with Proxy(defines={"AB_MODULE": "authban.so"},
               arguments=["-L", place.modules() + ":" + system_modules()]) as proxy:
        proxy.rpc("authban.ban", "127.30.1.1", 60)
        assert list(proxy.bans()) == ["127.30.1.1"]
        assert "127.30.1.1" in place.tool("authban-top", "--once", "--interval", "0.1", "--socket", proxy.rpc_socket)
        told = place.tool("authban-doctor", "--offline", "--config", proxy.config, "-L", place.modules(),
                          "-A", 'AB_MODULE="authban.so"')
        assert "OK    module: %s/authban.so fits the binary" % place.modules() in told, told
    newer, _ = build(NEXT)
    try:
        status, text = place.dpkg("-i", newer)
        assert status == 0 and place.state() == ("install ok installed", field(newer, "Version")), text
        assert place.files() == files
    finally:
        os.unlink(newer)
    status, text = place.dpkg("--purge", NAME)
    print("\ndeb: files=%d left=%s" % (len(files), place.files()))
    assert status == 0 and place.files() == [] and place.state() is None, text


def test_each_command_has_a_manual(deb, place):
    assert place.dpkg("-i", deb)[0] == 0
    names = place.commands()
    assert {"authban-doctor", "authban-top"} <= set(names)
    for name in names:
        assert place.tool(name, "--help").startswith("usage: ")
        page = os.path.join(place.root, "usr/share/man/man1/%s.1.gz" % name)
        done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, timeout=20, check=False,
                              stdin=subprocess.DEVNULL, env=dict(os.environ, LC_ALL="C.UTF-8"))
        assert done.returncode == 0 and not done.stderr and "NAME" in done.stdout, done.stderr
    print("\ncommands: %s" % names)


def system_modules():
    text = subprocess.run(["kamailio", "-I"], capture_output=True, text=True, check=True).stdout
    folders = re.search(r"Default paths to modules: *(\S+)", text).group(1).split(":")
    return next(folder for folder in folders if os.path.exists(os.path.join(folder, "auth.so")))


def test_the_configuration_is_checked_by_name(deb, place):
    """`kamailio -c` finds the module where the package puts it, and only then."""
    arguments = ["-L", os.path.join(place.root, system_modules().lstrip("/")) + ":" + system_modules()]
    proxy = Proxy(defines={"AB_MODULE": "authban.so"}, arguments=arguments)
    try:
        before = proxy.check_config()
        assert place.dpkg("-i", deb)[0] == 0
        after = proxy.check_config()
    finally:
        proxy.close()
    assert before[0] != 0 and "could not find module <authban" in before[1]
    assert after[0] == 0, after[1][-2000:]


@pytest.mark.parametrize("version,fits", [
    ("{0}-2", True), ("{0}-2+deb12u1", True), ("{0}-2~bpo11+1", True), ("{0}.1-1", False), ("{1}-1", False),
    ("5.5.9-1", False)])
def test_it_wants_this_kamailio_and_no_other(deb, place, version, fits):
    head, _, last = upstream().rpartition(".")
    version = version.format(upstream(), "%s.%d" % (head, int(last) + 1))
    path = os.path.join(place.admin, "status")
    with open(path, encoding="utf-8") as text:
        packages = text.read().split("\n\n")
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n\n".join(re.sub(r"^Version: .*$", "Version: " + version, package, flags=re.M)
                              if package.startswith("Package: kamailio\n") else package for package in packages))
    status, text = place.dpkg("-i", deb)
    assert (status == 0) == fits, text
    assert fits or "depends on kamailio" in text


def test_the_same_again_is_the_same_package(deb):
    with open(deb, "rb") as one:
        first = one.read()
    again, seconds = build()
    with open(again, "rb") as other:
        assert other.read() == first
    assert again == deb
    print("\ndeb: again in %.1f s, the same %d bytes" % (seconds, len(first)))
