# SPDX-License-Identifier: GPL-2.0-or-later
"""Library calls of one process that fail at the n-th time (failing.c)."""
import errno
import mmap
import os
import struct

from .kamailio import REALM  # noqa: F401 (puts scripts/ on the path)
from .preload import build
import proxies

# As enum call in failing.c.
CALLS = ["", "malloc", "calloc", "realloc", "socket", "connect", "poll", "read", "write", "recv", "send", "getaddrinfo",
         "setsockopt", "getsockopt", "fcntl"]
# What they may say; 0 at the end of a connection.
ERRORS = {"malloc": [errno.ENOMEM], "calloc": [errno.ENOMEM], "realloc": [errno.ENOMEM], "socket": [errno.EMFILE],
          "connect": [errno.ENETUNREACH, errno.EADDRNOTAVAIL], "poll": [errno.EINTR, errno.ENOMEM],
          "read": [errno.ECONNRESET, 0, errno.EINTR, errno.EIO], "write": [errno.EPIPE, errno.EINTR, errno.ENOBUFS],
          "recv": [errno.ECONNRESET, 0, errno.EINTR], "send": [errno.EPIPE, errno.EINTR], "getaddrinfo": [errno.ENOMEM],
          "setsockopt": [errno.ENOBUFS], "getsockopt": [errno.ENOBUFS], "fcntl": [errno.EBADF]}


class Failing:
    """`with Failing() as failing, Proxy(**failing.settings) as proxy: failing.watch(pid); failing.arm("read", 3)`."""

    def __init__(self):
        self.folder = proxies.private_folder("failing")
        path = os.path.join(self.folder, "plan")
        try:
            library = build("failing", self.folder)
            with open(path, "wb") as out:
                out.write(bytes(mmap.PAGESIZE))
            with open(path, "r+b") as shared:
                self.plan = mmap.mmap(shared.fileno(), mmap.PAGESIZE)
        except BaseException:
            proxies.remove_folder(self.folder)
            raise
        self.settings = {"preload": library, "environment": {"AUTHBAN_FAILING": path}}

    def _put(self, at, *numbers):
        self.plan[4 * at:4 * (at + len(numbers))] = struct.pack("=%di" % len(numbers), *numbers)

    def _get(self, at):
        return struct.unpack("=i", self.plan[4 * at:4 * at + 4])[0]

    def watch(self, pid):
        """The process whose calls are counted from now on."""
        self._put(5, *[0] * len(CALLS))
        self._put(0, pid)

    def seen(self):
        """{call: how often}, since watch()."""
        return {name: self._get(5 + number) for number, name in enumerate(CALLS) if name}

    @property
    def fired(self):
        """How many calls have failed."""
        return self._get(4)

    def arm(self, call, nth, error):
        """The nth call from now on fails."""
        self._put(1, 0, 0, error)
        self._put(1, CALLS.index(call))
        self._put(2, nth)

    def disarm(self):
        self._put(1, 0, 0)

    def close(self):
        self.plan.close()
        proxies.remove_folder(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
