# SPDX-License-Identifier: GPL-2.0-or-later
"""The command authban-lists: lists for others, lists of others, and signed lists between operators."""
import argparse
import os
import sys

from . import VERSION, Problem, say
from . import addresses, bans, feed_limits, feed_sinks, feeds, files, list_formats, rpc, signed, timestamp

SERIALS = "/var/lib/authban/serials.json"

DESCRIPTION = """\
Gives authban's bans to others (plain text, nft, CrowdSec, STIX 2.1), takes lists of others (plain text, APIBAN,
CrowdSec) within limits, and signs and verifies lists between operators. It fetches and sends nothing over the
network besides the calls to your own proxy."""

EPILOG = """\
what is given away:
  the proven bans that this proxy made by its own rules: address or network, time left, reason. No users, no
  counts of yours. --all adds bans of other proxies and of operators; a signed list never has them.

what is taken:
  networks not wider than /24 (IPv4) or /48 (IPv6), public addresses only, nothing of --protect, at most 100,000,
  for 1 day and at most 7. What is refused is named with the number of its line on stderr, and counted.
  Normalized lines are "CIDR TTL SOURCE"; TTL 0 takes an entry back. An entry that is not renewed expires.

exit status:
  0 done; 1 a problem, told in one sentence; 2 wrong use

examples:
  authban-lists export --format nft | nft -f -
  authban-lists export --format crowdsec >bans.json && cscli decisions import -i bans.json
  curl -s https://feed.example/list | authban-lists import --source example-feed
  curl -s https://feed.example/list | authban-lists import --source example-feed --apply
  authban-lists sign --issuer example-telecom --secret /etc/authban/partner.key >list.json
  authban-lists verify --issuer example-telecom --secret /etc/authban/partner.key list.json
"""


