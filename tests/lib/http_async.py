# SPDX-License-Identifier: GPL-2.0-or-later
"""http_async_client.so, which Debian 12 does not package: built once, of the source of the installed Kamailio."""
import fcntl
import glob
import os
import subprocess

from . import ROOT, SCRIPTS

NAME = "http_async_client"


def packaged():
    """The one of Debian's own, from Debian 13 on."""
    return glob.glob("/usr/lib/*/kamailio/modules/%s.so" % NAME)


def module():
    """A path for loadmodule."""
    if packaged():
        return packaged()[0]
    tree = subprocess.run([os.path.join(SCRIPTS, "kamailio-headers")], env=dict(os.environ, WITH_MODULE=NAME, KSRC=""),
                          stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout.strip()
    made = os.path.join(tree, NAME + ".so")
    with open(os.path.join(tree, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(made):
            _build(tree, made)
    return made


def _build(tree, made):
    sources = glob.glob(os.path.join(tree, "src", "modules", NAME, "*.c"))
    flags = os.path.join(ROOT, "build", "kamailio_flags.h")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-w", "-fcommon", "-include", flags, "-I" + os.path.join(tree, "src"),
                    '-DMOD_NAME="%s"' % NAME, "-o", made + ".new", *sources, "-lcurl", "-levent", "-levent_pthreads"],
                   check=True, timeout=120)
    os.rename(made + ".new", made)
