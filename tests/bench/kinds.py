# SPDX-License-Identifier: GPL-2.0-or-later
"""What a running proxy holds in shared memory, part by part, by the allocator's own book (mod.stats).

Also: that nothing is allocated after the start, and what the largest table needs.
"""
import proxy

proxies = proxy.proxies
LARGEST = 16 << 20
# Where the module allocates: what it is for.
PARTS = {"init_table": "table of sources, with 40 kB of names", "recent_set": "known-good facts, and attempts counted once",
         "authban_record_init": "evidence (4,096 offenders)", "authban_blocked_init": "sample of blocked sources",
         "authban_shared_init": "sync process and other proxies", "init_guard": "breaker",
         "authban_allow_init": "allow-list's generation", "authban_feed_init": "imported lists",
         "authban_limit_init": "rate limits"}


def _book(server):
    """{function: bytes}"""
    rows = proxies.rpc_call(server.rpc_socket, "mod.stats", ["authban", "shm"])[1]
    book = {}
    for place, size in rows.items():
        name = place.split("(")[0]
        book[name] = book.get(name, 0) + size
    return book


def _book_with(module, route, fill):
    server = proxy.Server(route, "fm", module, fill=fill)
    try:
        server.start()
        server.ready(0)
        return _book(server)
    finally:
        server.close()


def _named(book):
    return {PARTS.get(name, name): size for name, size in book.items()}


def _start_largest(module, megabytes):
    """(whether it came up, its log)."""
    server = proxy.Server("check", "fm", module, fill=0)
    config = server.write("large.cfg", '#!KAMAILIO\ninclude_file "%s/proxy.cfg"\nmodparam("authban", "size", %d)\n' % (
        proxy.BENCH, LARGEST))
    command = list(server.command)
    command[command.index("-f") + 1] = config
    command[command.index("-m") + 1] = str(megabytes)
    server.command = command
    try:
        server.start()
        proxies.wait_until(lambda: not server.process.alive() or proxies.rpc_answers(server.rpc_socket), 60,
                           "the largest table is there")
        up = server.process.alive()
        held = proxies.rpc_call(server.rpc_socket, "authban.status")["capacity"] if up else 0
        return up and held >= LARGEST, server.log()
    finally:
        server.close()


def _can_hold(megabytes):
    """Whether the machine has that much left."""
    with open("/proc/meminfo", encoding="ascii") as text:
        return any(int(line.split()[1]) >> 10 > megabytes for line in text if line.startswith("MemAvailable:"))


def measure(module, say):
    """({kind: bytes}, {total, grown, largest: 2 when it starts, and says why not where memory is short})"""
    say("memory of a running proxy")
    before = _book_with(module, "check_counted", 0)
    after = _book_with(module, "check_counted", proxy.SOURCES)
    total = before.pop("Total")
    numbers = {"grown": after["Total"] - total, "total": total}
    if not _can_hold(3000):
        return _named(before), numbers
    up, _ = _start_largest(module, 2048)
    short, log = _start_largest(module, 512)
    said = "size is %d" % LARGEST in log and "shared memory" in log
    numbers["largest"] = int(up) + int(not short and said)
    return _named(before), numbers
