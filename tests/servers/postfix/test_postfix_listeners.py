# SPDX-License-Identifier: LGPL-2.1-or-later
"""The default certificate of each listener, however it is configured, on a real Postfix."""

import pytest

from harness import wire
from harness.scene import fake

pytestmark = pytest.mark.needs("postfix")
both = pytest.mark.parametrize("host", ["bookworm", "trixie"], indirect=True)

NAME = "mail.example.test"


def deploy(host, leaf, *more):
    return host.tool("deploy", "--cert", leaf.cert, "--key", leaf.key, "--chain", leaf.chain, *more)


def served(mail):
    return [wire.served(port, **how) for port, how in mail.endpoints()]


@pytest.fixture
def one(ca):
    return ca.leaf(NAME)


@both
def test_legacy_pair(host, one):
    mail = host.postfix()
    host.start()
    text = mail.config.read_text()
    result = deploy(host, one).expect(0)
    assert served(mail) == [one.sha256] * 3
    expected = text.replace(str(host.old_cert), result.endpoints[0]["certificate"])
    assert mail.config.read_text() == expected.replace(str(host.old_key), result.endpoints[0]["key"])
    assert wire.served_chain(mail.smtps)[1:], "the chain is not sent"


@pytest.mark.parametrize(
    ("host", "form"),
    [("bookworm", "{key}, {cert}"), ("bookworm", "\n  {key}\n# and\n  {cert}"), ("trixie", "{combined}")],
    indirect=["host"],
)
def test_chain_files(host, one, form):
    mail = host.postfix()
    combined = host.etc / "ssl/private/all.pem"
    combined.write_text(host.old.key_pem + host.old.fullchain_pem)
    text = mail.config.read_text()
    chain = form.format(key=host.old_key, cert=host.old_cert, combined=combined)
    mail.config.write_text(f"smtpd_tls_chain_files = {chain}\n{text}")
    mail.cool()
    host.start()
    deploy(host, one).expect(0)
    assert served(mail) == [one.sha256] * 3
    assert mail.value("smtpd_tls_cert_file") == str(host.old_cert)  # not in force: left alone
    assert mail.value("smtpd_tls_chain_files") == str(host.store / NAME / "current/combined.pem")


def test_override_is_edited_where_it_stands(host, one):
    mail = host.postfix()
    text = mail.master.read_text()
    line = next(n for n in text.splitlines() if n.startswith(f"{mail.smtps} "))
    own = f"{line}\n  -o {{ smtpd_tls_cert_file = {host.old_cert} }}\n# key\n\t-o smtpd_tls_key_file={host.old_key}"
    mail.master.write_text(text.replace(line, own))
    mail.cool()
    host.start()
    deploy(host, one).expect(0)
    assert served(mail) == [one.sha256] * 3
    assert str(host.old_cert) not in mail.master.read_text() and "# key\n\t-o" in mail.master.read_text()


def test_override_keeps_its_own(host, one):
    mail = host.postfix()
    text = mail.master.read_text()
    line = next(n for n in text.splitlines() if n.startswith(f"{mail.smtps} "))
    own = f"{line}\n  -o smtpd_tls_cert_file={host.old_cert}\n  -o smtpd_tls_key_file={host.old_key}"
    mail.master.write_text(text.replace(line, own))
    mail.cool()
    host.start()
    result = deploy(host, one, "--listener", f"{mail.smtp}/inet").expect(0)
    assert served(mail) == [one.sha256, one.sha256, host.old.sha256]
    assert str(mail.smtps) in result.problem("keeps-own")["message"]


OTHER = "other.example.test"


@pytest.fixture
def two(host, ca):
    """A second row for smtps, at an address, that goes by a name of its own and has its certificate."""
    mail, mail.other = host.postfix(), ca.leaf(OTHER)
    mail.add_service(
        f"127.0.0.2:{mail.smtps} inet n - n - - smtpd", "smtpd_tls_wrappermode=yes", f"myhostname={OTHER}",
        f"smtpd_tls_cert_file={mail.other.fullchain}", f"smtpd_tls_key_file={mail.other.key}")
    # what serves main.cf's certificate goes with that, whatever it calls itself
    mail.add_service("127.0.0.3:%d inet n - n - - smtpd" % mail.smtps, "smtpd_tls_wrappermode=yes", "myhostname=filter.test")
    mail.cool()
    host.start()
    return mail


