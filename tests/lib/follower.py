# SPDX-License-Identifier: GPL-2.0-or-later
"""What fail2ban does, in a few lines: reads a proxy's log, counts, and bans through another program.

The ban goes into an htable by RPC, which takes effect at once and for every packet: kinder to this
peer than a firewall rule, which lets an established flow pass.
"""
import re
import threading

import proxies

FAILED = re.compile(r"auth failed from (\S+)")


class Follower(threading.Thread):
    """`with Follower(proxy, pause=1.0)`: bans at the fifth line; pause: seconds between looks at the log.

    fail2ban's polling back end looks once a second; 0.005 is as good as being told by the kernel.
    """

    def __init__(self, proxy, pause, threshold=5):
        super().__init__(daemon=True)
        self.proxy, self.pause, self.threshold = proxy, pause, threshold
        self.over, self.seen = threading.Event(), {}

    def run(self):
        with open(self.proxy.log_path, encoding="utf-8", errors="replace") as log:
            while not self.over.wait(self.pause):
                for source in FAILED.findall(log.read()):
                    self._failed(source)

    def _failed(self, source):
        self.seen[source] = self.seen.get(source, 0) + 1
        if self.seen[source] == self.threshold:
            proxies.rpc_call(self.proxy.rpc_socket, "htable.seti", ("ipban", source, 1))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(10)
