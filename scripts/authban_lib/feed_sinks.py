# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a list goes that was taken: lines on stdout, or the module by RPC. A sink has add(), drop() and done()."""
from . import Problem, addresses, rpc

# a call stays far below jsonrpcs's 64 kB for a request: 100 pairs are at most 6 kB
BATCH = 100


class Lines:
    """CIDR TTL SOURCE a line; TTL 0 takes an entry back."""

    def __init__(self, out):
        self.out = out

    def add(self, source, entries):
        """entries: {network: seconds}"""
        for net, ttl in entries.items():
            self.out.write("%s %d %s\n" % (addresses.text_of(net), ttl, source))

    def drop(self, source, nets):
        """nets: networks"""
        for net in nets:
            self.out.write("%s 0 %s\n" % (addresses.text_of(net), source))

    def done(self):
        """A sentence, or None."""
        return None


class Module:
    """authban.feed_add SOURCE CIDR TTL [CIDR TTL]... and authban.feed_drop SOURCE [CIDR]..., BATCH at a time.

    Adding is idempotent (a later TTL replaces an earlier one), so a run that failed is simply run again.
    """

    def __init__(self, proxy, batch=BATCH):
        self.proxy, self.batch = proxy, batch
        self.sent = self.dropped = 0

    def add(self, source, entries):
        """entries: {network: seconds}"""
        for part in _parts(list(entries.items()), self.batch):
            self._call("authban.feed_add", source,
                       *[word for net, ttl in part for word in (addresses.text_of(net), ttl)])
            self.sent += len(part)

    def drop(self, source, nets):
        """nets: networks"""
        for part in _parts(list(nets), self.batch):
            self._call("authban.feed_drop", source, *[addresses.text_of(net) for net in part])
            self.dropped += len(part)

    def _call(self, method, *words):
        try:
            self.proxy.call(method, *words)
        except rpc.RpcFault as fault:
            raise Problem("%s after %d entries: %s" % (method, self.sent + self.dropped, fault)) from None

    def done(self):
        """A sentence, or None."""
        return "sent %d entries, took back %d" % (self.sent, self.dropped)


def _parts(rows, size):
    return [rows[at:at + size] for at in range(0, len(rows), size)]
