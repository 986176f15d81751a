# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates by name: tls_server_sni_maps on a real Postfix."""

import stat

import pytest

from harness import wire
from harness.process import run
from harness.scene import can_be_run_by_others, other_user, secrets_in

pytestmark = pytest.mark.needs("postfix")
both = pytest.mark.parametrize("host", ["bookworm", "trixie"], indirect=True)


def deploy(host, leaf, *more):
    return host.tool("deploy", "--cert", leaf.cert, "--key", leaf.key, "--chain", leaf.chain, *more)


def served(mail, sni):
    return [wire.served(port, sni=sni, **how) for port, how in mail.endpoints()]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def table(mail, kind, *entries):
    """A source with these lines, and its index where the kind has one."""
    source = mail.home / "sni"
    source.touch(mode=0o600)
    source.write_text("".join(f"{entry}\n" for entry in entries))
    if kind != "texthash":
        run([mail.program("postmap"), "-c", mail.home, "-F", f"{kind}:{source}"])
    mail.set(tls_server_sni_maps=f"{kind}:{source}")
    return source


@both
def test_new_name_and_its_renewal(host, ca):
    mail = host.postfix()
    host.start()
    one, two = ca.leaf("www.example.test"), ca.leaf("www.example.test", again=1)
    deploy(host, one, "--hostname", "www.example.test").expect(0)
    assert served(mail, "www.example.test") == [one.sha256] * 3
    assert served(mail, None) == [host.old.sha256] * 3
    assert served(mail, "other.example.test") == [host.old.sha256] * 3
    source, index = mail.home / "certdeploy_sni", mail.home / "certdeploy_sni.db"
    assert mode(source) == mode(index) == 0o600
    assert mail.value("tls_server_sni_maps") == f"hash:{source}"
    found = run([mail.program("postmap"), "-c", mail.home, "-F", "-q", "www.example.test", f"hash:{source}"]).stdout
    assert one.pem.strip() in found and one.key_pem.strip() in found

    text, table_before = source.read_bytes(), index.read_bytes()
    again = deploy(host, one, "--hostname", "www.example.test").expect(0)
    assert not again.json["changed"], again
    assert index.read_bytes() == table_before

    deploy(host, two, "--hostname", "www.example.test").expect(0)
    assert source.read_bytes() == text
    assert index.read_bytes() != table_before
    assert mode(index) == 0o600
    assert served(mail, "www.example.test") == [two.sha256] * 3

    host.tool("rollback").expect(0)
    assert index.read_bytes() == table_before
    assert served(mail, "www.example.test") == [one.sha256] * 3


@pytest.mark.parametrize(
    ("host", "kind"),
    [("bookworm", "hash"), ("bookworm", "btree"), ("bookworm", "texthash"), ("trixie", "btree"), ("trixie", "cdb"),
     ("trixie", "lmdb"), ("trixie", "texthash")],
    indirect=["host"],
)
def test_existing_table(host, ca, kind):
    mail = host.postfix()
    other, one = ca.leaf("*.example.test"), ca.leaf("www.example.test")
    cert, key = host.install("other", other)
    combined, _ = host.install("both", other)
    combined.write_text(other.key_pem + other.fullchain_pem)
    source = table(mail, kind, "# by hand", f"A.example.test  {key},", f"   {cert}", f".example.test\t{combined}")
    host.start()
    before = source.read_text()
    deploy(host, one, "--hostname", "www.example.test").expect(0)
    assert source.read_text().startswith(before) and "www.example.test" in source.read_text()[len(before) :]
    assert served(mail, "www.example.test") == [one.sha256] * 3
    assert served(mail, "a.example.test") == served(mail, "b.example.test") == [other.sha256] * 3
    assert served(mail, None) == [host.old.sha256] * 3
    two = ca.leaf("a.example.test")
    deploy(host, two, "--hostname", "a.example.test").expect(0)
    assert served(mail, "a.example.test") == [two.sha256] * 3
    assert served(mail, "b.example.test") == [other.sha256] * 3
    assert mode(source) == 0o600


def test_inline_table(host, ca):
    mail = host.postfix()
    other, one, two = ca.leaf("a.example.test"), ca.leaf("a.example.test", again=1), ca.leaf("new.example.test")
    mail.set(tls_server_sni_maps=f"inline:{{ {{ a.example.test = {other.key}, {other.fullchain} }} }}")
    host.start()
    assert served(mail, "a.example.test") == [other.sha256] * 3
    deploy(host, one, "--hostname", "a.example.test").expect(0)
    deploy(host, two, "--hostname", "new.example.test").expect(0)
    assert served(mail, "a.example.test") == [one.sha256] * 3
    assert served(mail, "new.example.test") == [two.sha256] * 3


