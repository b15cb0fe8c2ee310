# SPDX-License-Identifier: GPL-2.0-or-later
"""T13: ACK, CANCEL and PRACK need no password: neither a failure nor a success, and they reset nothing.

One PRACK before each guess is enough to reset htable: test_peer_controls_sources.py.
"""
import os

import pytest

from lib import attacks

THRESHOLD = 5
BETWEEN = 1_000 if os.environ.get("AUTHBAN_LONG") else 200


@pytest.mark.parametrize("with_credentials", [False, True], ids=["bare", "credentials"])
@pytest.mark.parametrize("method", ["ACK", "CANCEL", "PRACK"])
def test_banned_at_the_same_guess(lan, method, with_credentials):
    """With credentials: wrong passwords for a fresh challenge of this very address."""
    proxy = lan.proxy(AB_THRESHOLD=THRESHOLD)
    source = lan.attacker_address()
    done = attacks.free_requests(proxy.target, lan.net["attacker"], source, method, between=BETWEEN,
                                 with_credentials=with_credentials)
    now = proxy.authban()
    print("\nT13 %s credentials=%d: free=%d banned_at=%s failures=%d successes=%d" % (
        method, with_credentials, done["free"], done["silent_at"], now["failures"], now["successes"]))
    assert done["silent_at"] == THRESHOLD, "the answer to this guess does not come"
    assert done["free"] == THRESHOLD * BETWEEN
    assert now["failures"] == THRESHOLD and now["successes"] == 0
    assert now["checked"] >= 0.9 * done["free"], "most of the free requests arrived"
    assert list(proxy.bans()) == [source]
