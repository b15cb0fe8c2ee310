# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the SIP tests."""
import pytest

from lib.lan import Lan
from lib.upstream import Site


@pytest.fixture(scope="module")
def lan():
    """A network of its own for each file of tests."""
    with Lan() as made:
        yield made


@pytest.fixture(scope="module")
def proxy5(lan):
    """One proxy that the tests of a file share: banned at the fifth failure."""
    return lan.proxy(AB_THRESHOLD=5)


@pytest.fixture(scope="module")
def site_of_file(lan):
    with Site(lan) as made:
        yield made


@pytest.fixture
def site(site_of_file):
    """A registrar behind proxies that check no password; see lib/upstream.py."""
    return site_of_file.new_test()


@pytest.fixture
def registrar(site):
    return site.registrar
