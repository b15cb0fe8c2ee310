# SPDX-License-Identifier: GPL-2.0-or-later
"""The real svcrack (scripts/attack.py) and svwar, in a namespace when one is given."""
import collections
import os
import re

from . import SCRIPTS  # noqa: F401 (puts scripts/ on the path)
from .kamailio import REALM
from .netns import command_inside
from .wait import wait_for
import attack
from attack import Crack  # noqa: F401
import proxies

War = collections.namedtuple("War", "users ended last output")
War.__doc__ = "users: the extensions that it calls existing; ended: by itself; last: its last words."

_EXISTS = re.compile(r"extension '([^']*)' (?:probably )?exists")


def run_svcrack(target, user, passwords=range(1000, 1300), netns=None, domain=REALM, **more):
    """Crack(sent, cracked, seconds, ended, output); more: deadline=10, silence=2, method="REGISTER"."""
    return attack.run_svcrack(target, user, passwords, domain, prefix=command_inside(netns, ()), **more)


def run_svwar(target, extensions, method="REGISTER", netns=None, domain=REALM, deadline=15.0, silence=2):
    """svwar 0.3.3 at "1000-1020": which of them it says exist."""
    folder = proxies.private_folder("svwar")
    command = command_inside(netns, ["svwar", "-v", "-v", "-e", extensions, "-m", method, "-p", str(target[1]),
                                     "--domain", domain, "--maximumtime", str(silence), target[0]])
    path = os.path.join(folder, "output")
    try:
        with open(path, "wb") as output:
            process = proxies.Process(command, "svwar", stdout=output, stderr=output, folder=folder,
                                      environment=dict(os.environ, HOME=folder))
        try:
            wait_for(lambda: not process.alive(), deadline, "svwar ends")
        except AssertionError:
            pass
        ended = not process.alive()
        process.kill()
        with open(path, encoding="utf-8", errors="replace") as text:
            text = text.read()
        return War(sorted(set(_EXISTS.findall(text))), ended, (text.strip().splitlines() or [""])[-1], text)
    finally:
        proxies.remove_folder(folder)
