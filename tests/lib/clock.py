# SPDX-License-Identifier: GPL-2.0-or-later
"""A clock for one Kamailio that the test moves on: an hour of bans costs no hour.

`with Clock() as clock, Proxy(**clock.settings) as proxy: clock.advance(3600)`
"""
import mmap
import os
import struct
import subprocess

from . import ROOT
from .kamailio import REALM  # noqa: F401 (puts scripts/ on the path)
import proxies

SOURCE = os.path.join(ROOT, "tests", "lib", "clock.c")


class Clock:
    """All clocks of a process run `ahead` seconds in advance; they never go back."""

    def __init__(self):
        self.folder = proxies.private_folder("clock")
        self.ahead = 0.0
        library, path = os.path.join(self.folder, "clock.so"), os.path.join(self.folder, "ahead")
        try:
            subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC",
                            "-shared", "-o", library, SOURCE], check=True, timeout=60)
            with open(path, "wb") as out:
                out.write(bytes(mmap.PAGESIZE))
            with open(path, "r+b") as shared:
                self.shared = mmap.mmap(shared.fileno(), mmap.PAGESIZE)
        except BaseException:
            proxies.remove_folder(self.folder)
            raise
        self.settings = {"preload": library, "environment": {"AUTHBAN_CLOCK": path}}

    def advance(self, seconds):
        """So many seconds pass at once."""
        assert seconds >= 0
        self.ahead += seconds
        self.shared[:8] = struct.pack("=q", int(self.ahead * 1e9))

    def close(self):
        self.shared.close()
        proxies.remove_folder(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
