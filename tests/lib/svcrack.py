# SPDX-License-Identifier: GPL-2.0-or-later
"""The real svcrack (scripts/attack.py), in a namespace when one is given."""
from . import SCRIPTS  # noqa: F401 (puts scripts/ on the path)
from .kamailio import REALM
from .netns import command_inside
import attack
from attack import Crack  # noqa: F401


def run_svcrack(target, user, passwords=range(1000, 1300), netns=None, domain=REALM, **more):
    """Crack(sent, cracked, seconds, ended, output); more: deadline=10, silence=2, method="REGISTER"."""
    return attack.run_svcrack(target, user, passwords, domain, prefix=command_inside(netns, ()), **more)
