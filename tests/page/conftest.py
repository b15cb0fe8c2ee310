# SPDX-License-Identifier: GPL-2.0-or-later
"""Proxies that answer HTTP, for all tests here."""
import pytest

from lib.fleet import cluster_key
from lib.kamailio import Proxy
from lib.redis import Redis
from lib.wait import wait_for
from lib.web import Web, web_proxy


@pytest.fixture(scope="session")
def web():
    """A proxy in a cluster with a second one, whose page may write."""
    with Redis(password="of-the-test") as redis:
        key = cluster_key(redis)
        first, port = web_proxy(True, redis=redis.url, key_file=key)
        with first, Proxy(node="node-2", redis=redis.url, key_file=key):
            wait_for(lambda: len(first.rpc("authban.status")["peers"]) == 2, 8, "both are seen")
            yield Web(first, port)


@pytest.fixture(scope="session")
def reader():
    """A proxy whose page can only read."""
    proxy, port = web_proxy(False)
    with proxy:
        yield Web(proxy, port)
