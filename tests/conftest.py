# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: redis, proxy (a factory), cluster (two proxies); all clean up however a test ends."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lib.kamailio import Proxy  # noqa: E402
from lib.redis import Redis  # noqa: E402
import proxies  # noqa: E402 (from scripts/, by lib)

pytest_plugins = ["lib.figures"]


@pytest.fixture
def redis():
    """An empty Redis with a password."""
    with Redis(password="of-the-test") as server:
        yield server


@pytest.fixture
def proxy():
    """proxy(**settings of Proxy) starts one; stopped at the end."""
    started = []

    def start(**settings):
        one = Proxy(**settings)
        started.append(one)
        return one.start()

    try:
        yield start
        for one in started:
            one.end()
    finally:
        for one in started:
            one.close()


@pytest.fixture
def key_file(tmp_path):
    """A cluster key of 32 random bytes, as hexadecimal text."""
    return proxies.write_secret(str(tmp_path / "cluster-key"))


@pytest.fixture
def cluster(redis, proxy, key_file):
    """cluster(count=2, **settings) starts proxies node-1, node-2, ... on one Redis."""
    def start(count=2, **settings):
        return [proxy(node="node-%d" % number, redis=redis.url, key_file=key_file, **settings)
                for number in range(1, count + 1)]
    return start
