# SPDX-License-Identifier: GPL-2.0-or-later
"""A clock for one Kamailio that the test moves on: an hour of bans costs no hour.

`with Clock() as clock, Proxy(**clock.settings) as proxy: clock.advance(3600)`; and a wall clock that
somebody sets, while time passes as ever: `clock.set_wall(-3600)`.
"""
import mmap
import os
import struct

from .kamailio import REALM  # noqa: F401 (puts scripts/ on the path)
from .preload import build
import proxies


class Clock:
    """All clocks of a process run `ahead` seconds in advance and never go back; the wall clock may differ."""

    def __init__(self):
        self.folder = proxies.private_folder("clock")
        self.ahead = self.wall = 0.0
        path = os.path.join(self.folder, "ahead")
        try:
            library = build("clock", self.folder)
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
        self._write()

    def set_wall(self, seconds):
        """The wall clock is so many seconds beside the true time from now on; time itself goes on as it did."""
        self.wall = seconds
        self._write()

    def _write(self):
        self.shared[:16] = struct.pack("=qq", int(self.ahead * 1e9), int(self.wall * 1e9))

    def close(self):
        self.shared.close()
        proxies.remove_folder(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
