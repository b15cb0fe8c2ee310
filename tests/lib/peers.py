# SPDX-License-Identifier: GPL-2.0-or-later
"""The peers' registrars (tests/peers/*.cfg), and what they hold."""
from .kamailio import Proxy, peer_config

BLOCKED_FROM = {"authfail": 5, "ipban": 1}  # the value in a table from which a source gets no answer


def peer(net, name, host, users=None, children=2, port=None, **defines):
    """The peer's registrar in the proxy's namespace."""
    return Proxy(config=peer_config(name), host=host, netns=net["proxy"], users=users, children=children, port=port,
                 defines=defines)


def table(proxy, name):
    """{key: value} of an htable."""
    return {row["name"]: int(row["value"]) for bucket in proxy.rpc("htable.dump", name) or ()
            for row in bucket["slot"]}


def banned(proxy, name):
    """The sources that a table blocks."""
    return sorted(key for key, value in table(proxy, name).items() if value >= BLOCKED_FROM[name])


def figure(threat, name, **figures):
    """The line that `make peers` makes a row of."""
    print("\n%s control %s: %s" % (threat, name, " ".join("%s=%s" % pair for pair in figures.items())))
