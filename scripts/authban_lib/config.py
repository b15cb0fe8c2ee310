# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration file of authban-report: who reports, who sends, where providers are looked up."""
import collections
import configparser
import os
import re

from . import Problem, addresses

DEFAULT = "/etc/authban/report.conf"
STATE = "/var/lib/authban/reported.json"

Party = collections.namedtuple("Party", "org contact domain")
Cluster = collections.namedtuple("Cluster", "url password_file key_file prefix")
Config = collections.namedtuple("Config", "reporter sender rpc state map_file aws_file asn_file contacts targets"
                                " cluster", defaults=(None,))
Config.__doc__ = """cluster: where Redis is, each "" when it is not told; contacts: {provider's name in lower case, or "as64500": mailbox or URL};
targets: {our address as the proxy sees it: the one that the Internet sees}."""

EXAMPLE = """\
[reporter]
# the organization that was attacked
org = Example Telecom
contact = abuse@example.org
domain = example.org

[sender]
# who sends the report; without this section: the reporter

[source]
# a proxy's jsonrpcs socket or an http URL; several lines for several proxies
rpc = /run/kamailio/kamailio_rpc.sock
# or what all proxies of a cluster have told Redis, without samples
# redis = redis://authban@192.0.2.10:6379/0
# redis_password_file = /etc/kamailio/redis-password
# cluster_key_file = /etc/kamailio/cluster-key
state = /var/lib/authban/reported.json

[providers]
# CIDR CONTACT NAME a line; AWS's ip-ranges.json; an ASN database (.mmdb)
map = /etc/authban/providers.map
aws_ranges = /var/lib/authban/ip-ranges.json
asn_database = /var/lib/GeoIP/GeoLite2-ASN.mmdb

[contacts]
# a provider's name or AS number, and its mailbox or URL
AS64500 = abuse@provider.example

[targets]
# where the proxy is behind NAT: its own address, and the public one
10.0.0.5 = 198.51.100.10
"""

_KNOWN = {"reporter": ("org", "contact", "domain"), "sender": ("org", "contact", "domain"),
          "source": ("rpc", "state", "redis", "redis_password_file", "cluster_key_file", "redis_prefix"), "providers": ("map", "aws_ranges", "asn_database"),
          "contacts": None, "targets": None}
_MAILBOX = re.compile(r"[A-Za-z0-9._%+=-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+", re.ASCII)
_DOMAIN = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
                     r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+", re.ASCII)
_URL = re.compile(r"https?://[!-~]{1,500}", re.ASCII)


def is_mailbox(text):
    """A plain mail address, nothing that a mail header could misread."""
    return len(text) <= 254 and bool(_MAILBOX.fullmatch(text))


def is_contact(text):
    """A mailbox, or a page to report on."""
    return is_mailbox(text) or bool(_URL.fullmatch(text))


def read(path):
    """Config of a file; Problem names the section and the key."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), strict=True)
    try:
        with open(path, encoding="utf-8") as text:
            parser.read_file(text)
    except OSError as error:
        raise Problem("cannot read the configuration %s: %s; --example prints one to begin with" % (
            path, error.strerror)) from None
    except (configparser.Error, UnicodeDecodeError) as error:
        raise Problem("%s: %s" % (path, str(error).replace("\n", " "))) from None
    _refuse_unknown(parser, path)
    reporter = _party(parser, "reporter", path)
    sender = _party(parser, "sender", path) if parser.has_section("sender") and parser["sender"] else reporter

    def value(section, key):
        return parser.get(section, key, fallback="").strip()

    return Config(reporter, sender, value("source", "rpc").split(), value("source", "state") or STATE,
                  _file(value("providers", "map"), path), _file(value("providers", "aws_ranges"), path),
                  _file(value("providers", "asn_database"), path), _contacts(parser, path), _targets(parser, path),
                  Cluster(value("source", "redis"), _file(value("source", "redis_password_file"), path),
                          _file(value("source", "cluster_key_file"), path), value("source", "redis_prefix")))


def _refuse_unknown(parser, path):
    for section in parser.sections():
        if section not in _KNOWN:
            raise Problem("%s: there is no section [%s]; allowed: %s" % (path, section, ", ".join(_KNOWN)))
        for key in parser[section]:
            if _KNOWN[section] and key not in _KNOWN[section]:
                raise Problem("%s: [%s] has no %s; allowed: %s" % (path, section, key, ", ".join(_KNOWN[section])))


def _party(parser, section, path):
    found = Party(*(parser.get(section, key, fallback="").strip() for key in Party._fields))
    if not 1 <= len(found.org) <= 200 or not found.org.isprintable():
        raise Problem("%s: [%s] org must be the name of your organization, 1 to 200 characters" % (path, section))
    if not is_mailbox(found.contact):
        raise Problem("%s: [%s] contact must be a mail address, not %.60s" % (path, section, found.contact or "empty"))
    if not _DOMAIN.fullmatch(found.domain):
        raise Problem("%s: [%s] domain must be a domain name, not %.60s" % (path, section, found.domain or "empty"))
    return found


def _file(name, path):
    # beside the configuration, not beside whoever calls
    return os.path.join(os.path.dirname(os.path.abspath(path)), name) if name else None


def _contacts(parser, path):
    found = dict(parser["contacts"]) if parser.has_section("contacts") else {}
    for name, contact in found.items():
        if not is_contact(contact):
            raise Problem("%s: [contacts] %s must be a mail address or an http URL, not %.60s" % (path, name, contact))
    return {" ".join(name.lower().split()): contact for name, contact in found.items()}


def _targets(parser, path):
    found = {}
    for name, value in (parser["targets"] if parser.has_section("targets") else {}).items():
        try:
            found[addresses.address(name)] = addresses.address(value)
        except ValueError:
            raise Problem("%s: [targets] %s = %.60s: both must be IP addresses" % (path, name, value)) from None
    return found
