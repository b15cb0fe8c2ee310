# SPDX-License-Identifier: GPL-2.0-or-later
"""The command authban-report: options, and the way from evidence to files."""
import argparse
import json
import os
import sys

from . import VERSION, Problem, say
from . import asn, bundle, cluster, config, contacts, evidence, files, incidents, providers, rpc, timestamp
from .reported import Reported

DESCRIPTION = """\
Writes abuse reports about proven, banned password guessers that authban has seen: XARF v4, the request of AWS's
Abuse Signal API, a CSV, the text for a form, and a mail, for each provider in a folder of its own.
It never sends anything: it writes files and says how to send them."""

EPILOG = """\
commands:
  write       (default) write the reports of what has not been reported yet
  incidents   print the offenders by provider and campaign, and why one is not reported

what is never reported:
  a source that has not proved its address, that was never banned, that this proxy knows only from another
  one, a snapshot or a feed (ask the proxy that saw it: --rpc may be given several times), that has no public
  address, or whose incident was reported before. No user name, password, nonce or digest response is written.

files:
  %s        who reports; --example prints one
  %s  what was reported; lost, all is reported again

exit status:
  0 done, also when there was nothing to do; 1 a problem, told in one sentence; 2 wrong use

examples:
  authban-report incidents --since 24h
  authban-report --since 24h --provider "Example Hosting" --dry
  authban-report --since 24h --out /var/lib/authban/reports
  authban-report --redis redis://192.0.2.10 --cluster-key-file /etc/kamailio/cluster-key --dry
  kamctl rpc authban.evidence 50 | authban-report --from - --dry
""" % (config.DEFAULT, config.STATE)