def at(mail, address, sni=None):
    return wire.served(mail.smtps, address=address, sni=sni)


@pytest.mark.parametrize("target", [(), ("--hostname", NAME)], ids=["covered", "name"])
def test_a_row_of_another_name_keeps_its_certificate(host, two, one, target):
    result = deploy(host, one, *target).expect(0)
    assert served(two) == [one.sha256] * 3
    assert [at(two, "127.0.0.2"), at(two, "127.0.0.3")] == [two.other.sha256, one.sha256]
    assert f"127.0.0.2:{two.smtps}" in result.problem("keeps-own")["message"]


def test_the_name_of_a_row(host, two, ca):
    """It means that row's default; who asks another listener for it is served by name."""
    new = ca.leaf(OTHER, again=1)
    deploy(host, new, "--hostname", OTHER).expect(0)
    assert [at(two, "127.0.0.2"), at(two, "127.0.0.2", OTHER), at(two, "127.0.0.1", OTHER)] == [new.sha256] * 3
    assert served(two) == [host.old.sha256] * 3
    assert not deploy(host, new, "--hostname", OTHER).expect(0).json["changed"]


def test_a_row_of_another_name_by_what_it_covers(host, two, ca):
    new = ca.leaf(OTHER, again=1)
    deploy(host, new).expect(0)
    assert at(two, "127.0.0.2") == new.sha256
    assert served(two) == [host.old.sha256] * 3


def test_one_address(host, one):
    mail = host.postfix()
    port = host.port()
    mail.add_service(f"127.0.0.2:{port} inet n - n - - smtpd")
    host.start()
    deploy(host, one, "--address", f"127.0.0.2:{port}").expect(0)
    assert wire.served(port, starttls="smtp", address="127.0.0.2") == one.sha256
    assert served(mail) == [host.old.sha256] * 3


def test_every_row_is_for_an_address(host, one):
    """What they all take from main.cf is changed there."""
    mail = host.postfix()
    text = mail.master.read_text()
    for port in mail.ports():
        text = text.replace(f"\n{port} ", f"\n127.0.0.1:{port} ")
    mail.master.write_text(text)
    mail.cool()
    host.start()
    deploy(host, one).expect(0)
    assert served(mail) == [one.sha256] * 3
    assert mail.master.read_text() == text
    assert mail.value("smtpd_tls_cert_file") == str(host.store / NAME / "current/fullchain.pem")
    assert not deploy(host, one).expect(0).json["changed"]


def test_dual_key_types(host, ca):
    mail = host.postfix()
    rsa, old_ec = ca.leaf(NAME, key="rsa"), ca.leaf(NAME)
    host.install("ec", old_ec)
    mail.set(
        smtpd_tls_eccert_file=host.etc / "ssl/certs/ec.pem", smtpd_tls_eckey_file=host.etc / "ssl/private/ec.key",
        smtpd_tls_cert_file=rsa.fullchain, smtpd_tls_key_file=rsa.key,
    )
    host.start()
    new = ca.leaf(NAME, key="rsa", again=1)
    deploy(host, new).expect(0)
    for port, how in mail.endpoints():
        assert wire.served(port, sigalgs=wire.RSA_ONLY, **how) == new.sha256
        assert wire.served(port, sigalgs=wire.ECDSA_ONLY, **how) == old_ec.sha256
    other = ca.leaf(NAME, "www.example.test", key="rsa")
    host.write_config()
    before = host.configuration()
    deploy(host, other).expect(6, "other-key-type")
    assert host.configuration() == before
    deploy(host, other, "--drop-other-types").expect(0)
    assert served(mail) == [other.sha256] * 3
    assert mail.value("smtpd_tls_eccert_file") == ""