def test_inline_table_with_a_missing_file(host, ca):
    """Postfix then takes nothing from it: said before anything is changed, with the line."""
    mail = host.postfix()
    one, other = ca.leaf("a.example.test"), ca.leaf("b.example.test")
    mail.set(tls_server_sni_maps=f"inline:{{ a.example.test={one.combined},\n  {{ b.example.test = /nowhere.pem }} }}")
    host.start()
    assert served(mail, "a.example.test") == [None] * 3
    host.write_config()
    before = host.configuration()
    for name in ("a.example.test", "new.example.test"):
        problem = deploy(host, ca.leaf(name, again=2), "--hostname", name).expect(6, "not-found").problem("not-found")
        assert (problem["file"], problem["line"]) == (str(mail.config), mail.config.read_text().count("\n"))
        assert host.configuration() == before
    deploy(host, other, "--hostname", "b.example.test").expect(0)
    assert served(mail, "b.example.test") == [other.sha256] * 3
    assert served(mail, "a.example.test") == [one.sha256] * 3


def test_texthash_with_a_missing_file(host, ca):
    """The other entries are served; the missing one is told when the table is written."""
    mail = host.postfix()
    one, two = ca.leaf("a.example.test"), ca.leaf("c.example.test")
    table(mail, "texthash", f"a.example.test {one.combined}", "b.example.test /nowhere.pem")
    host.start()
    done = deploy(host, two, "--hostname", "c.example.test").expect(0)
    assert "not-found" in done.codes
    assert served(mail, "a.example.test") == [one.sha256] * 3
    assert served(mail, "b.example.test") == [host.old.sha256] * 3
    assert served(mail, "c.example.test") == [two.sha256] * 3


def test_texthash_with_a_name_twice(host, ca):
    """Postfix then takes nothing from it: all who ask for a name are turned away."""
    mail = host.postfix()
    other, one = ca.leaf("a.example.test"), ca.leaf("www.example.test")
    source = table(mail, "texthash", f"a.example.test {other.combined}", f"A.example.test {other.combined}")
    host.start()
    assert served(mail, "a.example.test") == [None] * 3
    host.write_config()
    before = host.configuration()
    problem = deploy(host, one, "--hostname", "www.example.test").expect(6, "config-syntax").problem("config-syntax")
    assert (problem["file"], problem["line"]) == (str(source), 2)
    assert host.configuration() == before


def test_key_that_no_client_asks_for(host, ca):
    mail = host.postfix()
    one = ca.leaf("www.example.test")
    table(mail, "hash", f'"a.example.test" {one.combined}')
    host.start()
    deploy(host, one, "--hostname", "www.example.test").expect(0)
    assert served(mail, "www.example.test") == [one.sha256] * 3
    host.tool("verify").expect(0)
    host.tool("rollback").expect(0)


# What a new name's table must come before, whatever it holds; {text} and {regexp} are files with "a.example.test".
OTHER_TABLES = [
    "static:{both}",
    "regexp:{regexp}",
    "inline:{{ a.example.test={both} }} texthash:{text}",
    "texthash:{text}, static:{both}",
    "proxy:texthash:{text}",
    "unionmap:{{ texthash:{text} }}",
    "pipemap:{{ texthash:{text}, inline:{{ x=/nowhere }} }}",
    "$ours,regexp:{regexp}",
    "regexp:$config_directory/regexp",
    "unknown:{text}",
    "randmap:{{ {both} }}",
]


@pytest.mark.parametrize("tables", OTHER_TABLES, ids=lambda tables: tables.partition(":")[0] + str(len(tables)))
def test_beside_other_tables(host, ca, tables):
    """A name is served its certificate whatever tables are there; all others keep what they had, if only an error."""
    mail = host.postfix()
    other, one = ca.leaf("a.example.test"), ca.leaf("new.example.test")
    for name, text in (("text", f"a.example.test {other.combined}\n"), ("regexp", f"/^A[.]example/ {other.combined}\n")):
        (mail.home / name).touch(mode=0o600)
        (mail.home / name).write_text(text)
    spec = tables.format(both=other.combined, text=mail.home / "text", regexp=mail.home / "regexp")
    mail.set(ours=f"texthash:{mail.home / 'text'}", tls_server_sni_maps=spec)
    host.start()
    host.write_config()
    names = (None, "a.example.test", "b.example.test")
    before, files = {n: served(mail, n) for n in names}, host.configuration()
    deploy(host, one, "--hostname", "new.example.test").expect(0)
    assert served(mail, "new.example.test") == [one.sha256] * 3
    assert {n: served(mail, n) for n in names} == before
    assert not deploy(host, one, "--hostname", "new.example.test").expect(0).json["changed"]
    host.tool("rollback", "--no-verify").expect(0)
    now = host.configuration()
    assert {p: now[p].content for p in files} == {p: files[p].content for p in files}


