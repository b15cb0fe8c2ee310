# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds and runs the C parts of the benchmark; see the head of each."""
import collections
import os
import re
import shutil
import subprocess

BENCH = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(BENCH))
PARTS = ("bench_address", "bench_machine", "subjects", "peer_chain", "peer_htable", "peer_pike")
PROGRAMS = ("core", "memory", "attack", "flood", "crash", "growth")
ALONE = ("blast", "knock", "receiver")
FLAGS = ("-std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes"
         " -Wformat=2 -Wundef -Wpointer-arith -Wvla -Wimplicit-fallthrough").split()
SUBJECTS = ("noop", "noop-text", "authban", "chain", "htable17", "htable14", "pike")
# Those that look up a text are measured against a loop that makes one.
TEXT_SUBJECTS = ("htable17", "htable14")
WORKLOADS = ("miss", "hot", "mix", "banned", "count-one", "count-any")

Run = collections.namedtuple("Run", "ns p50 p99 p999")


def compile_all(build, out):
    """core, memory, attack with the project's core objects, and blast."""
    compiler = os.environ.get("CC") or "gcc"
    flags = FLAGS + (os.environ.get("CFLAGS") or "-O2 -g").split()
    objects = sorted(os.path.join(build, name) for name in os.listdir(build)
                     if name.startswith("ab_") and name.endswith(".o"))
    source = [os.path.join(BENCH, part + ".c") for part in PARTS]
    os.makedirs(out, exist_ok=True)
    for name in PROGRAMS:
        subprocess.run([compiler, *flags, "-I" + os.path.join(ROOT, "modules", "authban"), "-o",
                        os.path.join(out, name), os.path.join(BENCH, name + ".c"), *source, *objects], check=True)
    for name in ALONE:
        subprocess.run([compiler, *flags, "-o", os.path.join(out, name), os.path.join(BENCH, name + ".c")], check=True)
    compile_module(compiler, build, out)


def compile_module(compiler, build, out):
    """A Kamailio module with the flags of the project's own, where that was built."""
    source = os.path.join(build, "ksrc")
    if not os.path.exists(source):
        return
    with open(source, encoding="utf-8") as text:
        kamailio = text.read().strip()
    subprocess.run([compiler, "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-fPIC", "-shared", "-Wall",
                    "-Wno-cast-function-type", "-include", os.path.join(build, "kamailio_flags.h"),
                    "-isystem", os.path.join(kamailio, "src"), "-o", os.path.join(out, "floor_module.so"),
                    os.path.join(BENCH, "floor_module.c")], check=True)


def time_all(out, family, sources, repeats, milliseconds, processes):
    """({workload: {subject: {repeat: Run}}}, raw as core printed it; how many runs were disturbed)."""
    done = subprocess.run([os.path.join(out, "core"), "time", family, str(sources), str(repeats),
                           str(milliseconds), str(processes)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=300, check=True)
    runs = {workload: {subject: {} for subject in SUBJECTS} for workload in WORKLOADS}
    *lines, last = done.stdout.splitlines()
    for line in lines:
        _, _, workload, subject, repeat, *numbers, _ = line.split()
        runs[workload][subject][int(repeat)] = Run(*map(float, numbers))
    return runs, int(last.split()[1])


def net(runs, subject):
    """{repeat: nanoseconds} without the loop's own cost in the same repeat."""
    loop = runs["noop-text" if subject in TEXT_SUBJECTS else "noop"]
    return {repeat: max(run.ns - loop[repeat].ns, 0.1) for repeat, run in runs[subject].items()}


def part(runs, subject, name):
    """{repeat: percentile}."""
    return {repeat: getattr(run, name) for repeat, run in runs[subject].items()}


def numbers(out, program, *arguments):
    """{name: number} as memory, attack, flood and crash print them."""
    done = subprocess.run([os.path.join(out, program), *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=300, check=True)
    return {name: float(value) for name, value in (line.split() for line in done.stdout.splitlines())}


def _counted(out, subject, workload, sources, operations):
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=bench_counted",
         os.path.join(out, "core"), "run", "v4", str(sources), subject, workload, str(operations)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=True)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1)) / operations


def instructions(out, workloads, sources=20_000, operations=20_000):
    """{workload: {subject: instructions an operation, without the loop}}; None: callgrind is missing."""
    if not shutil.which("valgrind"):
        return None
    result = {}
    for workload in workloads:
        raw = {subject: _counted(out, subject, workload, sources, operations) for subject in SUBJECTS}
        result[workload] = {subject: raw[subject] - raw["noop-text" if subject in TEXT_SUBJECTS else "noop"]
                            for subject in SUBJECTS}
    return result
