#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes that break the sync, each of which the checker has to notice.

usage: tests/cluster/mutants.py [NAME...]      plays 150 (or $SEEDS) seeds against each (of those named), prints a table
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import ROOT  # noqa: E402

SEEDS = int(os.environ.get("SEEDS") or 150)


class Mutant(NamedTuple):
    name: str
    file: str  # of modules/authban
    old: str
    new: str


MUTANTS = [
    Mutant("shares are added, not replaced", "ab_entry.c",
           "e->others[0] = max16(e->others[0], others->count[0]);",
           "e->others[0] = ab_saturate16(e->others[0], others->count[0]);"),
    Mutant("a batch sent again counts again", "ab_table_scan.c",
           "		flags |= inflight >> 2;",
           "	{\n		flags |= inflight >> 2;\n		s->e->own[0] = ab_saturate16(s->e->own[0], s->e->own[0]);\n	}"),
    Mutant("shares from before an unban count", "ab_sync.c",
           "	return share->epoch < v->epoch &&", "	return share->epoch > v->epoch &&"),
    Mutant("an unban keeps the counts", "ab_entry.c",
           "	clear_counts(e);\n	e->epoch = second", "	e->epoch = second"),
    Mutant("the older version wins", "ab_entry_change.c",
           "if(c->version != 0 && c->version <= e->version)\n",
           "if(c->version != 0 && e->version != 0 && c->version >= e->version)\n"),
    Mutant("the last word heard wins", "ab_entry_change.c",
           "if(c->version != 0 && c->version <= e->version)\n",
           "if(c->version != 0 && c->version == e->version)\n"),
    Mutant("unbans are not told", "ab_sync.c",
           "|| v->state == AB_STATE_UNBANNED))\n			fill_state",
           "|| v->state > AB_STATE_UNBANNED))\n			fill_state"),
    Mutant("a proxy counts its own share twice", "ab_sync.c",
           "ab_wire_share_is_own(&s->wire, field, field_len, v->incarnation)",
           "ab_wire_share_is_own(&s->wire, field, field_len, (uint8_t)(v->incarnation + 1))"),
    Mutant("an emptied Redis is not noticed", "authban_load.c",
           "		s->lost = true;\n	s->topology.lost", "		s->lost = s->lost;\n	s->topology.lost"),
    Mutant("the snapshot's bans stay here", "ab_sync.c",
           "	if(ab_table_clustered(s->table)) {\n		s->restored", "	if(!s->table) {\n		s->restored"),
    Mutant("the map is not loaded", "authban_load.c",
           "	rc = read_map(s, deadline);\n	s->sync->loading = false;",
           "	rc = s->sync ? 0 : read_map(s, deadline);\n	s->sync->loading = false;"),
    Mutant("the log's end is noted behind the map", "authban_load.c",
           "			|| authban_store_load_map(s, deadline) < 0)\n",
           "			|| authban_store_load_map(s, deadline) < 0 || note_log_end(s, soon(deadline)) < 0)\n"),
    Mutant("an older state in the map is not corrected", "ab_sync.c",
           "	else\n		say_again(s, &rec);", "	else if(s->ops == NULL)\n		say_again(s, &rec);"),
    Mutant("bans are not told in the log", "authban_store.c",
           "return authban_store_append(s, 0, WRITE, 4, set, set_len) < 0\n						   || authban_store_append(s, 0, WRITE, 8, add, add_len)\n									  < 0",
           "(void)add_len;\n	return authban_store_append(s, 0, WRITE, 4, set, set_len) < 0"),
]


def build(mutant, folder):
    """A checker with this change, in a copy of the tree. Returns its path."""
    tree = os.path.join(folder, "tree")
    shutil.copytree(ROOT, tree, symlinks=True,
                    ignore=lambda _, names: [n for n in names if n in (".git", "asan", "tsan", "build-clang", "bench", ".trixie")])
    path = os.path.join(tree, "modules", "authban", mutant.file)
    with open(path, encoding="utf-8") as text:
        source = text.read()
    assert source.count(mutant.old) == 1, "%s: %s has changed" % (mutant.name, mutant.file)
    with open(path, "w", encoding="utf-8") as text:
        text.write(source.replace(mutant.old, mutant.new))
    with open(os.path.join(ROOT, "build", "ksrc"), encoding="utf-8") as text:
        headers = text.read().strip()
    subprocess.run(["make", "-s", "-C", tree, "checker", "KSRC=" + headers], check=True, stdout=subprocess.DEVNULL)
    return os.path.join(tree, "build", "tests", "cluster", "checker")


def main(names):
    missed = 0
    for mutant in MUTANTS:
        if names and mutant.name not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run([build(mutant, folder), "1", str(SEEDS), "3"], capture_output=True, text=True,
                                 check=False)
        seeds = sorted(int(seed) for seed in re.findall(r"^seed (\d+):", run.stdout, re.M))
        missed += not seeds
        first = re.search(r"^seed %d: (.*)" % seeds[0], run.stdout, re.M).group(1) if seeds else ""
        print("| %s | %d | %s |" % (mutant.name, len(seeds), "seed %d: %s" % (seeds[0], first) if seeds else "NOT CAUGHT"),
              flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