def arguments():
    """The parser; its --help is the manual."""
    parser = argparse.ArgumentParser(prog="authban-lists", description=DESCRIPTION, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version="authban-lists " + VERSION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    export = commands.add_parser("export", help="bans in a form that others read, to stdout")
    export.add_argument("--format", choices=sorted(list_formats.FORMATS), default="plain")
    export.add_argument("--table", help="nft: name of the table (authban)")
    export.add_argument("--issuer", help="stix: your name")
    _bans_options(export)
    take = commands.add_parser("import", help="a list of others: normalized lines, or --apply to the module")
    take.add_argument("file", nargs="?", default="-", help="a file; stdin without it")
    take.add_argument("--format", choices=feeds.FORMATS, default="auto")
    take.add_argument("--source", required=True, help="a name for the list: a-z, 0-9, . _ -")
    _limits_options(take)
    sign = commands.add_parser("sign", help="a signed list for another operator, to stdout")
    sign.add_argument("--issuer", required=True, help="your name: a-z, 0-9, . _ -")
    sign.add_argument("--valid", metavar="SPAN", default="1d", help="1d; at most 7d")
    _key_options(sign, "--private-key", "your Ed25519 key (PEM)")
    _bans_options(sign)
    verify = commands.add_parser("verify", help="check a signed list: normalized lines, or --apply")
    verify.add_argument("file", nargs="?", default="-", help="a file; stdin without it")
    verify.add_argument("--issuer", required=True, help="whose list it must be")
    verify.add_argument("--serials", metavar="FILE", default=SERIALS, help="what was taken before (%(default)s)")
    _key_options(verify, "--public-key", "the issuer's Ed25519 key (PEM)")
    _limits_options(verify)
    listed = commands.add_parser("feeds", help="the lists that the module holds")
    drop = commands.add_parser("drop", help="take a whole list back")
    drop.add_argument("source", help="its name")
    for one in (listed, drop):
        one.add_argument("--rpc", metavar="PLACE", default=rpc.DEFAULT)
    return parser


def _bans_options(parser):
    parser.add_argument("--rpc", metavar="PLACE", default=rpc.DEFAULT,
                        help="the proxy: jsonrpcs's unix socket or an http URL (%(default)s)")
    parser.add_argument("--from", metavar="FILE", dest="saved", help="a saved answer of authban.list; - is stdin")
    parser.add_argument("--node", help="with --from: the name of the proxy that answered")
    parser.add_argument("--all", action="store_true", dest="everything",
                        help="bans of other proxies and of operators too")


def _limits_options(parser):
    known = feed_limits.Limits()
    parser.add_argument("--apply", action="store_true", help="give it to the module instead of printing it")
    parser.add_argument("--rpc", metavar="PLACE", default=rpc.DEFAULT, help="with --apply: the proxy (%(default)s)")
    parser.add_argument("--ttl", metavar="SPAN", default="%ds" % known.ttl,
                        help="for entries without a time of their own (1d)")
    parser.add_argument("--ttl-max", metavar="SPAN", default="%ds" % known.ttl_max, help="no entry lives longer (7d)")
    parser.add_argument("--widest4", type=int, default=known.widest4, metavar="BITS", help="16 to 32 (%(default)s)")
    parser.add_argument("--widest6", type=int, default=known.widest6, metavar="BITS", help="32 to 128 (%(default)s)")
    parser.add_argument("--total", type=int, default=known.total, metavar="N", help="entries (%(default)s)")
    parser.add_argument("--protect", metavar="FILE", action="append", default=[],
                        help="networks that no list may touch, one a line; with --apply the module's allow-list too")


def _key_options(parser, name, text):
    either = parser.add_mutually_exclusive_group(required=True)
    either.add_argument("--secret", metavar="FILE", help="32 bytes or more that both operators have (HMAC-SHA256)")
    either.add_argument(name, metavar="FILE", dest="key", help=text)


def warn(sentence):
    """A remark that ends nothing."""
    say("authban-lists", sentence)


def main(argv=None, at=None):
    """The exit status. at: for tests, the time."""
    options = arguments().parse_args(argv)
    at = at or timestamp.now()
    try:
        COMMANDS[options.command](options, at)
        sys.stdout.flush()
        return 0
    except Problem as problem:
        warn(str(problem))
        return 1
    except BrokenPipeError:
        # whoever read us has seen enough; and Python must not complain at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _bans(options, everything):
    """The bans that options name."""
    if options.saved:
        rows, node = rpc.read_saved(options.saved), options.node
        if not node and not everything:
            raise Problem("--from needs --node: only bans that this proxy made itself are given away")
    else:
        proxy = rpc.connect(options.rpc)
        node = rpc.as_rows(proxy.call("authban.status"))[0].get("node")
        rows = list(rpc.pages(proxy, "authban.list", 100))
    found, refused = bans.read(rows, node, everything)
    for sentence in refused:
        warn(sentence)
    return found


def export(options, at):
    """Bans to stdout."""
    found = _bans(options, options.everything)
    sys.stdout.write(list_formats.FORMATS[options.format](
        found, at, {"table": options.table, "issuer": options.issuer}))


def sign(options, at):
    """A signed list to stdout."""
    if options.everything:
        raise Problem("a signed list has only the proven bans of this proxy: --all is not for it")
    key = signed.Secret(options.secret) if options.secret else signed.Ed25519(options.key, public=False)
    sys.stdout.write(signed.make(_bans(options, False), options.issuer, key, at, timestamp.span(options.valid)))


def take(options, _at):
    """A list of others."""
    source = feed_limits.source_name(options.source)
    with _open(options.file) as stream:
        taken = feed_limits.apply(feeds.read(stream, options.format), _limits(options))
    _deliver(taken, source, options)


def verify(options, at):
    """A signed list of another operator."""
    source = feed_limits.source_name(options.issuer)
    key = signed.Secret(options.secret) if options.secret else signed.Ed25519(options.key, public=True)
    limits = _limits(options)
    with _open(options.file) as stream:
        data = stream.read(signed.SIZE_MAX + 1)
    with files.only_one(options.serials):
        serials = signed.Serials(options.serials)
        serial, items = signed.verify(data, source, key, at, serials.last.get(source, 0))
        _deliver(feed_limits.apply(items, limits), source, options)
        sys.stdout.flush()
        serials.save(source, serial)


def _open(name):
    try:
        return open(0 if name == "-" else name, "rb", closefd=name != "-")
    except OSError as error:
        raise Problem("cannot read %s: %s" % (name, error.strerror)) from None


def _limits(options):
    protected = [net for path in options.protect for net in feed_limits.read_protected(path)]
    if options.apply:
        for row in rpc.pages(rpc.connect(options.rpc), "authban.allow_list", 100):
            try:
                protected.append(addresses.network(row.get("net")))
            except ValueError:
                warn("the allow-list has an entry that cannot be read")
    limits = feed_limits.Limits(ttl=timestamp.span(options.ttl), ttl_max=timestamp.span(options.ttl_max),
                                widest4=options.widest4, widest6=options.widest6, total=options.total,
                                protected=tuple(protected))
    limits.check()
    return limits


def _deliver(taken, source, options):
    for sentence in taken.report():
        warn(sentence)
    sink = feed_sinks.Module(rpc.connect(options.rpc)) if options.apply else feed_sinks.Lines(sys.stdout)
    sink.drop(source, taken.drops)
    sink.add(source, taken.adds)
    if sink.done():
        warn(sink.done())


def listed(options, _at):
    """The lists that the module holds."""
    for row in rpc.pages(rpc.connect(options.rpc), "authban.feed_list", 100):
        print(" ".join("%s=%s" % (key, ascii(value)[1:-1] if isinstance(value, str) else value)
                       for key, value in row.items()))


def drop(options, _at):
    """Take a whole list back."""
    rpc.connect(options.rpc).call("authban.feed_drop", feed_limits.source_name(options.source))


COMMANDS = {"export": export, "import": take, "sign": sign, "verify": verify, "feeds": listed, "drop": drop}
