# SPDX-License-Identifier: GPL-2.0-or-later
"""Three to five proxies (the module's own sync process) and a real Redis under random faults from a seed.

25 seeds, and the first of mutants.py; AUTHBAN_LONG=1: 1,000, and all of them. A seed that fails is named, and
`build/tests/cluster/checker SEED` plays it again, aloud; tests/README.md says what must hold.
"""
import os
import subprocess

import pytest

import mutants
from lib import ROOT

pytestmark = pytest.mark.alone  # it fills the processors
LONG = bool(os.environ.get("AUTHBAN_LONG"))
SEEDS = 1000 if LONG else 25


@pytest.fixture(scope="module")
def checker():
    subprocess.run(["make", "-s", "-C", ROOT, "checker"], check=True)
    return os.path.join(ROOT, os.environ.get("BUILD") or "build", "tests", "cluster", "checker")


def play(checker, first, last):
    run = subprocess.run([checker, str(first), str(last), "3"], capture_output=True, text=True, timeout=1500,
                         check=False)
    print("\n".join([line for line in run.stdout.splitlines() if line.startswith("seed ")][:20]
                    + run.stdout.splitlines()[-1:]) + run.stderr)
    return run


def test_no_seed_fails(checker):
    assert play(checker, 1, SEEDS).returncode == 0


def test_a_seed_plays_the_same_again(checker):
    traces = {play(checker, 7, 7).stdout.split("trace ")[1].split(";")[0] for _ in range(2)}
    assert len(traces) == 1, "two runs of one seed differ"


@pytest.mark.parametrize("mutant", mutants.MUTANTS if LONG else mutants.MUTANTS[:1], ids=lambda mutant: mutant.name)
def test_a_broken_module_is_caught(mutant, tmp_path):
    broken = mutants.build(mutant, str(tmp_path))
    seeds = mutants.SEEDS if LONG else 10
    print(mutant.name)
    assert play(broken, 1, seeds).returncode == 1, "%d seeds, and nobody noticed" % seeds
