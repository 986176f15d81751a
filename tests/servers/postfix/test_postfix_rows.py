# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ways to write main.cf and master.cf, each on a real Postfix.

For every row: what `list` says of a listener is what the wire serves; a deployment is served by every listener
that is meant; the same again finds nothing to do; a rollback gives back every byte.
"""

import hashlib
import re
import shutil
import ssl
from dataclasses import dataclass

import pytest

from harness import wire
from harness.host import Host
from harness.process import wait_for

pytestmark = pytest.mark.needs("postfix")

NAME = "mail.example.test"
PAIR = "smtpd_tls_cert_file = {cert}\nsmtpd_tls_key_file = {key}\n"
ALL, NONE = (True,) * 3, (False,) * 3
WRAPPED = (False, False, True)  # smtps alone


@dataclass(frozen=True)
class Row:
    """main replaces the pair in main.cf, smtps follows its row in master.cf. serves: smtp, submission, smtps."""

    name: str
    main: str = PAIR
    smtps: str = ""
    serves: tuple = ALL  # before …
    after: tuple = ALL  # … and after the deployment
    status: int = 0
    code: str = ""
    options: tuple = ()  # of the deployment
    change: tuple = ()  # (old, new) in the whole main.cf, after all else
    master: str = ""  # more rows


ROWS = [
    # main.cf: lines
    Row("a comment behind a value is part of it", "smtpd_tls_cert_file = {cert} # old\nsmtpd_tls_key_file = {key}\n", serves=NONE),
    Row("quotes are part of the value", 'smtpd_tls_cert_file = "{cert}"\nsmtpd_tls_key_file = {key}\n', serves=NONE),
    Row("a backslash continues nothing", "smtpd_tls_cert_file = {cert}\\\nsmtpd_tls_key_file = {key}\n", serves=NONE),
    Row("a path with blanks", "smtpd_tls_cert_file = {blank}\nsmtpd_tls_key_file = {key}\n"),
    Row("vertical tab and form feed continue", "smtpd_tls_cert_file =\n\v{cert}\n\nsmtpd_tls_key_file =\n# c\n\f{key}\n"),
    Row("the first line indented is nothing", "  smtpd_tls_cert_file = /nowhere\n" + PAIR),
    Row("indented, it is part of the one before", PAIR + "smtpd_tls_loglevel = 1\n", change=("\nsmtpd_tls_key_file", "\n  smtpd_tls_key_file"), serves=NONE),
    Row("CRLF", PAIR, change=("\n", "\r\n")),
    Row("a byte order mark", "\ufeffsmtpd_tls_loglevel = 0\n" + PAIR),
    Row("bytes that are no UTF-8", "smtpd_banner = caf\udce9 \udcff\n" + PAIR),
    Row("a NUL ends the line", "smtpd_banner = x\0 y\n" + PAIR),
    Row("a long line", "our_long = " + "x " * 200000 + "\n" + PAIR),
    Row("the last counts, also if empty", PAIR + "smtpd_tls_cert_file =\n", serves=NONE),
    Row("the last counts", "smtpd_tls_cert_file = /nowhere\n" + PAIR),
    Row("names have their case", PAIR + "SMTPD_tls_cert_file = /nowhere\n"),
    # main.cf: values
    Row("$ in each form", "a = {cert}\nb = ${{a}}\nsmtpd_tls_cert_file = $(b)\nsmtpd_tls_key_file = ${{mail_name?{key}}}\n"),
    Row("a choice", "smtpd_tls_cert_file = ${{{{$mail_name}} == {{Postfix}} ? {{{cert}}} : {{/nowhere}}}}\nsmtpd_tls_key_file = ${{none:{key}}}\n"),
    Row("what is not defined is empty", "smtpd_tls_cert_file = {cert}$nothing\nsmtpd_tls_key_file = ${{1}}{key}\n"),
    Row("relations within each other", "smtpd_tls_cert_file = ${{{{${{{{1}}<{{2}}?{{a}}:{{b}}}}}}=={{a}}?{{{cert}}}:{{x}}}}\nsmtpd_tls_key_file = ${{ mail_name ? {{{key}}} : {{y}} }}\n"),
    Row("a level", "smtpd_tls_cert_file = ${{{{$compatibility_level}} >=level {{3.6}} ? {{{cert}}} : {{/nowhere}}}}\nsmtpd_tls_key_file = {key}\n"),
    Row("what an option of the service sets", "our_cert = {cert}\nour_key = {key}\nsmtpd_tls_cert_file = $our_cert\nsmtpd_tls_key_file = $our_key\n", smtps="  -o our_cert={other} -o our_key={otherkey}\n"),
    Row("the name of the service", "smtpd_tls_cert_file = ${{{{$service_name}} == {{{smtps}}} ? {{{other}}} : {{{cert}}}}}\nsmtpd_tls_key_file = ${{{{$service_name}} == {{{smtps}}} ? {{{otherkey}}} : {{{key}}}}}\n"),
    Row("a loop", "a = $b\nb = $a\nsmtpd_tls_cert_file = $a\n", status=6, code="config-syntax", serves=()),
    # which parameters matter
    Row("one file with all", "smtpd_tls_cert_file = {both}\n"),
    Row("the same file twice, the key last", "smtpd_tls_cert_file = {behind}\nsmtpd_tls_key_file = {behind}\n"),
    Row("a path from the queue's folder", "smtpd_tls_cert_file = tls.pem\n"),
    Row("a key of somebody else's that nobody may read", "smtpd_tls_cert_file = {cert}\nsmtpd_tls_key_file = {locked}\n"),
    Row("the chain in an authority's file", "smtpd_tls_cert_file = {leaf}\nsmtpd_tls_key_file = {otherkey}\nsmtpd_tls_CAfile = {chain}\n"),
    Row("no key", "smtpd_tls_cert_file = {cert}\n", serves=NONE),
    Row("of another key", "smtpd_tls_cert_file = {cert}\nsmtpd_tls_key_file = {wrong}\n", serves=NONE),
    Row("an encrypted key", "smtpd_tls_cert_file = {cert}\nsmtpd_tls_key_file = {encrypted}\n", serves=NONE),
    Row("an empty file", "smtpd_tls_cert_file = {empty}\nsmtpd_tls_key_file = {key}\n", serves=NONE),
    Row("a certificate for ECDSA counts", PAIR + "smtpd_tls_eccert_file = {other}\nsmtpd_tls_eckey_file = {otherkey}\n", options=("--drop-other-types",)),
    Row("one of the same type in another slot", PAIR + "smtpd_tls_dcert_file = {other}\nsmtpd_tls_dkey_file = {otherkey}\n", options=("--drop-other-types",)),
    Row("the word none", "smtpd_tls_cert_file = none\n", serves=NONE),
    Row("nothing at all", "", serves=NONE),
    Row("an authority's file that is missing", PAIR + "smtpd_tls_CAfile = /nowhere\n", serves=NONE, status=6, code="not-found"),
    Row("use_tls", PAIR + "smtpd_use_tls = yes\n", change=("smtpd_tls_security_level", "our_level")),
    Row("none beats use_tls", PAIR + "smtpd_use_tls = yes\n", change=("smtpd_tls_security_level=may", "smtpd_tls_security_level=none"), serves=(False, True, True), after=(False, True, True)),
    Row("STARTTLS is kept back", PAIR + "smtpd_discard_ehlo_keywords = silent-discard, STARTTLS\n", serves=WRAPPED, after=WRAPPED),
    Row("STARTTLS is kept back by one", change=("smtpd_tls_security_level", "smtpd_discard_ehlo_keywords = ${{$service_name} == {{submission}} ? {starttls}}\nsmtpd_tls_security_level"), serves=(True, False, True), after=(True, False, True)),
    # chain files
    Row("chain files: key, certificate", "smtpd_tls_chain_files = {key}, {cert}\n"),
    Row("chain files: over several lines", "smtpd_tls_chain_files =\n\t{key}\n# c\n\t{cert}\n"),
    Row("chain files: the key last", "smtpd_tls_chain_files = {cert}, {key}\n", serves=NONE),
    Row("chain files: missing", PAIR + "smtpd_tls_chain_files = /nowhere\n", serves=NONE),
    Row("chain files: braces are taken literally", PAIR + "smtpd_tls_chain_files = {{{both}}}\n", serves=NONE),
    Row("chain files: the same key twice", "smtpd_tls_chain_files = {both} {both}\n", serves=NONE, options=("--drop-other-types",)),
    Row("chain files come first", "smtpd_tls_cert_file = /nowhere\nsmtpd_tls_chain_files = {both}\n"),
    Row("an empty list does not count", PAIR + "smtpd_tls_chain_files =\n"),
    # master.cf
    Row("what stands behind an argument is not read", smtps="  -o smtpd_tls_cert_file={other} # note\n  -o smtpd_tls_key_file={otherkey}\n", serves=(True, True, False), status=6, code="config-syntax"),
    Row("an option without =", smtps="  -o smtpd_tls_cert_file = {cert}\n", status=6, code="config-syntax", serves=()),
    Row("an option in braces", smtps="  -o {{ smtpd_tls_cert_file = {other} }} -o {{smtpd_tls_key_file={otherkey}}}\n", options=("--default",)),
    Row("the last option counts", smtps="  -o smtpd_tls_cert_file=/nowhere\n  -o smtpd_tls_cert_file={cert}\n", options=("--default",)),
    Row("an option beside chain files does nothing", "smtpd_tls_chain_files = {both}\n", smtps="  -o smtpd_tls_cert_file=/nowhere\n"),
    Row("unless they are emptied there", "smtpd_tls_chain_files = {both}\n", smtps="  -o smtpd_tls_chain_files= -o smtpd_tls_cert_file={other} -o smtpd_tls_key_file={otherkey}\n", options=("--default",)),
    Row("an option that empties", smtps="  -o smtpd_tls_cert_file=\n", serves=(True, True, False), options=("--default",)),
    Row("of two rows the last counts", master="{smtps} inet n - y - - smtpd -o smtpd_tls_wrappermode=yes -o smtpd_tls_cert_file={other} -o smtpd_tls_key_file={otherkey}\n", options=("--default",)),
    Row("a row that is switched off", PAIR + "master_service_disable = {submission}/inet\n", serves=(True, None, True), after=(True, None, True)),
    # the nasty and valid: expansion
    Row("a chain of choices", "a = $b\nb = ${{c?{{$d}}:{{$e}}}}\nd = /nowhere\ne = ${{f:{{{cert}}}}}\nc =\nsmtpd_tls_cert_file = ${{a}}\nsmtpd_tls_key_file = ${{c:${{g}}}}\ng = {key}\n"),
    Row("a choice without braces keeps its blanks outside", "on = yes\nsmtpd_tls_cert_file =${{on?{cert}}}\nsmtpd_tls_key_file = ${{off:{key}}}\n"),
    Row("numbers are compared as numbers", "smtpd_tls_cert_file = ${{{{9}} < {{10}} ? {{{cert}}} : {{/x}}}}\nsmtpd_tls_key_file = ${{{{010}} == {{10}} ? {{{key}}} : {{/x}}}}\n"),
    Row("words are compared as words", "smtpd_tls_cert_file = ${{{{a9}} > {{a10}} ? {{{cert}}} : {{/x}}}}\nsmtpd_tls_key_file = ${{{{}} < {{0}} ? {{{key}}} : {{/x}}}}\n"),
    Row("differing, and no second branch", "smtpd_tls_cert_file = ${{{{a}} != {{b}} ? {{{cert}}}}}${{{{a}} == {{b}} ? {{/x}}}}\nsmtpd_tls_key_file = ${{{{a}} >= {{a}}?{{{key}}}}}\n"),
    Row("a macro over two lines", "smtpd_tls_cert_file = ${{{{a}} ==\n  {{a}}\n# c\n\n  ? {{{cert}}}\n  : {{/x}}}}\nsmtpd_tls_key_file = {key}\n"),
    Row("the folder of the configuration", "smtpd_tls_cert_file = $config_directory/pair.pem\n"),
    Row("a name between other bytes", "smtpd_tls_cert_file = ${{config_directory}}/$myhostname.pem\nsmtpd_tls_key_file=$smtpd_tls_cert_file\n"),
    Row("the domain, which nobody sets", "smtpd_tls_cert_file = $(config_directory)/$mydomain.pem\n"),
    Row("the domain of a name of two words", "smtpd_tls_cert_file = $config_directory/$mydomain.pem\n", change=(f"myhostname = {NAME}", "myhostname = mail.test"), options=("--default",)),
    Row("the domain of a row that goes by another name", "smtpd_tls_cert_file = $config_directory/$mydomain.pem\n", smtps="  -o myhostname=mx.other.test\n", options=("--default",)),
    Row("a default of Postfix's that nobody sets", "smtpd_tls_cert_file = $config_directory/${{{{$smtpd_tls_loglevel}} == {{0}} ? {{nowhere}} : {{pair}}}}.pem\n", change=("\nsmtpd_relay", "\nsmtpd_tls_loglevel = 1\nsmtpd_relay")),
    Row("a default that smtpd knows by then", "smtpd_tls_cert_file = ${{ smtpd_hard_error_limit ? {{{cert}}} : {{/nowhere}} }}\nsmtpd_tls_key_file = ${{smtpd_hard_error_limit?{key}}}\n"),
    Row("a default that smtpd reads later", "smtpd_tls_cert_file = ${{smtpd_tls_loglevel?{{/nowhere}}:{{{cert}}}}}\nsmtpd_tls_key_file = ${{{{$smtpd_tls_loglevel}} == {{}} ? {{{key}}} : {{/nowhere}}}}\n"),
    Row("what only an option sets", "smtpd_tls_cert_file = ${{ours?{{$ours}}:{{{cert}}}}}\nsmtpd_tls_key_file = ${{ours?{{{otherkey}}}:{{{key}}}}}\n", smtps="  -o ours={other}\n"),
    Row("an option by way of one that follows", smtps="  -o smtpd_tls_cert_file=$our_dir/pair.pem\n  -o smtpd_tls_key_file=$smtpd_tls_cert_file\n  -o our_dir=$config_directory\n", options=("--default",)),
    Row("under stress, which it is not", "smtpd_tls_cert_file = ${{stress?{{/nowhere}}:{{{cert}}}}}\nsmtpd_tls_key_file = {key}\n"),
    Row("an option that says stress", "smtpd_tls_cert_file = ${{stress?{{{other}}}:{{{cert}}}}}\nsmtpd_tls_key_file = ${{stress?{{{otherkey}}}:{{{key}}}}}\n", smtps="  -o stress=yes\n"),
    Row("a level by choice", PAIR + "ours = encrypt\n", change=("smtpd_tls_security_level=may", "smtpd_tls_security_level = ${ours?{$ours}:{none}}")),
    Row("a doubled $", "smtpd_tls_cert_file = {dollar}\nsmtpd_tls_key_file = {key}\n"),
    Row("a macro without an end", "smtpd_tls_cert_file = ${{mail_name\nsmtpd_tls_key_file = {key}\n", status=6, code="config-syntax", serves=()),
    Row("a $ before a blank", "ours = $ x\nsmtpd_tls_cert_file = {cert}$ours\nsmtpd_tls_key_file = {key}\n", status=6, code="config-syntax", serves=()),
    Row("no =", "junk\n" + PAIR, status=6, code="config-syntax", serves=()),
    Row("it names itself", "smtpd_tls_cert_file = {cert}$smtpd_tls_cert_file\nsmtpd_tls_key_file = {key}\n", status=6, code="config-syntax", serves=()),
    # … lines
    Row("no blank, tabs, and blanks around =", "smtpd_tls_cert_file={cert}\t \nsmtpd_tls_key_file \t = \t{key}\n"),
    Row("the value on the next line alone", "smtpd_tls_cert_file =\n\n#\n\n   \n  {cert}\nsmtpd_tls_key_file\n  = {key}\n"),
    Row("a comment that is continued is none", "# smtpd_tls_cert_file = /x\n  smtpd_tls_key_file = /x\n" + PAIR),
    Row("no newline at the end", "", change=("inet_protocols = ipv4\n", "inet_protocols = ipv4\nsmtpd_tls_cert_file = $config_directory/pair.pem\n")),
    Row("the key before, the certificate after, other lines between", "smtpd_tls_key_file = {key}\n", change=("inet_protocols = ipv4\n", "inet_protocols = ipv4\nsmtpd_tls_cert_file = $config_directory/pair.pem\nsmtpd_tls_key_file = $smtpd_tls_cert_file\n")),
    # … which parameters
    Row("NONE is none", "smtpd_tls_cert_file = NONE\nsmtpd_tls_key_file = {key}\n", serves=NONE),
    Row("none, and one for ECDSA", "smtpd_tls_cert_file = none\nsmtpd_tls_eccert_file = {both}\n"),
    Row("only one for ECDSA, with the key's default", "smtpd_tls_eccert_file = {both}\n"),
    Row("only one for DSA, of another type", "smtpd_tls_dcert_file = {cert}\nsmtpd_tls_dkey_file = {key}\n"),
    Row("a good one, and one for ECDSA that is missing", PAIR + "smtpd_tls_eccert_file = /nowhere\n", serves=NONE, options=("--drop-other-types",)),
    Row("a key for ECDSA without its certificate", PAIR + "smtpd_tls_eckey_file = {key}\n", options=("--drop-other-types",)),
    Row("chain files that name the others", PAIR + "smtpd_tls_chain_files = $smtpd_tls_key_file, $smtpd_tls_cert_file\n"),
    Row("chain files by a parameter of ours", "ours = {key},\n  {cert}\nsmtpd_tls_chain_files = $ours\n"),
    Row("chain files with blanks and commas in plenty", "smtpd_tls_chain_files = ,, {key}\t,\n#\n , {cert} ,\n\n"),
    Row("chain files by choice", "smtpd_tls_chain_files = ${{{{$service_name}} == {{{smtps}}} ? {{{otherboth}}} : {{{both}}}}}\n"),
    # … master.cf
    Row("an option with blanks within", smtps="  -o {{ smtpd_tls_chain_files = {otherkey}, {other} }}\n", options=("--default",)),
    Row("an option with = in its value", smtps="  -o smtpd_tls_cert_file={equals} -o smtpd_tls_key_file={otherkey}\n", options=("--default",)),
    Row("flags before and after", smtps="  -v -o smtpd_tls_cert_file={other} -v\n\t-osmtpd_tls_key_file={otherkey}\n", options=("--default",)),
    Row("comments and empty lines between options", smtps="# -o smtpd_tls_cert_file=/x\n\n  # c\n  -o smtpd_tls_cert_file={other}\n#\n  -o smtpd_tls_key_file={otherkey}\n", options=("--default",)),
    Row("the certificate by option, its key from main.cf", "smtpd_tls_cert_file = {both}\n", smtps="  -o smtpd_tls_cert_file={otherboth}\n", options=("--default",)),
    Row("the key by option, its certificate from main.cf", "smtpd_tls_cert_file = {cert}\nsmtpd_tls_key_file = {wrong}\n", smtps="  -o smtpd_tls_key_file={key}\n", serves=WRAPPED, options=("--default",)),
    Row("wrapped by choice", "ours = ${{{{$service_name}} == {{{smtps}}} ? {{yes}} : {{no}}}}\nsmtpd_tls_wrappermode = $ours\n" + PAIR),
    Row("a level by option", smtps="  -o {{ smtpd_tls_security_level = none }}\n"),
    Row("an open brace", smtps="  -o {{ smtpd_tls_cert_file={other}\n", status=6, code="config-syntax", serves=()),
    Row("too few columns", master="ours inet n -\n", status=6, code="config-syntax", serves=()),
    Row("chain files emptied by what is empty", "smtpd_tls_chain_files = {both}\nnothing =\n", smtps="  -o smtpd_tls_chain_files=$nothing -o smtpd_tls_cert_file={otherboth} -o smtpd_tls_key_file={otherboth}\n", options=("--default",)),
]


@pytest.fixture(scope="module")
def mail(pki, ca):
    with Host(pki) as host:
        mail = host.postfix(hostname=NAME)
        other = ca.leaf("other.example.test")
        mail.files = {
            "cert": host.old_cert, "key": host.old_key, "other": other.fullchain, "otherkey": other.key, "wrong": other.key,
            "encrypted": host.old.encrypted_key("secret"), "both": host.old.combined, "otherboth": other.combined,
        }
        for name in ("pair", NAME, NAME.partition(".")[2]):
            (mail.home / f"{name}.pem").write_text(host.old.combined.read_text())
        (mail.home / "other.test.pem").write_text(other.combined.read_text())
        (mail.home / "test.pem").write_text(host.old.combined.read_text())
        for name, text in {"behind": host.old.fullchain_pem + host.old.key_pem, "empty": "", "a blank": host.old.fullchain_pem, "a$dollar": host.old.fullchain_pem, "an=equals": other.fullchain_pem}.items():
            path = host.etc / f"{name}.pem"
            path.write_text(text)
            mail.files[re.split("[ $=]", name)[-1]] = str(path).replace("$", "$$")
        (mail.queue / "tls.pem").write_text(host.old.combined.read_text())
        for name, text in {"locked": host.old.key_pem, "leaf": other.pem, "chain": other.chain_pem}.items():
            mail.files[name] = host.etc / f"{name}.pem"
            mail.files[name].write_text(text)
        mail.files["locked"].chmod(0)
        shutil.chown(mail.files["locked"], "nobody")
        mail.stock = mail.config.read_text(), mail.master.read_text()
        host.start()
        yield mail


def write(mail, row):
    words = {**mail.files, "smtps": mail.smtps, "submission": mail.submission}
    main, master = mail.stock
    main = re.sub(r"^(smtpd_tls_\w+) = ", r"\1=", main, flags=re.M)  # as Debian has it since 13
    for name in ("cert", "key"):
        main = main.replace(f"smtpd_tls_{name}_file={mail.files[name]}\n", "")
    assert "smtpd_tls_cert_file" not in main
    text = row.main.format(**words) + main
    if row.change:
        assert row.change[0] in text
        text = text.replace(row.change[0], row.change[1].replace("{submission}", str(mail.submission)))
    with open(mail.config, "w", encoding="utf-8", errors="surrogateescape", newline="") as f:
        f.write(text)
    mail.master.write_text(master.rstrip("\n") + "\n" + row.master.format(**words))
    if row.smtps:
        lines = mail.master.read_text().splitlines(keepends=True)
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{mail.smtps} "))
        mail.master.write_text("".join(lines[: at + 1]) + row.smtps.format(**words) + "".join(lines[at + 1 :]))
    mail.cool()


def leaf_of(path):
    try:
        with open(path, encoding="latin-1") as f:
            text = f.read()
        start = text.index("-----BEGIN CERTIFICATE-----")
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text[start : text.index("-----END CERTIFICATE-----") + 25])).hexdigest()
    except (OSError, ValueError):
        return None


def served(mail):
    return [wire.served(port, **how) for port, how in mail.endpoints()]


def check_list(mail, row, what):
    """What is listed for a listener is what it serves."""
    listed = {e["listen"]: e for e in mail.host.tool("list").expect(0).endpoints}
    for port, wanted, sha in zip(mail.ports(), row.serves, what):
        if wanted is None:
            assert f"{port}/inet" not in listed and not wire.listening(port)
            continue
        shown = listed[f"{port}/inet"]["certificate"]
        assert (sha is not None) == wanted, f"{port}: {shown}"
        assert not wanted or leaf_of(shown) == sha, f"{port}: {shown}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "-"))
def test_row(mail, ca, row):
    host, new = mail.host, ca.leaf(NAME, again=len(row.name))
    write(mail, row)
    files = {p: p.read_bytes() for p in (mail.config, mail.master)}
    if row.serves:
        mail.control("reload", check=False)
        wait_for("the configuration to be taken", lambda: [bool(s) for s in served(mail)] == [bool(s) for s in row.serves])
        before = served(mail)
        check_list(mail, row, before)
    argv = ["deploy", "--cert", new.cert, "--key", new.key, "--chain", new.chain, "--accept", "name-mismatch", *row.options]
    done = host.tool(*argv)
    done.expect(row.status, *([row.code] if row.code else []))
    if row.status == 0:
        assert served(mail) == [new.sha256 if s else None for s in row.after], done
        assert not host.tool(*argv).expect(0).json["changed"]
        # back to what serves nothing is not a way that can be proven
        host.tool("rollback", *([] if all(row.serves) else ["--no-verify"])).expect(0)
    assert {p: p.read_bytes() for p in files} == files
    if row.serves:
        wait_for("what was served before", lambda: served(mail) == before)
    if "throttling" in mail.log_text():  # a service that died is left alone for a minute
        mail.logfile.write_text("")
        mail.control("restart")
