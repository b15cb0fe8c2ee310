# SPDX-License-Identifier: GPL-2.0-or-later
"""One proxy, or a pair, for all tests of a file; the two ways to call a command."""
import pytest

from lib.fleet import fleet
from lib.grammar import parse_kamcmd
from lib.kamailio import Proxy
from proxies import RpcFault


@pytest.fixture(scope="module")
def alone():
    """A proxy without a cluster, threshold 5."""
    with Proxy(node="node-1", defines={"AB_THRESHOLD": 5}) as node:
        yield node


@pytest.fixture(scope="module")
def pair():
    with fleet(2) as both:
        yield both[1]


class Json:
    """rows(node, method, ...): the answer as a list of dictionaries of texts; RpcFault."""
    name = "json"

    @staticmethod
    def rows(node, *words):
        answer = node.rpc(*words)
        rows = answer if isinstance(answer, list) else [answer] if answer else []
        return [{name: str(value) for name, value in row.items()} for row in rows]


class Kamcmd:
    name = "kamcmd"

    @staticmethod
    def rows(node, *words):
        status, text = node.kamcmd(*words)
        if text.startswith("error: "):
            code, _, sentence = text[len("error: "):].strip().partition(" - ")
            raise RpcFault(int(code), sentence)
        assert status == 0, text
        return parse_kamcmd(text)


@pytest.fixture(params=[Json, Kamcmd], ids=["json", "kamcmd"])
def call(request):
    """call(node, method, ...) by JSON and by kamcmd."""
    return request.param.rows