def test_index_without_the_contents(host, ca):
    """postmap without -F holds the names of the files: no client is served by it. Said, and mended with the next name."""
    mail = host.postfix()
    other, one = ca.leaf("a.example.test"), ca.leaf("new.example.test")
    source = table(mail, "hash", f"a.example.test {other.combined}")
    run([mail.program("postmap"), "-c", mail.home, f"hash:{source}"])
    host.start()
    assert served(mail, "a.example.test") == [None] * 3
    assert host.tool("verify").expect(8, "index-stale").problem("index-stale")["line"] == 1
    deploy(host, one, "--hostname", "new.example.test").expect(0)
    assert served(mail, "new.example.test") == [one.sha256] * 3
    assert served(mail, "a.example.test") == [other.sha256] * 3


@pytest.mark.parametrize("wrong", ["the certificate first", "of another key", "encrypted"])
def test_entry_that_serves_nothing(host, ca, wrong):
    """Clients that ask for it get an error; the next certificate for the name mends it."""
    mail = host.postfix()
    other, stranger, one = ca.leaf("a.example.test"), ca.leaf("x.example.test"), ca.leaf("a.example.test", again=1)
    files = {"the certificate first": f"{other.fullchain} {other.key}", "of another key": f"{stranger.key} {other.fullchain}",
             "encrypted": f"{other.encrypted_key('secret')} {other.fullchain}"}[wrong]
    table(mail, "hash", f"a.example.test {files}", f".example.test {stranger.combined}")
    host.start()
    assert served(mail, "a.example.test") == [None] * 3
    deploy(host, one, "--hostname", "a.example.test").expect(0)
    assert served(mail, "a.example.test") == [one.sha256] * 3
    assert served(mail, "b.example.test") == [stranger.sha256] * 3


def test_table_without_a_type(host, ca):
    """smtpd ends whenever a client comes."""
    mail = host.postfix()
    host.start()
    mail.set(tls_server_sni_maps=mail.home / "sni")
    host.write_config()
    before = host.configuration()
    problem = deploy(host, ca.leaf("mail.example.test")).expect(6, "config-syntax").problem("config-syntax")
    assert problem["file"] == str(mail.config) and problem["line"] == mail.config.read_text().count("\n")
    assert host.configuration() == before


def test_two_key_types(host, ca):
    mail = host.postfix()
    host.start()
    ec, rsa = ca.leaf("www.example.test"), ca.leaf("www.example.test", key="rsa")
    host.tool(
        "deploy", "--cert", ec.cert, "--key", ec.key, "--chain", ec.chain, "--cert", rsa.cert, "--key", rsa.key,
        "--hostname", "www.example.test",
    ).expect(0)
    for port, how in mail.endpoints():
        assert wire.served(port, sni="www.example.test", sigalgs=wire.RSA_ONLY, **how) == rsa.sha256
        assert wire.served(port, sni="www.example.test", sigalgs=wire.ECDSA_ONLY, **how) == ec.sha256


def test_lost_source(host, ca):
    mail = host.postfix()
    one = ca.leaf("www.example.test")
    table(mail, "hash", f"a.example.test {one.combined}").unlink()
    host.start()
    host.write_config()
    before = host.configuration()
    deploy(host, one, "--hostname", "www.example.test").expect(6, "config-not-understood")
    assert host.configuration() == before


@pytest.mark.parametrize(("kind", "suffix"), [("texthash", ""), ("hash", ".db")])
def test_table_that_is_not_there(host, ca, kind, suffix):
    """Whoever asks for a name is turned away: verify says so, and the first name makes the table."""
    mail = host.postfix()
    one, source = ca.leaf("www.example.test"), mail.home / "sni"
    mail.set(tls_server_sni_maps=f"{kind}:{source}")
    host.start()
    assert served(mail, "www.example.test") == served(mail, "other.example.test") == [None] * 3
    assert host.tool("verify").expect(8, "not-found").problem("not-found")["file"] == f"{source}{suffix}"
    deploy(host, one, "--hostname", "www.example.test").expect(0)
    assert mode(source) == 0o600
    assert served(mail, "www.example.test") == [one.sha256] * 3
    assert served(mail, "other.example.test") == [host.old.sha256] * 3
    assert "not-found" not in host.tool("verify").expect(0).codes
    host.tool("rollback", "--no-verify").expect(0)
    assert not list(mail.home.glob("sni*"))