def arguments():
    """The parser; its --help is the manual."""
    parser = argparse.ArgumentParser(
        prog="authban-report", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", choices=("write", "incidents"), default="write", help="see below")
    parser.add_argument("--config", metavar="FILE", help="reporter, sender, contacts (%s)" % config.DEFAULT)
    parser.add_argument("--rpc", metavar="PLACE", action="append",
                        help="a proxy: the unix socket of jsonrpcs or an http URL; repeatable (%s)" % rpc.DEFAULT)
    parser.add_argument("--redis", metavar="URL",
                        help="what all proxies of a cluster have told Redis, without samples (with --cluster-key-file)")
    parser.add_argument("--redis-password-file", metavar="FILE", help="instead of a password in the URL")
    parser.add_argument("--redis-prefix", metavar="NAME", help="redis_prefix of the proxies (%s)" % cluster.PREFIX)
    parser.add_argument("--cluster-key-file", metavar="FILE", help="that of the proxies: only what it signs is read")
    parser.add_argument("--from", metavar="FILE", action="append", dest="saved",
                        help="a saved answer of authban.evidence instead of a proxy; - is stdin; repeatable")
    parser.add_argument("--since", metavar="TIME", help="only who failed since then: 24h, 7d, 2026-01-31, ISO time")
    parser.add_argument("--provider", metavar="NAME", help="only addresses of this provider (a part of its name)")
    parser.add_argument("--ip", metavar="IP|CIDR", help="only this address or network")
    parser.add_argument("--dry", action="store_true", help="write nothing, remember nothing: say what would be done")
    parser.add_argument("--test", action="store_true",
                        help="mark as a test (lifecycle:test), with documentation addresses; not remembered")
    parser.add_argument("--out", metavar="DIR", help="where to write (./authban-reports)")
    parser.add_argument("--state", metavar="FILE", help="what was reported (%s)" % config.STATE)
    parser.add_argument("--map", metavar="FILE", help="lines CIDR CONTACT NAME")
    parser.add_argument("--aws-ranges", metavar="FILE", help="AWS's ip-ranges.json")
    parser.add_argument("--asn", metavar="FILE", help="an ASN database (.mmdb)")
    parser.add_argument("--look-up", action="store_true",
                        help="ask RDAP and the abuse-contacts DNS for mailboxes (they learn whom you ask about)")
    parser.add_argument("--json", action="store_true", help="incidents: as JSON")
    parser.add_argument("--example", action="store_true", help="print a configuration to begin with")
    parser.add_argument("--version", action="version", version="authban-report " + VERSION)
    return parser


def warn(sentence):
    """A remark that ends nothing."""
    say("authban-report", sentence)


def main(argv=None, fetcher=None, at=None):
    """The exit status. fetcher, at: for tests, a contacts.Fetcher and the time."""
    options = arguments().parse_args(argv)
    if options.example:
        sys.stdout.write(config.EXAMPLE)
        return 0
    try:
        run(options, fetcher, at or timestamp.now())
        return 0
    except Problem as problem:
        warn(str(problem))
        return 1
    except BrokenPipeError:
        # whoever read us has seen enough; and Python must not complain at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def run(options, fetcher, at):
    """One run; Problem for the operator."""
    settings = _settings(options)
    rows = _rows(options, settings, at)
    state = options.state or (settings.state if settings else config.STATE)
    if options.look_up and not fetcher:
        fetcher = contacts.Fetcher(warn)
    book = _book(options, settings, fetcher if options.look_up else None)
    if options.command == "incidents":
        print_incidents(offenders(rows, book, Reported(state), options), options.json)
        return
    if options.dry or options.test:
        write(rows, book, Reported(state), options, settings, at)
        return
    with files.only_one(state):
        write(rows, book, Reported(state), options, settings, at)


def offenders(rows, book, reported, options):
    """Offender of each row, with why it is not reported; only of the provider that was asked for."""
    found = []
    for row in rows:
        skip = evidence.why_not(row, options.test) or ("it was reported before" if reported.knows(row) else None)
        # nobody is asked about an address that will not be reported
        provider = book.find(row.address, look_up=skip is None)
        if not options.provider or options.provider.lower() in provider.name.lower():
            found.append(incidents.Offender(row, provider, skip))
    return found


def print_incidents(found, as_json):
    """All groups, to stdout."""
    groups = incidents.group(found)
    if as_json:
        print(json.dumps([incidents.as_dict(one) for one in groups], indent=1))
        return
    for one in groups:
        print("\n".join(incidents.as_lines(one)))
    print("%d offender%s, %d to report" % (len(found), "" if len(found) == 1 else "s",
                                          sum(one.skip is None for one in found)))


def write(rows, book, reported, options, settings, at):
    """Write what may be reported, then remember it: who dies between the two reports the same again, not nothing."""
    found = offenders(rows, book, reported, options)
    fresh = _once(one for one in found if one.skip is None)
    for one in found:
        if one.skip:
            warn("%s: not reported: %s" % (one.row.key, one.skip))
    if not fresh:
        print("nothing to report")
        return
    made = bundle.make(fresh, settings, at, options.test)
    out = options.out or "authban-reports"
    if options.dry:
        print("would write below %s:" % out)
        print("\n".join("  %s/%s" % (one.folder, one.name) for one in made))
        return
    print(bundle.write(made, out, at), end="")
    if not options.test:
        for one in fresh:
            reported.add(one.row, at)
        reported.save(at)
    print("%d report%s written below %s" % (len(fresh), "" if len(fresh) == 1 else "s", out))


def _once(found):
    """Offenders, of each source only the newest row of those that overlap (two proxies saw the same attack)."""
    kept = []
    for one in found:
        if not any(one.row.key == other.row.key and one.row.first <= other.row.last and other.row.first <= one.row.last
                   for other in kept):
            kept.append(one)
    return kept


def _settings(options):
    """The configuration; incidents can do without."""
    if options.config is None and options.command == "incidents" and not os.path.exists(config.DEFAULT):
        return None
    return config.read(options.config or config.DEFAULT)


def _rows(options, settings, at):
    told = settings.cluster if settings and settings.cluster else config.Cluster("", None, None, "")
    url = options.redis or told.url
    if options.saved and (options.rpc or options.redis):
        raise Problem("--from excludes --rpc and --redis")
    # who names a Redis alone means no proxy
    places = options.rpc or (settings.rpc if settings and not options.redis else None) or ([] if url else [rpc.DEFAULT])
    if options.saved:
        sources = [rpc.read_saved(path) for path in options.saved]
    else:
        sources = [rpc.pages(rpc.connect(place), "authban.evidence") for place in places]
        # behind the proxies' own words, which have samples
        if url and not (options.rpc and not options.redis):
            sources.append(_of_cluster(url, options, told))
    since = timestamp.since(options.since, at) if options.since else None
    return evidence.choose(evidence.fetch(sources, at, warn), since, options.ip)


def _of_cluster(url, options, told):
    key_file, password = options.cluster_key_file or told.key_file, options.redis_password_file or told.password_file
    if not key_file:
        raise Problem("--redis needs --cluster-key-file: without it nobody knows who has written what is there")
    with cluster.Stream(url, files.read_secret(password, 1) if password else None) as stream:
        return cluster.rows(stream, cluster.read_keys(key_file), warn,
                            options.redis_prefix or told.prefix or cluster.PREFIX)


def _book(options, settings, fetcher):
    def name(option, key):
        return option or (getattr(settings, key) if settings else None)

    owners, ranges, database = (name(options.map, "map_file"), name(options.aws_ranges, "aws_file"),
                                name(options.asn, "asn_file"))
    return providers.Book(
        providers.read_map(owners) if owners else None, providers.read_aws(ranges) if ranges else None,
        asn.open_database(database, warn) if database else None, settings.contacts if settings else None, fetcher)