@pytest.mark.parametrize("key_apart", [False, True], ids=["with the keys", "the first key apart"])
def test_two_key_types_in_one_chain_file(host, ca, key_apart):
    """A certificate of one type would take the other's place, too; both together may."""
    mail = host.postfix()
    rsa, ec = ca.leaf(NAME, key="rsa"), ca.leaf(NAME)
    both = host.etc / "both.pem"
    both.write_text(("" if key_apart else rsa.key_pem) + rsa.fullchain_pem + ec.key_pem + ec.fullchain_pem)
    both.chmod(0o600)
    mail.set(smtpd_tls_cert_file="", smtpd_tls_key_file="", smtpd_tls_chain_files=f"{rsa.key if key_apart else ''} {both}")
    host.start()
    new, newer = ca.leaf(NAME, key="rsa", again=1), ca.leaf(NAME, again=1)

    def is_served(one, other):
        for port, how in mail.endpoints():
            assert wire.served(port, sigalgs=wire.RSA_ONLY, **how) == one.sha256
            assert wire.served(port, sigalgs=wire.ECDSA_ONLY, **how) == (other.sha256 if other else None)

    is_served(rsa, ec)
    host.tool("verify").expect(0)
    live = host.tool.text("list", "--live").out
    assert "same" in live and "other" not in live
    host.write_config()
    before = host.configuration()
    deploy(host, new).expect(6, "other-key-type")
    assert host.configuration() == before
    deploy(host, new, "--cert", newer.cert, "--key", newer.key, "--chain", newer.chain).expect(0)
    is_served(new, newer)
    host.tool("rollback").expect(0)
    is_served(rsa, ec)
    deploy(host, new, "--drop-other-types").expect(0)
    is_served(new, None)


def test_postscreen(host, one):
    mail = host.postfix()
    text = mail.master.read_text()
    line = next(n for n in text.splitlines() if n.startswith(f"{mail.smtp} "))
    rows = f"{mail.smtp} inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd\ntlsproxy unix - - n - 0 tlsproxy\n"
    mail.master.write_text(text.replace(line, rows + "dnsblog unix - - n - 0 dnsblog"))
    mail.set(postscreen_access_list="permit_mynetworks", postscreen_greet_wait="1s")
    host.start()
    deploy(host, one).expect(0)
    assert served(mail) == [one.sha256] * 3
    # a client on trial is served by tlsproxy
    mail.set(postscreen_access_list="", postscreen_bare_newline_enable="yes")
    mail.reload()
    assert wire.served(mail.smtp, starttls="smtp") == one.sha256


def test_postscreen_lets_strangers_wait(host, one):
    """For longer than a patient client waits elsewhere: 6 seconds, each time where nothing is remembered."""
    mail = host.postfix()
    text = mail.master.read_text()
    line = next(n for n in text.splitlines() if n.startswith(f"{mail.smtp} "))
    rows = f"{mail.smtp} inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd\ntlsproxy unix - - n - 0 tlsproxy\n"
    mail.master.write_text(text.replace(line, rows + "dnsblog unix - - n - 0 dnsblog"))
    mail.set(postscreen_access_list="", postscreen_cache_map="")
    host.start()
    result = deploy(host, one).expect(0)
    assert {"not-listening", "no-starttls"}.isdisjoint(result.codes), result
    assert served(mail) == [one.sha256] * 3


AWAY = ["reject", "reject_unknown_client_hostname", "permit_mynetworks, reject"]


@pytest.mark.parametrize("rule", AWAY)
def test_turned_away(host, one, rule):
    """A port that lets no client of this host in cannot be proven, before as after: that is said."""
    mail = host.postfix()
    host.start()
    line = next(n for n in mail.master.read_text().splitlines() if n.startswith(f"{mail.smtp} "))
    options = f"  -o smtpd_delay_reject=no\n  -o mynetworks=10.0.0.0/8\n  -o {{ smtpd_client_restrictions = {rule} }}"
    mail.master.write_text(mail.master.read_text().replace(line, f"{line}\n{options}"))
    mail.cool()
    mail.reload()
    assert served(mail) == [None, host.old.sha256, host.old.sha256]
    result = deploy(host, one).expect(0)
    assert result.problem("no-starttls")["severity"] == "warning", result
    assert served(mail) == [None, one.sha256, one.sha256]
    host.tool("rollback").expect(0)
    assert served(mail) == [None, host.old.sha256, host.old.sha256]


