# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ways to write a Dovecot configuration, each on a real Dovecot of its version.

For every row: what `list` says is what the wire serves; a certificate for the default, and one for a name, are served
where they are meant and nowhere else; the same again finds nothing to do; a rollback gives back every byte.
"""

import hashlib
import ssl
import subprocess
from dataclasses import dataclass

import pytest

from harness import wire
from harness.process import CLEAN, wait_for

from .live import Live
from .private import why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

NAME, OTHER = "www.a.test", "other.test"
PORTS = ("imap", "imaps", "pop3s", "submission", "lmtp")


@dataclass(frozen=True)
class Row:
    """status, code: of the deployment for the default, and for the name; None: not tried."""

    name: str
    text: str
    status: tuple = (0, 0)
    code: str = ""  # or several
    serves: bool = True  # the default, before
    files: tuple = ()  # (name, text) of more files beside dovecot.conf
    newline: str = "\n"
    options: tuple = ()
    last: bool = False  # the text stands at the end of the file, without a newline
    notice: str = ""  # of a deployment that is done
    keeps: str = ""  # a part of dovecot.conf that no deployment touches
    start: str = ""  # before all else in dovecot.conf


OLD, NEWER = "ssl_cert = <{old}\nssl_key = <{key}\n", "ssl_server_cert_file = {old}\nssl_server_key_file = {key}\n"
ALT = "ssl_alt_cert = <{alt}\nssl_alt_key = <{altkey}\n"
ALT24 = "ssl_server_alt_cert_file = {alt}\nssl_server_alt_key_file = {altkey}\n"


def named(head, which="name"):
    return f"{head} {{{{\n  ssl_cert = <{{{which}}}\n  ssl_key = <{{key}}\n}}}}\n"


def named24(head, which="name"):
    return f"{head} {{{{\n  ssl_server_cert_file = {{{which}}}\n  ssl_server_key_file = {{key}}\n}}}}\n"


ROWS = {
    "2.3": [
        Row("blanks", "ssl_cert=<  {old}\n\tssl_key\t=\t<\t{key}  \n"),
        Row("CRLF", OLD + named(f"local_name {NAME}"), newline="\r\n"),
        Row("a byte order mark", OLD, start="\ufeff", status=(6, 6), code="config-syntax", serves=None),
        Row("a byte order mark of an include", OLD + "!include pair.inc\n", files=(("pair.inc", "\ufeff" + OLD),), status=(6, 6), code="config-syntax", serves=None),
        Row("no newline at the end", "ssl_cert = <{old}\nssl_key = <{key}", last=True),
        Row("quotes around <", 'ssl_cert = "<{old}"\nssl_key = <{key}\n', serves=False, status=(0, None)),
        Row("quotes behind <", 'ssl_cert = <"{old}"\nssl_key = <{key}\n', status=(None, 6), code="not-found", serves=None),
        Row("without <", "ssl_cert = {old}\nssl_key = <{key}\n", serves=False, status=(0, None)),
        Row("a certificate in the value", "ssl_cert = {inline}\nssl_key = <{key}\n", serves=False, status=(0, None)),
        Row("a comment ends a value", "ssl_cert = <{old}#c\nssl_key = <{key} # c\n"),
        Row("quotes that hide a comment", "login_greeting = it's # not\n" + OLD),
        Row("continued", "ssl_cert = \\\n  <{old}\nssl_key \\\n  = \\\n <{key}\n"),
        Row("continued behind a comment", "ssl_cert = <{old} \\ # c\n\nssl_cert = <{old}\nssl_key = <{key}\n"),
        Row("a comment cuts off what is continued", "ssl_cert = \\\n# c\n" + OLD),
        Row("the value of another", "ssl_ca = <{old}\nssl_cert = $ssl_ca\nssl_key = <{key}\nssl_ca =\n", serves=None),
        Row("former names", "ssl_cert_file = {old}\nssl_key_file = {key}\n"),
        Row("the last counts", "ssl_cert = <{name}\n" + OLD),
        Row("relative", "ssl_cert = <../../old.pem\nssl_key = <{key}\n"),
        Row("a folder with a blank", "ssl_cert = <{blank}\nssl_key = <{key}\n"),
        Row("a key that does not fit", "ssl_cert = <{old}\nssl_key = <{stranger}\n", serves=False, status=(0, None)),
        Row("a name's key that does not fit", OLD + f"local_name {NAME} {{{{\n  ssl_cert = <{{name}}\n  ssl_key = <{{stranger}}\n}}}}\n", status=(0, None)),
        Row("a certificate without a key", "ssl_cert = <{old}\n", serves=False, status=(0, None)),
        Row("a key without a certificate", "ssl_key = <{key}\n", serves=False, status=(0, 6), code="tls-off"),
        Row("an encrypted key", "ssl_cert = <{old}\nssl_key = <{encrypted}\n", serves=False, status=(0, None)),
        Row("an encrypted key and its password", "ssl_cert = <{old}\nssl_key = <{encrypted}\nssl_key_password = secret\n"),
        Row("an empty file", "ssl_cert = <{empty}\nssl_key = <{key}\n", serves=False, status=(0, None)),
        Row("two key types", OLD + ALT, options=("--drop-other-types",)),
        Row("no certificate", "", serves=False, status=(0, 6), code="tls-off"),
        Row("names have no case", OLD + named(f"local_name {NAME.upper()}")),
        Row("a pattern", OLD + named("local_name *.a.test")),
        Row("several names", OLD + named(f'local_name "{NAME} {OTHER}"')),
        Row("a pattern before the name", OLD + named("local_name *.a.test") + named(f"local_name {NAME}", "here")),
        Row("the name before a pattern", OLD + named(f"local_name {NAME}", "here") + named("local_name *.a.test")),
        Row("the same name twice", OLD + named(f"local_name {NAME}", "here") + named(f"local_name {NAME}")),
        Row("a name without a key", OLD + f"local_name {NAME} {{{{\n  ssl_cert = <{{name}}\n}}}}\n", status=(6, 0), code="shared-lines"),
        Row("a name in a name's block", OLD + "local 127.0.0.0/8 {{\n" + named(f"local_name {NAME}") + "}}\n"),
        Row("a name in an address's block, and everywhere", OLD + "local 127.0.0.0/8 {{\n" + named(f"local_name {NAME}") + "}}\n" + named(f"local_name {NAME}", "here")),
        Row("the default behind the blocks", named(f"local_name {OTHER}") + OLD),
        Row("a protocol of its own", OLD + named("protocol pop3", "here"), status=(0, 6), code="conflicting-filters"),
        Row("an address of its own", OLD + named("local 127.0.0.1", "here"), status=(0, 6), code="conflicting-filters"),
        Row("networks in any order", OLD + named("local 127.0.0.1", "here") + named("local 127.0.0.0/8"), status=(0, 6), code="conflicting-filters"),
        Row("a network of clients", OLD + named("remote 127.0.0.0/8", "here"), serves=None, status=(0, 6), code="conflicting-filters", notice="keeps-own"),
        Row("a network of clients with a name's key", OLD + f"local_name {NAME} {{{{\n  ssl_cert = <{{name}}\n  ssl_key = <{{key}}\n  remote 127.0.0.1 {{{{\n    ssl_cert = <{{here}}\n  }}}}\n}}}}\n", serves=None, status=(0, 6), code="shared-lines", notice="keeps-own"),
        Row("an address by the name of a host", OLD + named("local localhost", "here"), serves=None, status=(0, 6), code="conflicting-filters", notice="keeps-own"),
        Row("an address without a certificate", OLD + "local 127.0.0.0/8 {{\n  ssl = required\n}}\n", keeps="local 127.0.0.0/8 {{\n  ssl = required\n}}\n"),
        Row("a protocol at an address", OLD + "local 127.0.0.1 {{\n" + named("protocol imap", "here") + "}}\n", status=(0, 6), code="conflicting-filters"),
        Row("a pattern that no name fits", OLD + named("local_name *")),
        Row("two key types, and two for a name", OLD + ALT + f"local_name {NAME} {{{{\n{OLD}{ALT}}}}}\n", options=("--drop-other-types",)),
        Row("two key types at an address, and a name there", OLD + "local 127.0.0.0/8 {{\n" + named(f"local_name {NAME}") + ALT + "}}\n", status=(None, 6), code="conflicting-filters", serves=None, options=("--drop-other-types",)),
        Row("other clients", OLD + named("remote 10.9.0.0/16", "here"), status=(0, 6), code="conflicting-filters"),
        Row("includes", "!include parts/*.conf\n!include_try none/*.conf\n", files=(("parts/10-ssl.conf", OLD), ("parts/20-name.conf", named(f"local_name {NAME}")))),
        Row("an include within a block", OLD + f"local_name {NAME} {{{{\n  !include pair.inc\n}}}}\n", files=(("pair.inc", "ssl_cert = <{name}\nssl_key = <{key}\n"),)),
        Row("a block that an included file opens", "!include head.inc\nssl_key = <{key}\n}}\n", files=(("head.inc", OLD + f"local_name {NAME} {{{{\nssl_cert = <{{name}}\n"),)),
        Row("a snippet of two blocks", OLD + f"local_name {NAME} {{{{\n  !include pair.inc\n}}}}\nlocal_name {OTHER} {{{{\n  !include pair.inc\n}}}}\n", files=(("pair.inc", "ssl_cert = <{name}\nssl_key = <{key}\n"),)),
        Row("lmtp and an address", OLD + named("local 127.0.0.1", "here") + named("protocol lmtp"), serves=None, status=(0, 6), code="conflicting-filters"),
        Row("three includes, the last counts", "!include parts/*.conf\n!include last.inc\n", files=(("parts/10.conf", "ssl_cert = <{name}\n"), ("parts/20.conf", "ssl_cert = <{here}\nssl_key = <{key}\n"), ("last.inc", "ssl_cert = <{old}\n"))),
        Row("an include of an include, relative to that", "!include parts/one.conf\n", files=(("parts/one.conf", "!include_try two.inc\n!include_try ../parts/two.inc\n"), ("parts/two.inc", OLD))),
        Row("an include further up", "!include parts/one.conf\n", files=(("parts/one.conf", "!include ../up.inc\n"), ("up.inc", OLD + named(f"local_name {NAME}")))),
        Row("an include that comes back", OLD + "!include parts/one.conf\n", files=(("parts/one.conf", "!include ../dovecot.conf\n"),), status=(6, 6), code="config-syntax", serves=None),
        Row("an include with braces", "!include parts/{{b,a}}.conf\n", files=(("parts/a.conf", OLD), ("parts/b.conf", "ssl_cert = <{name}\nssl_key = <{key}\n"))),
        Row("an include that a comment follows", "!include_try parts/a.conf # c\n", files=(("parts/a.conf", "ssl_cert = <{name}\n"),), serves=None, status=(None, None)),
        Row("unset, and set again", OLD + "ssl_cert =\nssl_cert = <{old}\n"),
        Row("set and unset", OLD + "ssl_cert =\n", serves=False, status=(0, None)),
        Row("the second pair alone, by the value of the first", OLD + "ssl_alt_cert = $ssl_cert\nssl_alt_key = $ssl_key\n", options=("--drop-other-types",)),
        Row("the value of itself", OLD + "ssl_cert = $ssl_cert\n"),
        Row("a name by the value of the default", OLD + f"local_name {NAME} {{{{\n  ssl_cert = $ssl_cert\n  ssl_key = $ssl_key\n}}}}\n", serves=None, status=(6, 0), code="other-changes"),
        Row("a setting of another block in between", "ssl_cert = <{old}\nplugin {{\n  ssl_key = x\n}}\nssl_key = <{key}\n"),
        Row("a name in quotes with escapes", OLD + 'local_name "www.a.\\test" {{\n  ssl_cert = <{name}\n  ssl_key = <{key}\n}}\n', serves=None, status=(0, 0)),
        Row("blanks around the names", OLD + named(f'local_name " {NAME}  {OTHER} "'), serves=None),
        Row("a comment behind the brace", OLD + f"local_name {NAME} {{{{ # {{{{\n  ssl_cert = <{{name}} # }}}}\n  ssl_key = <{{key}}\n}}}} # end\n"),
        Row("tabs for blanks", OLD.replace(" ", "\t") + named(f"local_name\t{NAME}\t").replace(" {", "\t{").replace("\t\t", "\t")),
        Row("a network with bits of a host", OLD + named("local 127.0.0.1/8", "here"), status=(0, 6), code="conflicting-filters"),
        Row("all networks", OLD + named("local 0.0.0.0/0", "here"), status=(0, 0), serves=None),
        Row("a protocol that is not that one", OLD + named("protocol !pop3", "here"), status=(0, 6), code="conflicting-filters", serves=None),
        Row("protocols that are off", OLD + named("protocol smtp", "here") + "protocols = imap pop3 submission lmtp sieve\n"),
        Row("a listener that wants no TLS", OLD + "service imap-login {{\n  inet_listener imaps {{\n    ssl = yes\n  }}\n  inet_listener other {{\n    port = 0\n  }}\n}}\n"),
        Row("an empty block for the name", OLD + f"local_name {NAME} {{{{\n}}}}\n"),
        Row("a name's block in two files", OLD + "!include parts/*.conf\n", files=(("parts/1.conf", f"local_name {NAME} {{{{\n  ssl_cert = <{{name}}\n}}}}\n"), ("parts/2.conf", f"local_name {NAME} {{{{\n  ssl_key = <{{key}}\n}}}}\n"))),
        Row("a name's certificate for one protocol", OLD + f"local_name {NAME} {{{{\n" + named("protocol imap") + "}}\n", serves=None),
        Row("a name that is a pattern of one letter", OLD + named("local_name ww?.a.test")),
        Row("one include in two blocks, and alone", "!include pair.inc\n" + f"local_name {NAME} {{{{\n  !include pair.inc\n}}}}\n", files=(("pair.inc", OLD),), status=(6, 0), code="shared-lines"),
        Row("a long list of names", OLD + named('local_name "' + " ".join(f"n{i}.a.test" for i in range(200)) + f' {NAME}"')),
        Row("ssl is required", OLD.replace("ssl_cert", "ssl = required\nssl_cert", 1)),
        Row("a backslash before a comment within a block", OLD + f"local_name {NAME} {{{{\n  ssl_cert = \\\n  # c\n  ssl_cert = <{{name}}\n  ssl_key = \\\n\t<{{key}}\n}}}}\n"),
        Row("a path that begins with <<", "ssl_cert = <<<{old}\nssl_key = <{key}\n", status=(None, 6), code="not-found", serves=None),
        Row("a number sign within a path", "ssl_cert = <{hash}\nssl_key = <{key}\n", status=(None, 6), code="not-found", serves=None),
        Row("a quote that does not end hides a comment", "ssl_cert = <{old} \" # c\nssl_key = <{key}\n", status=(None, 6), code="not-found", serves=None),
        Row("a variable behind <", "ssl_ca = {old}\nssl_cert = <$ssl_ca\nssl_key = <{key}\nssl_ca =\n", status=(None, 6), code="not-found", serves=None),
        Row("a value from the environment", "ssl_cert = $ENV:NOTHING\nssl_key = <{key}\n", status=(0, None), serves=None),
        Row("one file with both", "ssl_cert = <{combined}\nssl_key = <{combined}\n"),
        Row("a key of a name's own", OLD + f"local_name {NAME} {{{{\n  ssl_key = <{{key}}\n}}}}\n", status=(6, 0), code="other-changes"),
        Row("a section on one line", OLD + f"local_name {NAME} {{{{ ssl_cert = <{{name}} }}}}\n", status=(6, 6), code="config-syntax config-not-understood", serves=None),
        Row("a brace on the next line", OLD + f"local_name {NAME}\n{{{{\n  ssl_cert = <{{name}}\n}}}}\n", status=(6, 6), code="config-syntax config-not-understood", serves=None),
        Row("a brace without a blank before it", OLD + f"local_name {NAME}{{{{\n  ssl_cert = <{{name}}\n}}}}\n", status=(6, 6), code="config-syntax config-not-understood", serves=None),
        Row("a name within a protocol", OLD + "protocol imap {{\n" + named(f"local_name {NAME}") + "}}\n", status=(6, 6), code="config-syntax config-not-understood", serves=None),
        Row("an include that matches nothing", OLD + "!include nothing/*.conf\n", status=(6, 6), code="config-syntax config-not-understood not-found", serves=None),
        Row("quotes are part of an include", OLD + '!include_try "parts/a.conf"\n', files=(("parts/a.conf", "ssl_cert = <{name}\n"),)),
        Row("a comma is part of a name", OLD + named(f"local_name {NAME},{OTHER}")),
        Row("no TLS at all", "ssl = no\n" + OLD, status=(6, 6), code="tls-off", serves=False),
        Row("no TLS for a protocol", OLD + "protocol pop3 {{\n  ssl = no\n}}\n", serves=None),
        Row("no TLS for a name, which is asked for too late", OLD + f"local_name {NAME} {{{{\n  ssl = no\n{OLD.replace('{old}', '{name}')}}}}}\n"),
        Row("more of a name", OLD + f"local_name {NAME} {{{{\n  ssl_min_protocol = TLSv1.2\n  ssl_cert = <{{name}}\n  ssl_key = <{{key}}\n  ssl_cipher_list = HIGH\n}}}}\n"),
        Row("a comment at the end, without a newline", OLD + "# the end", last=True),
        Row("a backslash at the end", OLD + "login_greeting = hi \\\n", last=True),
        Row("a block at the end, without a newline", OLD + named(f"local_name {NAME}").rstrip("\n"), last=True, newline="\r\n"),
        Row("the same files for all", OLD + f"local_name {NAME} {{{{\n{OLD}}}}}\nlocal_name {OTHER} {{{{\n{OLD}}}}}\n"),
        Row("names in one block, a comment behind its brace", OLD + f'local_name "{NAME} {OTHER}" {{{{ # two\n\tssl_cert=<{{name}}\n\tssl_key=<{{key}} # key\n}}}}\n'),
        Row("bytes that are no UTF-8", "# caf\xe9\n" + OLD),
        Row("what 2.4 calls it", "ssl_server_cert_file = {old}\n", status=(6, 6), code="config-syntax", serves=None),
    ],
    "2.4": [
        Row("flat", NEWER),
        Row("nested", "ssl_server {{\n  cert_file = {old}\n  key_file = {key}\n}}\n"),
        Row("nested, with long names", "ssl_server {{\n  ssl_server_cert_file = {old}\n  key_file = {key}\n}}\n"),
        Row("by a path of names", "ssl_server/cert_file = {old}\nssl_server/key_file = {key}\n"),
        Row("both: the last counts", NEWER.replace("{old}", "{name}") + "ssl_server {{\n  cert_file = {old}\n}}\n"),
        Row("quotes", "ssl_server_cert_file = \"{old}\"\nssl_server_key_file = '{key}'\n"),
        Row("a number sign in quotes", 'ssl_server_cert_file = "{hash}" # c\nssl_server_key_file = {key}\n'),
        Row("the value of another", "login_greeting = {old}\nssl_server_cert_file = $SET:login_greeting\nssl_server_key_file = {key}\n"),
        Row("relative", "ssl_server_cert_file = ../../old.pem\nssl_server_key_file = {key}\n"),
        Row("CRLF", NEWER + named24(f"local_name {NAME}"), newline="\r\n"),
        Row("a byte order mark before the version", NEWER, start="\ufeff", status=(6, 6), code="config-syntax", serves=None),
        Row("a byte order mark of an include", NEWER + "!include pair.inc\n", files=(("pair.inc", "\ufeff" + NEWER),), status=(6, 6), code="config-syntax", serves=None),
        Row("a setting before the version", NEWER, start="ssl = yes\n", status=(6, 6), code="config-syntax", serves=None),
        Row("the version changes", NEWER + "dovecot_config_version = 2.4.0\n", status=(6, 6), code="config-syntax", serves=None),
        Row("the version twice", NEWER + "dovecot_config_version = 2.4.1\n"),
        Row("a version that is not known", NEWER, start="dovecot_config_version = 2.9.9\n", status=(6, 6), code="config-syntax", serves=None),
        Row("no newline at the end", NEWER.rstrip("\n"), last=True),
        Row("continued", "ssl_server_cert_file = \\\n  {old}\nssl_server_key_file \\\n = {key}\n"),
        Row("a key that does not fit", "ssl_server_cert_file = {old}\nssl_server_key_file = {stranger}\n", serves=False, status=(0, None)),
        Row("a name's key that does not fit", NEWER + f"local_name {NAME} {{{{\n  ssl_server_cert_file = {{name}}\n  ssl_server_key_file = {{stranger}}\n}}}}\n", status=(0, None)),
        Row("a certificate without a key", "ssl_server_cert_file = {old}\n", serves=False, status=(0, None)),
        Row("a key without a certificate", "ssl_server_key_file = {key}\n", serves=False, status=(0, 6), code="tls-off"),
        Row("an encrypted key", "ssl_server_cert_file = {old}\nssl_server_key_file = {encrypted}\n", serves=False, status=(0, None)),
        Row("an encrypted key and its password", "ssl_server_cert_file = {old}\nssl_server_key_file = {encrypted}\nssl_server_key_password = secret\n"),
        Row("an empty file", "ssl_server_cert_file = {empty}\nssl_server_key_file = {key}\n", serves=False, status=(0, None)),
        Row("no certificate", "", serves=False, status=(0, 6), code="tls-off"),
        Row("two key types", NEWER + "ssl_server {{\n  alt_cert_file = {alt}\n  alt_key_file = {altkey}\n}}\n", options=("--drop-other-types",)),
        Row("names have no case", NEWER + named24(f"local_name {NAME.upper()}")),
        Row("a pattern", NEWER + named24("local_name *.a.test")),
        Row("a pattern behind the name", NEWER + named24(f"local_name {NAME}", "here") + named24("local_name *.a.test")),
        Row("the name behind a pattern", NEWER + named24("local_name *.a.test") + named24(f"local_name {NAME}", "here")),
        Row("nested within a name", NEWER + f"local_name {NAME} {{{{\n  ssl_server {{{{\n    cert_file = {{name}}\n    key_file = {{key}}\n  }}}}\n}}}}\n"),
        Row("the same name twice", NEWER + named24(f"local_name {NAME}", "here") + named24(f"local_name {OTHER}") + named24(f"local_name {NAME}")),
        Row("a name within an address", NEWER + "local 127.0.0.0/8 {{\n" + named24(f"local_name {NAME}") + "}}\n"),
        Row("a name hidden at an address", NEWER + named24(f"local_name {NAME}") + named24("local 127.0.0.1", "here")),
        Row("a name hidden at an address, beside more", NEWER + f"local_name {NAME} {{{{\n  ssl = yes\n  login_greeting = hi\n  ssl_server_cert_file = {{name}}\n  ssl_server_key_file = {{key}}\n}}}}\n" + named24("local 127.0.0.1", "here")),
        Row("a protocol of a name at an address, hidden", NEWER + f"local 127.0.0.1 {{{{\nlocal_name {NAME} {{{{\n" + named24("protocol imap") + "}}\n}}\n" + named24("local_name *.a.test", "here")),
        Row("a wide network behind an address", NEWER + named24("local 127.0.0.1", "here") + named24("local 127.0.0.0/8")),
        Row("a protocol of a name at an address", NEWER + f"local 127.0.0.1 {{{{\nlocal_name {NAME} {{{{\n" + named24("protocol imap") + "}}\n}}\n"),
        Row("a protocol behind the name", NEWER + named24(f"local_name {NAME}", "here") + named24("protocol pop3"), serves=None, status=(6, 0), code="other-changes"),
        Row("the name behind a protocol", NEWER + named24("protocol pop3") + named24(f"local_name {NAME}", "here")),
        Row("a service of its own", NEWER + named24("service pop3-login", "here"), serves=None, status=(0, 6), code="config-not-understood"),
        Row("within a listener it is ignored", NEWER + "service imap-login {{\n  inet_listener imap {{\n    ssl_server_cert_file = {here}\n  }}\n}}\n"),
        Row("the default behind the blocks", named24(f"local_name {OTHER}") + NEWER),
        Row("other clients", NEWER + named24("remote 10.9.0.0/16", "here")),
        Row("a network of clients", NEWER + named24("remote 127.0.0.0/8", "here"), serves=None, notice="keeps-own"),
        Row("an address without a certificate", NEWER + "local 127.0.0.0/8 {{\n  ssl = required\n}}\n", keeps="local 127.0.0.0/8 {{\n  ssl = required\n}}\n"),
        Row("a protocol at an address", NEWER + "local 127.0.0.1 {{\n" + named24("protocol imap", "here") + "}}\n"),
        Row("a pattern that no name fits", NEWER + named24("local_name *")),
        Row("two key types for one protocol", NEWER + f"protocol pop3 {{{{\n{ALT24}}}}}\n", status=(None, 0), options=("--drop-other-types",)),
        Row("two key types, and two for a name", NEWER + ALT24 + f"local_name {NAME} {{{{\n{NEWER}{ALT24}}}}}\n", options=("--drop-other-types",)),
        Row("includes", "!include parts/*.conf\n!include_try none/*.conf\n", files=(("parts/10-ssl.conf", NEWER), ("parts/20-name.conf", named24(f"local_name {NAME}")))),
        Row("an include within a block", NEWER + f"local_name {NAME} {{{{\n  !include pair.inc\n}}}}\n", files=(("pair.inc", "ssl_server_cert_file = {name}\nssl_server_key_file = {key}\n"),)),
        Row("three includes, the last counts", "!include parts/*.conf\n!include last.inc\n", files=(("parts/10.conf", "ssl_server_cert_file = {name}\n"), ("parts/20.conf", "ssl_server {{\n  cert_file = {here}\n  key_file = {key}\n}}\n"), ("last.inc", "ssl_server/cert_file = {old}\n"))),
        Row("an include within ssl_server", "ssl_server {{\n  !include pair.inc\n}}\n", files=(("pair.inc", "cert_file = {old}\nkey_file = {key}\n"),)),
        Row("an include of an include, relative to that", "!include parts/one.conf\n", files=(("parts/one.conf", "!include_try two.inc\n!include_try ../parts/two.inc\n"), ("parts/two.inc", NEWER))),
        Row("an include further up", "!include parts/one.conf\n", files=(("parts/one.conf", "!include ../up.inc\n"), ("up.inc", NEWER + named24(f"local_name {NAME}")))),
        Row("quotes with escapes", 'ssl_server_cert_file = "\\{old}"\nssl_server_key_file = "{key}"\n', serves=None),
        Row("a value from the environment", "ssl_server_cert_file = $ENV:NOTHING\nssl_server_key_file = {key}\n", serves=None, status=(0, None)),
        Row("a variable", "ssl_server_cert_file = %{{env:NOTHING | default('{old}')}}\nssl_server_key_file = {key}\n", serves=None, status=(None, None)),
        Row("unset, and set again", NEWER + "ssl_server_cert_file =\nssl_server {{\n  cert_file = {old}\n}}\n"),
        Row("set and unset", NEWER + "ssl_server/cert_file =\n", serves=False, status=(0, None)),
        Row("a comment behind the brace", NEWER + f"local_name {NAME} {{{{ # {{{{\n  ssl_server_cert_file = {{name}} # }}}}\n  ssl_server_key_file = {{key}}\n}}}} # end\n"),
        Row("tabs for blanks", NEWER.replace(" ", "\t") + named24(f"local_name\t{NAME}\t").replace(" {", "\t{").replace("\t\t", "\t")),
        Row("a group that is not about TLS", "group @other one {{\n  login_greeting = hi\n}}\n" + NEWER + "@other = one\n"),
        Row("a network with bits of a host", NEWER + named24("local 127.0.0.1/8", "here")),
        Row("all networks", NEWER + named24("local 0.0.0.0/0", "here"), serves=None),
        Row("a protocol that is not that one", NEWER + named24("protocol !pop3", "here"), serves=None),
        Row("an empty block for the name", NEWER + f"local_name {NAME} {{{{\n}}}}\n"),
        Row("an empty block for the name, before a pattern", NEWER + f"local_name {NAME} {{{{\n}}}}\n" + named24("local_name *.a.test")),
        Row("a name's block in two files", NEWER + "!include parts/*.conf\n", files=(("parts/1.conf", f"local_name {NAME} {{{{\n  ssl_server_cert_file = {{name}}\n}}}}\n"), ("parts/2.conf", f"local_name {NAME} {{{{\n  ssl_server_key_file = {{key}}\n}}}}\n"))),
        Row("a name's block in two files, a pattern between", NEWER + "!include parts/*.conf\n", files=(("parts/1.conf", f"local_name {NAME} {{{{\n  ssl_server_cert_file = {{name}}\n}}}}\n"), ("parts/2.conf", named24("local_name *.a.test", "here")), ("parts/3.conf", f"local_name {NAME} {{{{\n  ssl_server_key_file = {{key}}\n}}}}\n")), status=(0, 6), code="config-not-understood"),
        Row("a name's certificate for one protocol", NEWER + f"local_name {NAME} {{{{\n" + named24("protocol imap") + "}}\n", serves=None),
        Row("a name that is a pattern of one letter", NEWER + named24("local_name ww?.a.test")),
        Row("one include in two blocks, and alone", "!include pair.inc\n" + f"local_name {NAME} {{{{\n  !include pair.inc\n}}}}\n", files=(("pair.inc", NEWER),), status=(6, 0), code="shared-lines"),
        Row("protocols in a list", NEWER + "protocols {{\n  imap = yes\n  pop3 = yes\n  submission = yes\n  lmtp = yes\n  sieve = yes\n}}\n"),
        Row("a backslash before a comment within a block", NEWER + f"local_name {NAME} {{{{\n  ssl_server_cert_file = \\\n  # c\n  ssl_server_cert_file = {{name}}\n  ssl_server_key_file = \\\n\t{{key}}\n}}}}\n"),
        Row("several listeners of a protocol", NEWER + "service imap-login {{\n  inet_listener imaps {{\n    ssl = yes\n  }}\n  inet_listener other {{\n    port = 0\n  }}\n}}\n"),
        Row("the contents of a file", "ssl_server_cert_file = <{old}\nssl_server_key_file = {key}\n", status=(None, 6), code="test-failed", serves=None),
        Row("one file with both", "ssl_server_cert_file = {combined}\nssl_server_key_file = {combined}\n"),
        Row("a folder with a blank", 'ssl_server_cert_file = {blank}\nssl_server_key_file = "{key}"\n'),
        Row("a name within a protocol", NEWER + "protocol imap {{\n" + named24(f"local_name {NAME}") + "}}\n", status=(6, 6), code="config-syntax config-not-understood", serves=None),
        Row("a name within ssl_server", NEWER + "ssl_server {{\n" + named24(f"local_name {NAME}") + "}}\n", status=(6, 6), code="config-syntax config-not-understood", serves=None),
        Row("a name within clients", NEWER + "remote 10.0.0.0/8 {{\n" + named24(f"local_name {NAME}") + "}}\n", status=(6, 6), code="config-syntax config-not-understood", serves=None),
        Row("a group that is about TLS", "group @tls one {{\n  ssl_server_cert_file = {here}\n}}\n" + NEWER + "@tls = one\n", status=(6, 6), code="config-not-understood", serves=None),
        Row("a group that is about TLS, in a service", "group @tls one {{\n" + named24("service imap-login", "here") + "}}\n" + NEWER + "@tls = one\n", status=(6, 6), code="config-not-understood", serves=None),
        Row("a group that is about listeners", "group @less one {{\n  service imap-login {{\n    inet_listener other {{\n      port = 0\n    }}\n  }}\n}}\n" + NEWER + "@less = one\n", status=(6, 6), code="config-not-understood", serves=None),
        Row("a group about listeners that nobody uses", "group @less one {{\n  protocols = imap\n}}\n" + NEWER),
        Row("more in ssl_server", "ssl_server {{\n  prefer_ciphers = server\n  cert_file = {old}\n  key_file = {key}\n  request_client_cert = no\n}}\n"),
        Row("flat behind nested", "ssl_server {{\n  cert_file = {name}\n  key_file = {key}\n}}\nssl_server_cert_file = {old}\n"),
        Row("nested within a protocol", NEWER + "protocol pop3 {{\n  ssl_server {{\n    cert_file = {here}\n    key_file = {key}\n  }}\n}}\n", serves=None),
        Row("no TLS for a name, which is asked for too late", NEWER + f"local_name {NAME} {{{{\n  ssl = no\n{NEWER.replace('{old}', '{name}')}}}}}\n"),
        Row("no TLS at all", "ssl = no\n" + NEWER, status=(6, 6), code="tls-off", serves=False),
        Row("a name hidden by a pattern and at an address", NEWER + named24(f"local_name {NAME}") + named24("local_name *.a.test", "here") + named24("local 127.0.0.1", "here")),
        Row("a key of a name's own", NEWER + f"local_name {NAME} {{{{\n  ssl_server_key_file = {{key}}\n}}}}\n", status=(6, 0), code="other-changes"),
        Row("a name without a key", NEWER + f"local_name {NAME} {{{{\n  ssl_server_cert_file = {{name}}\n}}}}\n", status=(6, 0), code="shared-lines"),
        Row("a protocol before the default", "protocol pop3 {{\n" + NEWER + "}}\n" + NEWER, serves=None),
        Row("a comment at the end, without a newline", NEWER + "# the end", last=True),
        Row("a backslash at the end", NEWER + "login_greeting = hi \\\n", last=True),
        Row("a block at the end, without a newline", NEWER + named24(f"local_name {NAME}").rstrip("\n"), last=True, newline="\r\n"),
        Row("what 2.3 calls it", OLD, status=(6, 6), code="config-syntax", serves=None),
        Row("several names", NEWER + named24(f'local_name "{NAME} {OTHER}"'), status=(6, 6), code="config-syntax", serves=None),
    ],
}


@pytest.fixture(scope="module")
def live(oracle, pki):
    with Live(oracle, NEWER if oracle.v24 else OLD) as dovecot:
        key = dovecot.base / "all.key"
        dovecot.paths = {n: path for n, (path, _) in dovecot.known.items()} | {"key": key}
        stranger = pki.self_signed("stranger.test", key="rsa")
        more = {
            "encrypted.key": subprocess.run(["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:secret"], env=CLEAN, check=True, capture_output=True, text=True).stdout,
            "stranger.key": stranger.key_pem, "empty.pem": "", "alt.pem": stranger.pem, "altkey.pem": stranger.key_pem,
            "combined.pem": key.read_text() + (dovecot.base / "old.pem").read_text(),
            "a blank.pem": (dovecot.base / "old.pem").read_text(), "a#hash.pem": (dovecot.base / "old.pem").read_text(),
        }
        for name, text in more.items():
            (dovecot.base / name).write_text(text)
            dovecot.paths[name.partition(".")[0].replace("#", " ").split()[-1]] = dovecot.base / name
        dovecot.paths["inline"] = " ".join((dovecot.base / "old.pem").read_text().split("\n")[:2])
        dovecot.stock, dovecot.written = dovecot.config.read_text(), 0
        dovecot.start()
        yield dovecot


def marker(live):
    """Of the configuration at hand: a socket that Dovecot makes when it has taken it."""
    return live.base / f"run/taken-{live.written}"


def write(live, row):
    home = live.config.parent
    pair = (NEWER if live.oracle.v24 else OLD).format(**live.paths)
    assert live.stock.count(pair) == 1
    stock, text = live.stock.replace(pair, "@" if not row.last else ""), row.text.format(**live.paths)
    live.written += 1
    stock += f"service stats {{\n  unix_listener {marker(live).name} {{\n  }}\n}}\n"
    text = row.start + (stock + text if row.last else stock.replace("@", text))
    for path in [p for p in home.rglob("*") if p != live.config and p.is_file()]:
        path.unlink()
    for name, content in [("dovecot.conf", text), *((n, t.format(**live.paths)) for n, t in row.files)]:
        (home / name).parent.mkdir(exist_ok=True)
        with open(home / name, "w", encoding="utf-8", newline="") as f:
            f.write(content.replace("\n", row.newline))
    return {p: p.read_bytes() for p in home.rglob("*") if p.is_file()}


def everything(live):
    return {(port, name): live.served(port, name) for port in PORTS for name in (None, NAME, OTHER)}


def leaf_of(path):
    with open(path, encoding="latin-1") as f:
        text = f.read()
    start = text.find("-----BEGIN CERTIFICATE-----")
    return None if start == -1 else hashlib.sha256(ssl.PEM_cert_to_DER_cert(text[start : text.index("-----END CERTIFICATE-----") + 25])).hexdigest()


def check_list(live, before):
    """Of endpoints that a client at 127.0.0.1 meets: what is listed is served."""
    here = ("127.0.0.1", "127.0.0.1/8", "127.0.0.0/8")
    found = {}  # of two key types there are two lines
    for e in live.tool.run("list").expect(0).endpoints:
        address, _, listener = e["listen"].rpartition(":")
        listener = listener.partition("/")[0]
        if listener in PORTS and address in ("", *here):
            found.setdefault((listener, e["name"] or None), {}).setdefault(address, []).append(e.get("certificate"))
    for where, sha in before.items():
        shown = found.get(where)
        if shown is None or sha is None or (where[0] == "lmtp" and not live.oracle.v24):
            continue
        shown = next(shown[net] for net in (*here, "") if net in shown)
        assert sha in [leaf_of(path) for path in shown], (where, shown)


def one_deployment(live, leaf, row, which, before, files):
    argv = ["--default"] if which == 0 else ["--hostname", NAME]
    done = live.deploy(leaf, *argv, "--accept", "name-mismatch", *row.options)
    if row.status[which] != 0:
        done.expect(row.status[which])
        assert row.status[which] != 6 or set(done.codes) & set(row.code.split()), done
    else:
        done.expect(0)
        now = everything(live)
        reached = [where for where in now if now[where] == leaf.sha256]
        for where, sha in now.items():
            assert sha in (leaf.sha256, before[where]), (where, done)
            if which == 1:
                assert where[1] == NAME or sha == before[where], (where, done)
        assert reached, done
        assert not row.notice or row.notice in done.codes, done
        assert row.keeps.format(**live.paths) in live.config.read_text(), done
        if row.serves is not None and which == 1:
            assert {w[0] for w in reached} >= {"imap", "imaps", "pop3s", "submission"}, (reached, done)
        assert not live.deploy(leaf, *argv, "--accept", "name-mismatch", *row.options).expect(0).json["changed"]
        live.tool.run("rollback", *([] if row.serves else ["--no-verify"])).expect(0)
    assert {p: p.read_bytes() for p in files} == files


def all_rows():
    return [pytest.param(v, row, id=f"{v}-{row.name.replace(' ', '-')}") for v, rows in ROWS.items() for row in rows]


@pytest.mark.parametrize(("oracle", "row"), all_rows(), indirect=["oracle"])
def test_row(oracle, live, ca, row):
    files, before = write(live, row), {}
    if oracle.accepts(live.config):
        want = row.serves
        oracle.run("doveadm", "-c", live.inside(live.config), "reload")
        if want is not None:  # else a file may be missing, and it goes on with what it has
            wait_for("the configuration to be read", marker(live).exists)
        if want is not None:
            wait_for("the configuration to be taken", lambda: (live.served("imaps") is not None) == want)
        # a server that says nothing at all takes minutes to look at
        if want is not None or 0 in row.status:
            before = everything(live)
        if want is not None and not row.options:
            check_list(live, before)
    else:
        assert row.serves is None
    for which in [i for i in (0, 1) if row.status[i] is not None]:
        one_deployment(live, ca.leaf(NAME, again=len(row.name) + which), row, which, before, files)
