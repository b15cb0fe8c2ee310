# SPDX-License-Identifier: GPL-2.0-or-later
"""Evidence where a registrar behind the proxy turns the guesses down: the request lies in shared memory by then."""
import pytest

from lib.lan import address_of
from lib.wait import wait_for
from proxies import RpcFault

AGENT = "an agent of this test"
KINDS = {"udp": ("udp", "REGISTER", "token", 401), "tcp": ("tcp", "INVITE", "stream", 407)}


def evidence(proxy, source):
    try:
        return proxy.rpc("authban.evidence_get", source)
    except RpcFault:
        return None


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_from_behind_is_evidence(lan, site, kind):
    transport, method, proof, status = KINDS[kind]
    proxy = site.proxy()
    with lan.guesser(proxy, transport=transport, method=method) as guesser:
        source = address_of(guesser)
        for number in range(2):
            header = guesser.answer_header(guesser.challenge(), "wrong-%d" % number)
            assert guesser.send([header, ("User-Agent", AGENT)]).status == status
        port = guesser.link.local[1]
    row = wait_for(lambda: evidence(proxy, source), 2, "the evidence")
    assert (row["transport"], row["proof"], row["port"], row["local_port"]) == (transport, proof, port, proxy.port)
    assert row["failures"] == row["wrong_password"] == row["methods"][method] == 2
    assert [(one["user_agent"], one["method"]) for one in row["samples"]] == [(AGENT, method)] * 2
    print("\nupstream evidence, %s: %d failures" % (kind, row["failures"]))


def test_no_proof_no_evidence(lan, site):
    proxy = site.proxy()
    with lan.guesser(proxy) as guesser:
        header = guesser.answer_header(guesser.challenge(), "wrong", opaque=False)
        guesser.send([header])
        assert evidence(proxy, address_of(guesser)) is None
        assert guesser.guess("wrong-2") == 401
        assert evidence(proxy, address_of(guesser))["failures"] == 1
