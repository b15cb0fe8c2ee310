# SPDX-License-Identifier: GPL-2.0-or-later
"""Libraries for LD_PRELOAD, made of tests/lib/NAME.c."""
import os
import subprocess

from . import ROOT


def build(name, folder):
    """The path of NAME.so in that folder."""
    library = os.path.join(folder, name + ".so")
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared",
                    "-o", library, os.path.join(ROOT, "tests", "lib", name + ".c")], check=True, timeout=60)
    return library