def test_missing_file_of_another_name_is_told(host, ca):
    mail = host.postfix()
    one = ca.leaf("www.example.test")
    table(mail, "hash", f"a.example.test {one.combined}", "gone.example.test /nowhere.pem")
    host.start()
    result = deploy(host, one, "--hostname", "www.example.test").expect(0)
    assert "gone.example.test" in result.problem("not-found")["message"]


def test_stale_index_is_found_and_mended(host, ca):
    """An index holds the files as they were; only postmap can say so, not the configuration."""
    mail = host.postfix()
    one, two, other = ca.leaf("a.example.test"), ca.leaf("a.example.test", again=1), ca.leaf("b.example.test")
    pem = mail.home / "a.pem"
    pem.touch(mode=0o600)
    pem.write_text(one.combined.read_text())
    source = table(mail, "hash", f"a.example.test {pem}", f"B.example.test {other.key}, {other.fullchain}")
    host.start()
    host.tool("verify").expect(0)
    pem.write_text(two.combined.read_text())
    result = host.tool("verify").expect(8, "index-stale")
    assert (result.problem("index-stale")["file"], result.problem("index-stale")["line"]) == (str(source), 1)
    assert not secrets_in(result.out + result.err, one, two, other)
    source.write_text(source.read_text().replace("B.example", "c.example"))
    said = [p["message"] for p in host.tool("verify").expect(8).problems if p["code"] == "index-stale"]
    assert len(said) == 3 and "c.example.test" in said[1] and "b.example.test" in said[2]

    source.write_text(source.read_text().replace("c.example", "B.example"))
    deploy(host, one, "--hostname", "a.example.test").expect(0)
    assert "index-stale" not in host.tool("verify").codes
    assert served(mail, "b.example.test") == [other.sha256] * 3
    # an index lost its entry: the same deployment again makes it anew
    run([mail.program("postmap"), "-c", mail.home, "-d", "a.example.test", f"hash:{source}"])
    assert served(mail, "a.example.test") == [host.old.sha256] * 3
    assert deploy(host, one, "--hostname", "a.example.test").expect(0).json["changed"]
    assert served(mail, "a.example.test") == [one.sha256] * 3


def test_index_that_everybody_reads(host, ca):
    """postmap takes over the source's mode; the keys are in there. Made anew, it is root's alone."""
    mail = host.postfix()
    one, two = ca.leaf("a.example.test"), ca.leaf("b.example.test")
    source = table(mail, "hash", f"a.example.test {one.combined}")
    index = source.with_name("sni.db")
    host.start()
    assert "key-exposed" not in host.tool("verify").expect(0).codes
    index.chmod(0o644)
    assert host.tool("verify").expect(0).problem("key-exposed")["file"] == str(index)
    deploy(host, two, "--hostname", "b.example.test").expect(0)
    assert mode(index) & 0o007 == 0
    assert "key-exposed" not in host.tool("verify").expect(0).codes


def test_wildcard(host, ca):
    """".example.test" answers for names of any depth below, but not for an exact or nearer entry's."""
    mail = host.postfix()
    other, wild = ca.leaf("a.example.test"), ca.leaf("*.example.test")
    table(mail, "hash", f"a.example.test {other.combined}", f".sub.example.test {other.combined}")
    host.start()
    deploy(host, wild, "--hostname", "*.example.test").expect(0)
    for name in ("b.example.test", "x.y.example.test"):
        assert served(mail, name) == [wild.sha256] * 3
    for name in ("a.example.test", "x.sub.example.test"):
        assert served(mail, name) == [other.sha256] * 3
    for name in (None, "example.test"):
        assert served(mail, name) == [host.old.sha256] * 3
    assert not deploy(host, wild, "--hostname", "*.example.test").expect(0).json["changed"]


@pytest.mark.skipif(not can_be_run_by_others(), reason="the built tool cannot be reached by an ordinary user")
def test_table_that_only_root_reads(host, ca):
    mail = host.postfix()
    one = ca.leaf("a.example.test")
    source = table(mail, "hash", f"a.example.test {one.combined}")
    tool = host.tool
    listed = tool("list", user=other_user()).expect(0, "not-permitted")
    assert listed.problem("not-permitted")["file"] == str(source)
    assert {e["listen"] for e in listed.endpoints} == {f"{p}/inet" for p in mail.ports()}
    tool("plan", "--cert", one.cert, "--key", one.key, "--hostname", "a.example.test", user=other_user()).expect(9)
