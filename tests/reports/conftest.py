# SPDX-License-Identifier: GPL-2.0-or-later
"""A desk with a configuration for each test; no proxy is needed."""
import pytest

from lib.offenders import Desk


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)