def test_turned_away_afterwards(host, one):
    """It let us in before: what it serves now is not known."""
    mail = host.postfix()
    host.start()
    away = f"s/^{mail.smtp} .*/& -o smtpd_delay_reject=no -o smtpd_client_restrictions=reject/"
    script = f"""sed -i 's/ -o smtpd_delay.*//' {mail.master}
grep -q {host.store} {mail.config} && sed -i '{away}' {mail.master}
exec {mail.program("postfix")} -c {mail.home} reload"""
    host.write_config({"postfix": {"reload": fake(host, "away", script), "timeout": 4}}, watch=0)
    deploy(host, one).expect(4, "no-starttls")


def test_a_name_that_is_not_liked(host, one):
    """STARTTLS is taken all the same."""
    mail = host.postfix()
    mail.set(smtpd_delay_reject="no", smtpd_helo_required="yes", smtpd_helo_restrictions="reject")
    host.start()
    result = deploy(host, one).expect(0)
    assert "no-starttls" not in result.codes, result
    assert served(mail) == [one.sha256] * 3


def test_interfaces_in_brackets(host, one):
    mail = host.postfix()
    mail.set(inet_interfaces="127.0.0.1, [::1]", inet_protocols="all")
    host.start()
    deploy(host, one, "--address", "127.0.0.1", "--address", "::1").expect(0)
    assert wire.served(mail.smtp, starttls="smtp", address="[::1]") == one.sha256
    assert {e["served_sha256"] for e in host.tool("list", "--live").endpoints if e["listen"] == f"{mail.smtp}/inet"} == {one.sha256}


def test_ports_that_postfix_knows(host, one):
    """Names of its own, before those of /etc/services."""
    mail, port = host.postfix(), host.port()
    mail.set(known_tcp_ports=f"lmtp=24, smtp=25,ours\t= smtps = {port} , x=")
    mail.add_service("ours inet n - n - - smtpd", "smtpd_tls_wrappermode=yes", f"smtpd_tls_cert_file={host.old.combined}", "smtpd_tls_key_file=$smtpd_tls_cert_file")
    mail.add_service("127.0.0.2:smtps inet n - n - - smtpd", "smtpd_tls_wrappermode=yes")
    mail.cool()
    host.start()
    deploy(host, one).expect(0)
    assert served(mail) == [one.sha256] * 3
    assert wire.served(port) == wire.served(port, address="127.0.0.2") == one.sha256
    found = host.tool("list", "--live").endpoints
    assert [e["served_sha256"] for e in found if e["listen"] in ("ours/inet", "127.0.0.2:smtps/inet")] == [one.sha256] * 2, found


def test_references_and_clients(host, one):
    mail = host.postfix()
    mail.set(our_pair=host.old_cert, smtpd_tls_cert_file="$our_pair", smtp_tls_cert_file="$smtpd_tls_cert_file")
    host.start()
    result = deploy(host, one).expect(0, "client-usage")
    assert result.problem("client-usage")["file"] == str(mail.config)
    assert served(mail) == [one.sha256] * 3
    assert f"our_pair = {host.old_cert}\n" in mail.config.read_text()
    assert mail.value("smtp_tls_cert_file") == "$smtpd_tls_cert_file"


def test_defined_twice_alike(host, one):
    """Once the last differs, postconf warns of the first: nothing to be afraid of."""
    mail = host.postfix()
    text = mail.config.read_text()
    mail.config.write_text(f"smtpd_tls_cert_file={host.old_cert}\n{text}")
    mail.cool()
    host.start()
    deploy(host, one).expect(0)
    assert served(mail) == [one.sha256] * 3
    assert mail.config.read_text().startswith(f"smtpd_tls_cert_file={host.old_cert}\n")


def test_no_newline_at_the_end(host, one):
    """Where postconf -e of this version would glue two lines together."""
    mail = host.postfix()
    host.start()
    mail.set(smtpd_tls_cert_file=None, smtpd_tls_key_file=None)
    mail.config.write_text(mail.config.read_text() + "biff = no")
    mail.cool()
    deploy(host, one).expect(0)
    assert served(mail) == [one.sha256] * 3
    assert mail.value("biff") == "no"


def test_tls_off(host, one):
    mail = host.postfix()
    host.start()
    mail.set(smtpd_tls_security_level="none")
    text = mail.master.read_text()
    for name in ("smtpd_tls_wrappermode=yes", "smtpd_tls_security_level=encrypt"):
        text = text.replace(f"  -o {name}\n", "")
    mail.master.write_text(text)
    mail.cool()
    mail.reload()
    host.write_config()
    before = host.configuration()
    deploy(host, one, "--hostname", NAME).expect(6, "tls-off")
    assert host.configuration() == before


@pytest.mark.parametrize("line", ["no equals sign", "smtpd_tls_cert_file = ${open", "mynetworks = ${open"])
def test_broken_configuration(host, one, line):
    mail = host.postfix()
    host.start()
    mail.config.write_text(mail.config.read_text() + line + "\n")
    host.write_config()
    before = host.configuration()
    problem = deploy(host, one).expect(6, "config-syntax").problem("config-syntax")
    assert problem["file"] == str(mail.config)
    assert host.configuration() == before


def test_another_instance(host, one):
    first, second = host.postfix(), host.postfix(name="postfix-out")
    host.start()
    deploy(host, one, "--service", "postfix-out").expect(0)
    assert served(second) == [one.sha256] * 3
    assert served(first) == [host.old.sha256] * 3


@pytest.mark.parametrize("dump", ["-M", "-P", "-Px", "-x", "-n"])
def test_every_dump_is_judged(host, one, dump):
    """Whatever postconf sees otherwise in the copy than was meant ends the plan before anything is written."""
    mail = host.postfix()
    edits = {
        "-M": "s/^pickup .*/& -o chroot=x/",
        "-P": "$a smtp/inet/smtpd_client_limit = 1",
        "-Px": f"$a {mail.smtps}/inet/smtpd_tls_cert_file = /other",
        "-x": "s/^myhostname = .*/& too/",
        "-n": "s/^mynetworks = .*/& 10.0.0.1/",
    }
    script = f"""case "$2 $3" in
*"/certdeploy."*" {dump}") ;; *) exec /usr/sbin/postconf "$@" ;; esac
grep -q {host.store} "$2/main.cf" || exec /usr/sbin/postconf "$@"
/usr/sbin/postconf "$@" | sed '{edits[dump]}'"""
    host.write_config({"postfix": {"postconf": fake(host, "postconf", script)[0]}})
    before = host.configuration()
    deploy(host, one).expect(6, "test-failed")
    assert host.configuration() == before


def test_client_that_keeps_the_old_file(host, one):
    """The client's own line, or its service's, is not the target: it is said, and left alone."""
    mail = host.postfix()
    mail.set(smtp_tls_cert_file=host.old_cert)
    mail.master.write_text(
        mail.master.read_text() + f"out unix - - n - - smtp -o smtp_tls_cert_file={host.old_cert}\n"
    )
    host.start()
    result = deploy(host, one).expect(0, "keeps-own")
    assert [p["file"] for p in result.problems if p["code"] == "keeps-own"] == [str(mail.config), str(mail.master)]
    assert mail.value("smtp_tls_cert_file") == str(host.old_cert)


def test_options_in_one_word(host, one):
    """smtpd reads -oname=value as getopt does; postconf prints such words cut off."""
    mail = host.postfix()
    text = mail.master.read_text()
    line = next(n for n in text.splitlines() if n.startswith(f"{mail.smtps} "))
    own = f"{line}\n  -osmtpd_tls_cert_file={host.old_cert}\n  -vosmtpd_tls_key_file={host.old_key}"
    mail.master.write_text(text.replace(line, own))
    host.start()
    deploy(host, one, "--default").expect(0)
    assert served(mail) == [one.sha256] * 3
    store = host.store / NAME / "current"
    assert f"\n  -osmtpd_tls_cert_file={store}/fullchain.pem\n  -vosmtpd_tls_key_file={store}/key.pem\n" in mail.master.read_text()


def test_name_without_a_default(host, one):
    """smtpd starts no TLS at all where no default is set, not even for a name that has a certificate."""
    mail = host.postfix()
    mail.set(smtpd_tls_cert_file=None, smtpd_tls_key_file=None)
    host.write_config()
    before = host.configuration()
    deploy(host, one, "--hostname", "www.example.test", "--accept", "name-mismatch").expect(6, "tls-off")
    assert host.configuration() == before
    deploy(host, one, "--default").expect(0)

