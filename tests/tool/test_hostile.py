# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hostile input and hostile places, by the numbers of the list of threats that doc/threats.md keeps.

Every case is refused with a problem and the exit status of its kind, and nothing in the tree is changed."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import asn1
from harness.dovecot import head, pair
from harness.process import CLEAN
from test_real import snapshot

APACHE = """ServerRoot "/etc/apache2"
Listen 443 https
<VirtualHost *:443>
  ServerName www.example.test
  SSLEngine on
  SSLCertificateFile /etc/old/cert.pem
  SSLCertificateKeyFile /etc/old/key.pem
</VirtualHost>
"""
POSTFIX = """myhostname = www.example.test
smtpd_tls_security_level = may
smtpd_tls_chain_files = /etc/old/key.pem, /etc/old/cert.pem
"""
DOVECOT = """protocols = imap
ssl = yes
ssl_cert = </etc/old/cert.pem
ssl_key = </etc/old/key.pem
"""
FILES = {"etc/apache2/apache2.conf": APACHE, "etc/postfix/main.cf": POSTFIX, "etc/dovecot/dovecot.conf": DOVECOT,
         "etc/postfix/master.cf": "smtp inet n - y - - smtpd\n"}
CANARY = "C4nary-Passphrase-7f3a91"
NOBODY = 65534
as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root to give files away")


@pytest.fixture
def root(tool, pki):
    for path, text in FILES.items():
        place = tool.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    old = pki.root("Old Root").leaf("old.example.test")
    (tool.root / "etc/old").mkdir()
    shutil.copy(old.cert, tool.root / "etc/old/cert.pem")
    shutil.copy(old.key, tool.root / "etc/old/key.pem")
    return tool.root


@pytest.fixture
def material(leaf):
    return ["--fullchain", leaf.fullchain, "--key", leaf.key]


def refused(tool, root, schema, *args, status=6, code=None):
    """The run, after making sure that it was refused as it must be."""
    before = snapshot(root)
    run = tool(*args)
    schema(run.json)
    assert run.status == status, run
    errors = [p for p in run.problems if p["severity"] == "error"]
    assert errors and (code is None or code in {p["code"] for p in errors}), run
    for problem in errors:
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]", problem["message"] + (problem["file"] or "")), run
    assert not run.json["changed"] and run.json["transaction"] is None
    assert snapshot(root) == before
    return run


# T1, T3: names


@pytest.mark.parametrize("option, value", [
    ("--name", value) for value in ("a\nb", "a\rb", "../x", "..", ".x", "-x", "a/b", "a\x1b[31m", "x" * 300, "", "a b",
                                    "$x", "a\u202eb")
] + [
    ("--hostname", value) for value in ("a\nb", "a\r", "${X}.test", "a b", "#x", '"x', "<x", "..", "*", "x" * 300, "-x",
                                        "a;b", "a`b`", "$(x)", "~(")
] + [("--address", value) for value in ("1.2.3", "1.2.3.4:99999", "1.2.3.4:+443", "::1]", "a\nb")])
def test_t1_t3_names(tool, root, schema, material, option, value):
    target = ["--default"] if option == "--name" else []
    refused(tool, root, schema, "deploy", *material, *target, option, value, status=2, code="usage")


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "[::]:993"])
def test_an_address_that_nobody_connects_to(tool, root, schema, material, address):
    """Dovecot would be given a block for it, which never answers."""
    refused(tool, root, schema, "deploy", *material, "--service", "dovecot", "--address", address, code="no-endpoint")


@pytest.mark.parametrize("path", ["/etc/x\ny", "/etc/x\ry", "/etc/\x1bx", "relative", "/etc/../x", "/etc/..", "/" + "x" * 4096])
def test_t1_t3_paths(tool, root, schema, material, path):
    refused(tool, root, schema, "deploy", *material, "--all", "--install-fullchain", path, "--install-key", "/etc/k",
            code="unsafe-path")


# T2: what a grammar would read as something else

ODD = ["a${HOME}b", "$x", "a#b", "a b", 'a"b', "a'b", "a\\", "<x", "{a", "a,b", "a=b", "%{x}", "#x", "\u00e9"]


@pytest.mark.parametrize("service", ["apache", "postfix", "dovecot"])
def test_t2_values_are_expressed_or_refused(tool, root, schema, material, service):
    """Either the server's configuration names the very path (the inventory reads it back), or nothing is changed."""
    for odd in ODD:
        path, before = f"/etc/{odd}.pem", snapshot(root)
        run = tool("deploy", *material, "--all", "--service", service, "--install-fullchain", path, "--install-key",
                   path + ".key")
        schema(run.json)
        if run.status == 0:
            listed = tool("list", "--service", service).expect(0)
            assert {e["certificate"] for e in listed.endpoints} == {path}, listed
            tool("rollback").expect(0)
        else:
            assert run.status == 6 and not run.json["changed"], run
        assert snapshot(root) == before, odd


def test_a_configuration_is_not_overwritten(tool, root, schema, material):
    refused(tool, root, schema, "deploy", *material, "--service", "dovecot", "--all", "--install-fullchain",
            "/etc/postfix/main.cf", "--install-key", "/etc/k", code="not-material")


# T4, T5, T20: places that others can change

def lay_link(root, path, to, owner):
    (root / path).unlink(missing_ok=True)
    (root / path).symlink_to(to)
    os.lchown(root / path, owner, owner)


def make(root, path, mode=0o755, owner=0):
    (root / path).mkdir(parents=True, exist_ok=True)
    (root / path).chmod(mode)
    os.chown(root / path, owner, owner)


def write(root, path, text, mode=0o644, owner=0):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    (root / path).chmod(mode)
    os.chown(root / path, owner, owner)


CONF = "etc/dovecot/dovecot.conf"
PLACES = {
    "configuration of somebody's": lambda r: os.chown(r / CONF, NOBODY, 0),
    "configuration for all to write": lambda r: (r / CONF).chmod(0o666),
    "configuration of a group": lambda r: write(r, CONF, DOVECOT, 0o664, owner=0) or os.chown(r / CONF, 0, 100),
    "configuration by somebody's link": lambda r: (write(r, "etc/real.conf", DOVECOT),
                                                   lay_link(r, CONF, "../real.conf", NOBODY)),
    "directory for all to write": lambda r: (r / "etc/dovecot").chmod(0o777),
    "directory of somebody's": lambda r: os.chown(r / "etc/dovecot", NOBODY, 0),
    "directory above": lambda r: os.chown(r / "etc", NOBODY, 0),
    "state for all to write": lambda r: make(r, "var/lib/certdeploy", 0o777),
    "state of somebody's": lambda r: make(r, "var/lib/certdeploy", 0o700, NOBODY),
    "state by a link": lambda r: (make(r, "evil", 0o700, NOBODY), make(r, "var/lib"),
                                  lay_link(r, "var/lib/certdeploy", "/evil", 0)),
    "store for all to write": lambda r: make(r, "etc/ssl/certdeploy", 0o777),
    "store of somebody's": lambda r: make(r, "etc/ssl/certdeploy", 0o755, NOBODY),
    "name in the store of somebody's": lambda r: make(r, "etc/ssl/certdeploy/www.example.test", 0o755, NOBODY),
    "name in the store by a link": lambda r: (make(r, "evil", 0o755, NOBODY), make(r, "etc/ssl/certdeploy"),
                                              lay_link(r, "etc/ssl/certdeploy/www.example.test", "/evil", 0)),
}


@as_root
@pytest.mark.parametrize("place", PLACES)
def test_t4_t5_places(tool, root, schema, material, place):
    PLACES[place](root)
    target = "--default", "--service", "dovecot"
    refused(tool, root, schema, "plan", *material, *target, code="unsafe-path")
    run = refused(tool, root, schema, "deploy", *material, *target, code="unsafe-path")
    assert not list((root / "evil").glob("*")) if (root / "evil").exists() else run
    assert not [p for p in root.rglob("*certdeploy-new*")]


@pytest.mark.skipif(os.getuid() == 0, reason="root may see everything")
def test_a_plan_of_places_that_its_user_may_not_see(tool, root, material):
    make(root, "var/lib/certdeploy", 0, os.getuid())
    run = tool("plan", *material, "--default", "--service", "dovecot")
    (root / "var/lib/certdeploy").chmod(0o700)
    assert run.status == 0 and run.json["diff"], run
    assert ("not-permitted", "warning") in {(p["code"], p["severity"]) for p in run.problems}, run


SWAP = """
import ctypes, sys
libc, (one, other) = ctypes.CDLL(None), (p.encode() for p in sys.argv[1:])
print("begun", flush=True)
while libc.renameat2(-100, one, -100, other, 2) == 0:  # AT_FDCWD, RENAME_EXCHANGE
    pass
"""


@as_root
@pytest.mark.parametrize("place", ["etc/dovecot", "etc/ssl", "var/lib"])
def test_t4_t5_swapped_all_the_time(tool, root, material, place):
    """A directory and somebody's link to another one change places as fast as they can: nothing is written through it."""
    for name in "etc/ssl/certdeploy", "var/lib":
        make(root, name)
    shutil.copytree(root / place, root / "victim", symlinks=True)
    os.symlink("/victim", root / (place + ".swap"))
    os.lchown(root / (place + ".swap"), NOBODY, NOBODY)
    before = snapshot(root / "victim")
    swap = subprocess.Popen([sys.executable, "-c", SWAP, root / place, root / (place + ".swap")], stdout=subprocess.PIPE)
    try:
        if swap.stdout.readline() != b"begun\n" or swap.poll() is not None:
            pytest.skip("nothing can be exchanged here")
        for _ in range(8):
            for command in ["deploy", *material, "--default"], ["rollback"]:
                run = tool(*command)
                assert run.status in (0, 1, 4, 5, 6), run
                assert snapshot(root / "victim") == before, run
    finally:
        swap.kill()
        swap.wait()
        swap.stdout.close()


def test_t4_hard_link(tool, root, schema, material):
    os.link(root / CONF, root / "etc/second")
    for command in "plan", "deploy":
        refused(tool, root, schema, command, *material, "--default", "--service", "dovecot", code="hard-link")


def mounted(tool, *args, mount):
    """The run in a name space of its own, after these mount commands."""
    argv, own = tool.argv(*args)
    script = " && ".join(["set -e", *(f"mount {m}" for m in mount), 'exec "$@"'])
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", *argv], env={**CLEAN, **own}, text=True,
                          capture_output=True, stdin=subprocess.DEVNULL)
    if not done.stdout:
        pytest.skip("nothing can be mounted here: " + done.stderr)
    return done.returncode, json.loads(done.stdout)


READ_ONLY = "--bind {0} {0}", "-o remount,bind,ro {0}"


@as_root
@pytest.mark.parametrize("place, mount, code, status", [
    ("etc/dovecot", READ_ONLY, "read-only", 1),
    ("etc/ssl", READ_ONLY, "read-only", 1),
    ("var", READ_ONLY, "read-only", 1),
    (CONF, ["--bind {0} {0}"], "mounted", 6),
])
def test_t23_mounts(tool, root, material, place, mount, code, status):
    """What cannot be written is told, nothing waits for a person, and the next run goes through."""
    make(root, "etc/ssl")
    make(root, "var")
    before = snapshot(root)
    mount = [m.format(root / place) for m in mount]
    ended, said = mounted(tool, "deploy", *material, "--default", mount=mount)
    errors = {p["code"] for p in said["problems"] if p["severity"] == "error"}
    assert (ended, errors) == (status, {code}), said
    assert not said["changed"] and said["transaction"] is None
    assert snapshot(root) == before
    assert not (root / "var/lib/certdeploy/journal").exists()
    tool("deploy", *material, "--default").expect(0)


@as_root
@pytest.mark.parametrize("mount", ["--bind {0} {0}", "-t tmpfs -o mode=700 tmpfs {0}"])
def test_t23_backups_that_are_mounted(tool, root, material, mount):
    """No record could be moved there: that is told before anything is done, or every later run would stop at it."""
    tool("deploy", *material, "--default").expect(0)
    tool("rollback").expect(0)
    before = snapshot(root)
    ended, said = mounted(tool, "deploy", *material, "--default",
                          mount=[mount.format(root / "var/lib/certdeploy/backups")])
    assert (ended, {p["code"] for p in said["problems"] if p["severity"] == "error"}) == (6, {"mounted"}), said
    assert not said["changed"] and said["transaction"] is None
    assert snapshot(root) == before
    tool("deploy", *material, "--default").expect(0)


@as_root
def test_t23_backups_of_the_image_of_a_container(tool, root, material, tmp_path):
    """Directories of a lower layer cannot be renamed; the files and links are."""
    for _ in range(2):
        tool("deploy", *material, "--default").expect(0)
        tool("rollback").expect(0)
    upper = tmp_path / "upper"
    upper.mkdir()
    over = [f"-t tmpfs tmpfs {upper} && mkdir {upper}/u {upper}/w",
            f"-t overlay -o lowerdir={root},upperdir={upper}/u,workdir={upper}/w overlay {root}"]
    for asked in (("prune", "--keep", "1"), ("deploy", *material, "--default")):
        ended, said = mounted(tool, *asked, mount=over)
        assert ended == 0 and said["changed"], said
        assert "io-error" not in {p["code"] for p in said["problems"]}, said


@as_root
@pytest.mark.parametrize("place, pages", [*(("etc/ssl", n) for n in range(1, 5)), *(("var", n) for n in range(1, 7))])
def test_t23_full(tool, root, material, place, pages):
    """A file system that has no room is met after each page: the configuration does not name what is not there."""
    make(root, place)
    before = snapshot(root)
    ended, said = mounted(tool, "deploy", *material, "--default",
                          mount=[f"-t tmpfs -o size={4 * pages}k,mode=755 tmpfs {root / place}"])
    errors = {p["code"] for p in said["problems"] if p["severity"] == "error"}
    assert (ended, errors) == (1, {"no-space"}), said
    assert not said["changed"] and said["transaction"] is None
    assert snapshot(root) == before
    tool("deploy", *material, "--default").expect(0)


@as_root
@pytest.mark.parametrize("place", [CONF, "etc/dovecot"])
@pytest.mark.parametrize("mark", ["i", "a"])
def test_t23_marks(tool, root, schema, material, place, mark):
    """What is marked unchangeable is told before anything is touched: a run could not even take its own files away."""
    if subprocess.run(["chattr", "+" + mark, root / place], capture_output=True).returncode != 0:
        pytest.skip("this file system has no such marks")
    try:
        for command in "plan", "deploy":
            refused(tool, root, schema, command, *material, "--default", code="pinned")
    finally:
        subprocess.run(["chattr", "-" + mark, root / place], check=True)
    tool("deploy", *material, "--default").expect(0)


@as_root
@pytest.mark.parametrize("name", ["journal", "committed"])
def test_t20_something_else_in_the_place_of_a_record(tool, root, schema, material, name):
    make(root, "var/lib/certdeploy", 0o700)
    write(root, f"var/lib/certdeploy/{name}", "", 0o600)
    refused(tool, root, schema, "deploy", *material, "--default", code="journal-damaged")
    tool("recover", "--force").expect(0)
    tool("deploy", *material, "--default").expect(0)


@as_root
def test_t20_state_and_lock(tool, root, schema, material):
    """A journal that no run of ours wrote is named and left; it hinders, and recover does not loop."""
    write(root, "var/lib/certdeploy/journal/manifest", "certdeploy-manifest 1 3 " + "0" * 64 + "\n{}\n", 0o600)
    (root / "var/lib/certdeploy").chmod(0o700)
    for command in (["deploy", *material, "--default"], ["recover"]):
        refused(tool, root, schema, *command, code="journal-damaged")


@as_root
@pytest.mark.parametrize("how", ["world", "owner", "directory", "link", "include", "FIFO"])
def test_own_configuration_is_distrusted(tool, root, schema, how, tmp_path):
    conf = tmp_path / "conf.d"
    conf.mkdir()
    file = conf / "certdeploy.conf"
    file.write_text('store = "/etc/ssl/certdeploy";\n')
    if how == "world":
        file.chmod(0o666)
    elif how == "owner":
        os.chown(file, NOBODY, NOBODY)
    elif how == "directory":
        conf.chmod(0o777)
    elif how == "link":
        os.symlink(file, conf / "link")
        os.lchown(conf / "link", NOBODY, NOBODY)
        os.rename(file, conf / "real")
        file.symlink_to(conf / "real")
        os.lchown(file, NOBODY, NOBODY)
        (conf / "real").chmod(0o666)
    elif how == "include":
        file.write_text('keep = 3;\n@include "/etc/passwd"\n')
    else:
        file.unlink()
        os.mkfifo(file)
    tool.config = file
    run = refused(tool, root, schema, "list", code="settings" if how in ("include", "FIFO") else "unsafe-path")
    assert "root:" not in run.out


def test_t20_a_lock_that_is_a_pipe(tool, root, material):
    """Whoever looks whether it is held does not wait for the other end."""
    tool("deploy", *material, "--default").expect(0)
    (root / "var/lib/certdeploy/lock").unlink()
    os.mkfifo(root / "var/lib/certdeploy/lock")
    tool.timeout = 20
    for command in ["recover"], ["deploy"], ["rollback"], ["prune"]:
        assert tool(*command).status in (0, 1, 6), command


def test_t20_a_deployment_that_leads_nowhere(tool, root, schema, material):
    """It counts as taken away meanwhile: alone, nothing is remembered."""
    tool("deploy", *material, "--default").expect(0)
    remembered = root / "var/lib/certdeploy/deployments"
    (remembered / "gone.test.json").symlink_to("nowhere")
    assert not tool("deploy").expect(0).json["changed"]
    (remembered / "www.example.test.json").unlink()
    refused(tool, root, schema, "deploy", status=2, code="usage")


# T7: keys are never readable by others

OPENED = re.compile(r"\b(?:openat|open|creat)\(.*?\"(?P<path>[^\"]*)\".*O_CREAT.*, (?P<mode>0\d+)\) = \d+")
CHANGED = re.compile(r"\bf?chmod(?:at)?\(.*?(?P<mode>0[0-7]+)\) = 0")


@pytest.mark.parametrize("umask", [0, 0o077])
def test_t6_t7_no_window(tool, root, material, umask, tmp_path):
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    if os.geteuid() != 0:
        pytest.skip("the tool lets nobody but root look into it")
    argv, own = tool.argv("deploy", *material, "--default")
    log = tmp_path / "log"
    done = subprocess.run(["strace", "-f", "-y", "-o", log, "-e", "trace=open,openat,openat2,creat,fchmod,chmod,fchmodat,mkdirat,execve",
                           *argv], env={**CLEAN, **own, "ASAN_OPTIONS": "detect_leaks=0"}, capture_output=True,
                          preexec_fn=lambda: os.umask(umask), stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout
    text = log.read_text()
    made = [m for m in OPENED.finditer(text)]
    assert len(made) > 5
    made = [m for m in made if not m["path"].endswith(".gcda")]  # a build for coverage counts in these
    assert not [m.group(0) for m in made if int(m["mode"], 8) & 0o077], "files begin private"
    assert not [m.group(0) for m in made if m["path"].startswith(("/tmp/", "/var/tmp/")) and str(tmp_path) not in m[0]]
    for line in text.splitlines():
        changed = CHANGED.search(line)
        assert not changed or "key" not in line.split("<")[1] or int(changed["mode"], 8) & 0o137 == 0, line
    assert text.count("execve(") == 1, "a tree starts no program"
    for place, _, names in os.walk(root):
        for name in names:
            path = Path(place, name)
            if not path.is_symlink() and b"PRIVATE KEY" in path.read_bytes() and "/etc/old/" not in str(path):
                assert path.stat().st_mode & 0o077 == 0, path


# T8, T12 to T16: material

KEYS = {
    "T15 DSA": (lambda k: asn1.dsa_key(16384), "not-understood"),
    "T15 RSA of 16384 bits": (lambda k: asn1.rsa_key(16384), "not-understood"),
    "T15 many large keys": (lambda k: asn1.rsa_key(8192) * 7, "key-mismatch"),
    "T15 PBKDF2 2^24": (lambda k: asn1.pbkdf2_key(1 << 24), "too-large"),
    "T15 PBKDF2 2^31": (lambda k: asn1.pbkdf2_key((1 << 31) - 1), "too-large"),
    "T15 scrypt N": (lambda k: asn1.scrypt_key(1 << 19, 8, 1), "too-large"),
    "T15 scrypt r": (lambda k: asn1.scrypt_key(1 << 10, 900, 1), "wrong-passphrase"),
    "T15 nested": (lambda k: asn1.nested(5000), "not-a-certificate"),
    "T15 endless nested": (lambda k: b"\x30\x80" * 20000, "not-a-certificate"),
    "T15 32 MiB": (lambda k: b"A" * (32 << 20), "too-large"),
    "T15 marks of byte order": (lambda k: b"\xef\xbb\xbf" * 87000, "not-a-certificate"),
    "T8 a foreign key": (lambda k: asn1.pem("OPENSSH PRIVATE KEY", b"x" * 60), "not-understood"),
    "T8 a certificate for a key": (lambda k: k.cert.read_text(), "key-missing"),
    "T8 a public key": (lambda k: asn1.pem("PUBLIC KEY", asn1.rsa_public(2048)), "not-understood"),
}
ISSUED = {
    "T15 RSA of 16384 bits": (lambda k: asn1.certificate(asn1.rsa_public(16384)), "not-understood"),
    "T17 RSA with the exponent 1": (lambda k: asn1.certificate(asn1.rsa_public(2048, exponent=1)), "weak-key"),
    "T17 RSA with an even exponent": (lambda k: asn1.certificate(asn1.rsa_public(2048, exponent=65538)), "weak-key"),
    "T15 32 large self-issued ones": (lambda k: "".join(asn1.certificate(asn1.rsa_public(8192), serial=i)
                                                       for i in range(2, 34)), None),
    "T15 1001 names": (lambda k: asn1.certificate(asn1.rsa_public(2048), extensions=[
        asn1.names(*[b"h%d.example.test" % i for i in range(1001)])]), "too-large"),
    "T15 3000 extensions": (lambda k: asn1.certificate(asn1.rsa_public(2048), extensions=[
        asn1.seq(asn1.oid(f"1.2.3.{i}"), asn1.octets(b"x")) for i in range(3000)]), None),
    "T15 5000 certificates": (lambda k: k.cert.read_text() * 5000, "too-large"),
    "T15 40 certificates": (lambda k: "".join(asn1.certificate(asn1.rsa_public(512), serial=i) for i in range(40)),
                            "too-large"),
    "T15 a serial number of 30 octets": (lambda k: asn1.certificate(asn1.rsa_public(2048), serial=1 << 240),
                                         "malformed"),
    "T14 NUL in a name": (lambda k: asn1.certificate(asn1.rsa_public(2048), extensions=[
        asn1.names(b"www.example.test\0.evil.test")]), "malformed"),
    "T14 NUL in the common name": (lambda k: asn1.certificate(
        asn1.rsa_public(2048), subject=asn1.name(b"www.example.test\0.evil.test")), "no-names"),
    "T1 newline in a name": (lambda k: asn1.certificate(asn1.rsa_public(2048), extensions=[
        asn1.names(b"www.example.test\nx")]), "malformed"),
    "T13 escapes in a name": (lambda k: asn1.certificate(asn1.rsa_public(2048), subject=asn1.name(b"\x1b[31m\xc2\x9b\n"),
                                                         extensions=[asn1.names(b"\x1b]0;x\x07", b"../../etc")]),
                              "malformed"),
    "T16 no public key": (lambda k: asn1.certificate(asn1.seq(asn1.RSA, asn1.bits(b"junk"))), "not-understood"),
    "T16 a point off its curve": (lambda k: asn1.certificate(
        asn1.seq(asn1.seq(asn1.EC, asn1.P256), asn1.bits(b"\4" + b"\1" * 64))), "not-understood"),
    "T16 a curve of its own": (lambda k: asn1.certificate(
        asn1.seq(asn1.seq(asn1.EC, asn1.seq(asn1.integer(1))), asn1.bits(b"\4" + b"\1" * 64))), "not-understood"),
    "T8 only a key": (lambda k: k.key.read_text(), "not-a-certificate"),
    "T8 only a foreign label": (lambda k: asn1.pem("EVIL THING", b"x"), "not-understood"),
    "T12 zeros": (lambda k: b"\0" * 200000, "not-a-certificate"),
    "T12 no end": (lambda k: "-----BEGIN CERTIFICATE-----\n" * 8000, "pem-damaged"),
    "T12 a list of users": (lambda k: f"root:$y$j9T${CANARY}:19000:0\n", "not-a-certificate"),
}


def measured(argv, env):
    """(status, stdout, stderr, CPU seconds, MiB) of one process, which may neither run on nor grow without bound."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (30, 30)))
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        return child.returncode, out.read().decode(), err.read().decode(), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def check_refusal(tool, root, schema, args, code):
    before = snapshot(root)
    argv, own = tool.argv("deploy", *args, "--default")
    sanitized = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
    status, out, err, seconds, size = measured(argv, {**CLEAN, **own, **sanitized})
    report = json.loads(out)
    schema(report)
    assert status == 6, report["problems"]
    codes = [p["code"] for p in report["problems"] if p["severity"] == "error"]
    assert codes and (code is None or code in codes), report["problems"]
    assert CANARY not in out + err
    for problem in report["problems"]:
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", problem["message"]), problem
    if not sanitized:
        assert seconds <= 1 and size <= 128, (seconds, size)
    assert snapshot(root) == before


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("case", KEYS)
def test_keys(tool, root, schema, leaf, tmp_path, case):
    make_it, code = KEYS[case]
    key, secret = put(tmp_path / "key", make_it(leaf)), put(tmp_path / "secret", CANARY + "\n")
    check_refusal(tool, root, schema, ["--fullchain", leaf.fullchain, "--key", key, "--passphrase-file", secret], code)


@pytest.mark.parametrize("case", ISSUED)
def test_certificates(tool, root, schema, leaf, tmp_path, case):
    make_it, code = ISSUED[case]
    check_refusal(tool, root, schema, ["--fullchain", put(tmp_path / "cert", make_it(leaf)), "--key", leaf.key], code)


def test_t15_many_derivations(tool, root, schema, leaf, tmp_path):
    """Each key may cost a million rounds, all of them together three."""
    secret, sealed = put(tmp_path / "secret", CANARY + "\n"), tmp_path / "sealed"
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", leaf.key, "-iter", "1000000", "-passout", f"file:{secret}",
                    "-out", sealed], check=True)
    keys = put(tmp_path / "keys", sealed.read_text() * 30)
    args = ["--fullchain", leaf.fullchain, "--key", keys, "--passphrase-file", secret]
    before = snapshot(root)
    argv, own = tool.argv("deploy", *args, "--default")
    status, out, _, seconds, _ = measured(argv, {**CLEAN, **own})
    assert status == 6 and "too-large" in out and CANARY not in out and seconds < 4
    assert snapshot(root) == before


@pytest.mark.parametrize("option", ["--cert", "--key", "--pkcs12", "--passphrase-file", "--batch"])
@pytest.mark.parametrize("what", ["FIFO", "directory", "/dev/zero", "shadow"])
def test_t12_what_is_no_file_of_ours(tool, root, schema, leaf, tmp_path, option, what):
    path = Path("/dev/zero") if what == "/dev/zero" else tmp_path / "it"
    if what == "FIFO":
        if option in ("--passphrase-file", "--batch"):
            pytest.skip("a pipe is welcome there: <(command) of a shell")
        os.mkfifo(path)
    elif what == "directory":
        path.mkdir()
    elif what == "shadow":
        path.write_text(f"root:$y$j9T${CANARY}:19000:0\n")
    given = {"--cert": ["--key", leaf.key], "--key": ["--fullchain", leaf.fullchain], "--pkcs12": [], "--batch": [],
             "--passphrase-file": ["--fullchain", leaf.fullchain, "--key", put(tmp_path / "k", asn1.pbkdf2_key(2))]}
    before = snapshot(root)
    tool.timeout = 20
    run = tool("deploy", *given[option], option, path, *([] if option == "--batch" else ["--default"]))
    schema(run.json)
    assert run.status in (1, 2, 6) and any(p["severity"] == "error" for p in run.problems), run
    assert CANARY not in run.out + run.err
    assert snapshot(root) == before


@pytest.mark.parametrize("option", ["--passphrase-file", "--batch"])
def test_t12_a_pipe_has_an_end(tool, root, material, tmp_path, option):
    """One that nobody writes to is given up; strace lets the minute pass."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    if os.geteuid() != 0:
        pytest.skip("the tool lets nobody but root look into it")
    os.mkfifo(tmp_path / "it")
    before = snapshot(root)
    argv, own = tool.argv("deploy", *([] if option == "--batch" else [*material, "--default"]), option, tmp_path / "it")
    done = subprocess.run(["strace", "-o", "/dev/null", "-e", "inject=poll:retval=0", *argv], timeout=30,
                          env={**CLEAN, **own, "ASAN_OPTIONS": "detect_leaks=0"}, capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and [p["code"] for p in json.loads(done.stdout)["problems"]] == ["io-error"], done.stdout
    assert snapshot(root) == before


def test_the_passphrase_is_the_first_line(tool, root, leaf, tmp_path):
    """What hands it over may keep its end open."""
    sealed = tmp_path / "sealed"
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", leaf.key, "-passout", f"pass:{CANARY}", "-out", sealed], check=True)
    reading, writing = os.pipe()
    os.write(writing, f"{CANARY}\n".encode())
    argv, own = tool.argv("check", "--fullchain", leaf.fullchain, "--key", sealed, "--passphrase-fd", reading)
    try:
        done = subprocess.run(argv, env={**CLEAN, **own}, pass_fds=[reading], timeout=30, capture_output=True)
    finally:
        os.close(reading), os.close(writing)
    assert done.returncode == 0, done.stdout


def test_t8_what_is_around_is_not_kept(tool, root, material, leaf, tmp_path):
    """Text and blocks that are neither certificate nor key."""
    given = put(tmp_path / "given", "SSLEngine off\n" + leaf.fullchain.read_text() + "\x1b[31mmore\n"
                + asn1.pem("EVIL THING", b"x") + leaf.key.read_text())
    tool("deploy", "--fullchain", given, "--key", leaf.key, "--default").expect(0)
    for path in (root / "etc/ssl/certdeploy").rglob("*.pem"):
        text = path.read_text()
        assert "SSLEngine" not in text and "more" not in text and "EVIL" not in text
        assert ("PRIVATE" in text) == (path.name in ("key.pem", "combined.pem"))


# T21: hostile configurations

INSIDE = {
    "an open block": DOVECOT + "local_name x {\n",
    "a closing brace too many": DOVECOT + "}\n",
    "a loop": DOVECOT + "!include dovecot.conf\n",
    "a FIFO": DOVECOT + "!include /etc/fifo\n",
    "a device": DOVECOT + "!include /dev/zero\n",
    "a file of 3 GiB": DOVECOT + "!include /etc/huge\n",
    "a list of users": DOVECOT + "!include /etc/shadow\n",
    "a value of itself": DOVECOT + "ssl_cert = $ssl_cert $ssl_cert $ssl_cert\n" * 60,
    "10,000 open blocks": DOVECOT + "local_name x {\n" * 10000,
}


SITE = APACHE.replace("ServerName", "%s\n  ServerName")
MACROS = "LoadModule macro_module modules/mod_macro.so\n<Macro M0>\nServerAlias x\n</Macro>\n" + "".join(
    f"<Macro M{i}>\n" + f"Use M{i - 1}\n" * 4 + "</Macro>\n" for i in range(1, 30))
APACHE_CASES = {
    "macros of macros": (MACROS + SITE % "Use M29", 6),
    "variables of variables": ("Define L0 xxxxxxxxxx\n" + "".join(
        f"Define L{i} " + f"${{L{i - 1}}}" * 4 + "\n" for i in range(1, 40)) + SITE % "ServerAlias ${L39}", 6),
    "files of files": (SITE % "Include /etc/apache2/x11.conf", 6),
    "50,000 pairs": (SITE % ("SSLCertificateFile /etc/old/cert.pem\n" * 50000 +
                             "SSLCertificateKeyFile /etc/old/key.pem\n" * 50000), 6),
    "1,000,000 variables without an end": (SITE % ("ServerAlias " + "${" * 1000000), 0),
}


@pytest.mark.parametrize("case", APACHE_CASES)
def test_t21_apache(tool, root, schema, material, case):
    text, wanted = APACHE_CASES[case]
    (root / "etc/apache2/apache2.conf").write_text(text)
    for i in range(12):
        (root / f"etc/apache2/x{i}.conf").write_text(f"Include /etc/apache2/x{i - 1}.conf\n" * 10 if i else "# x\n")
    argv, own = tool.argv("plan", *material, "--default", "--service", "apache")
    status, out, err, seconds, size = measured(argv, {**CLEAN, **own})
    assert status == wanted, out + err
    assert seconds <= 5 and size <= 256


@pytest.mark.parametrize("case", INSIDE)
def test_t21_configurations(tool, root, schema, material, case):
    (root / CONF).write_text(INSIDE[case])
    os.mkfifo(root / "etc/fifo")
    (root / "etc/shadow").write_text(f"root:$y$j9T${CANARY}:19000:0\n")
    if "3 GiB" in case:
        with open(root / "etc/huge", "w") as file:
            file.truncate(3 << 30)
        (root / "etc/huge").chmod(0o600)
    if os.getuid() == 0:
        (root / "dev").mkdir()
        os.mknod(root / "dev/zero", 0o20666, os.makedev(1, 5))
    tool.timeout = 30
    argv, own = tool.argv("deploy", *material, "--default", "--service", "dovecot")
    status, out, err, seconds, size = measured(argv, {**CLEAN, **own})
    assert status == 6 and json.loads(out)["problems"] and CANARY not in out + err, out
    assert seconds <= 5 and size <= 256
    assert (root / CONF).read_text() == INSIDE[case]


@pytest.mark.parametrize("service, file, text", [
    ("postfix", "etc/postfix/main.cf", POSTFIX.replace("/etc/old", "etc/old") + "queue_directory = a/long/way/down\n"),
    ("apache", "etc/apache2/apache2.conf", APACHE.replace("/etc/old", "old") +
     "IncludeOptional a/long/way/down/*.conf\n"),
], ids=["postfix", "apache"])
def test_t21_directories_that_are_relative(tool, root, service, file, text, tmp_path):
    (root / file).write_text(text)
    (tmp_path / "c.conf").write_text(
        'services = ( { name = "apache"; config = "/etc/apache2/apache2.conf"; server_root = "etc/apache2"; },\n'
        '{ name = "postfix"; } );\n')
    tool.config = tmp_path / "c.conf"
    assert tool("list", "--service", service).expect(0).endpoints


def test_t21_other_bytes_are_kept(tool, root, material):
    """CRLF, NUL, 8 bit, no last newline, a line of a megabyte: only the values change."""
    text = (DOVECOT.replace("\n", "\r\n") + "x = a\0b\xff" + "y" * (1 << 20) + "\r\nz = \\").encode("latin-1")
    (root / CONF).write_bytes(text)
    run = tool("deploy", *material, "--default", "--service", "dovecot")
    after = (root / CONF).read_bytes()
    if run.status != 0:
        assert run.status == 6 and after == text
        return
    kept = re.sub(rb"(ssl_(cert|key)) = <[^\r\n]*", rb"\1 = <", after)
    assert kept == re.sub(rb"(ssl_(cert|key)) = <[^\r\n]*", rb"\1 = <", text)


# JSON

def _repeat(piece, count, before=b"", after=b""):
    return before + piece * count + after


REQUESTS = {
    "empty": b"",
    "not UTF-8": b'{"name": "\xc0\x80"}',
    "a surrogate": b'{"name": "\\ud800"}',
    "NUL escaped": b'{"hostname": "a\\u0000b"}',
    "NUL": b'{"hostname": "a\0b"}',
    "twice": b'{"cert": "a", "cert": "b"}',
    "deep": _repeat(b"[", 100000),
    "deep objects": _repeat(b'{"a":', 5000, after=b"1" + b"}" * 5000),
    "a huge integer": b'{"wait": ' + b"9" * 400 + b"}",
    "a huge real": b'{"wait": 1e999}',
    "a negative time": b'{"wait": -1, "all": true}',
    "a wrong type": b'{"cert": [1]}',
    "text for a flag": b'{"all": "yes"}',
    "an escape in a key": b'{"\\u001b[31m": 1}',
    "a language": b'{"lang": "../../x"}',
    "another command": b'{"command": "list"}',
    "3 million lists": _repeat(b"[],", 3000000, b'{"hostname": [', b"[]]}"),
    "3 million numbers": _repeat(b"1,", 3000000, b"[", b"1]"),
    "a long name": b'{"name": "' + b"a" * 3000000 + b'"}',
    "a request for itself": b'{"cert_file": "-", "key_file": "-"}',
}


@pytest.mark.parametrize("case", REQUESTS)
def test_json_requests(tool, root, schema, case, tmp_path):
    before, given = snapshot(root), put(tmp_path / "given", REQUESTS[case])
    argv, own = tool.argv("deploy", "-")
    with open(given, "rb") as stdin, open(tmp_path / "out", "w+b") as out:
        child = subprocess.Popen(argv, env={**CLEAN, **own}, stdin=stdin, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    report = json.loads((tmp_path / "out").read_bytes())
    schema(report)
    assert child.returncode == 2 and [p["code"] for p in report["problems"]] == ["usage"], report
    assert len(report["problems"][0]["message"]) < 1100
    assert not re.search(r"[\x00-\x1f\x7f]", report["problems"][0]["message"])
    if not any(k.endswith("SAN_OPTIONS") for k in os.environ):
        assert usage.ru_utime + usage.ru_stime <= 2 and usage.ru_maxrss / 1024 <= 160
    assert snapshot(root) == before


# T10, T11: the process


@pytest.mark.parametrize("limit, value", [("NOFILE", 12), ("FSIZE", 100), ("AS", 24 << 20)])
def test_t11_limits(tool, root, material, limit, value):
    """With too little of something a run fails, and everything is as it was."""
    if limit == "AS" and any(k.endswith("SAN_OPTIONS") for k in os.environ):
        pytest.skip("sanitizers need more")
    before = snapshot(root)
    argv, own = tool.argv("deploy", *material, "--default")
    done = subprocess.run(argv, env={**CLEAN, **own}, stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                          preexec_fn=lambda: resource.setrlimit(getattr(resource, "RLIMIT_" + limit), (value, value)))
    if done.returncode == 0:
        tool("rollback").expect(0)
    else:
        assert done.returncode in (1, 4, 6, 127) and (done.stdout + done.stderr), done
    assert snapshot(root) == before


def test_t10_t18_children_get_a_constant_environment(pki, leaf, tmp_path):
    """What the server's own commands are started with: nothing of ours, no secret, no descriptor."""
    dump = tmp_path / "dump"
    dump.write_text("#!/bin/sh\n{ tr '\\0' '\\n' </proc/$$/environ; tr '\\0' ' ' </proc/$$/cmdline; echo; ls /proc/$$/fd; pwd; umask; } "
                    f">>{tmp_path}/seen\n")
    dump.chmod(0o755)
    old = pki.root("Old Root").leaf("old.example.test")
    conf = tmp_path / "dovecot.conf"
    conf.write_text(f"{head()}protocols = imap\nssl = yes\n{pair(old.cert, old.key)}")
    locked, secret = tmp_path / "locked.pem", put(tmp_path / "secret", CANARY + "\n")
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", leaf.key, "-out", locked, "-passout", f"file:{secret}"], check=True)
    settings = tmp_path / "certdeploy.conf"
    settings.write_text(f"""store = "{tmp_path}/store"; state = "{tmp_path}/state";
services = ( {{ name = "dovecot"; adapter = "dovecot"; config = "{conf}"; version = "2.3.19";
  test = [ "{dump}", "test" ]; reload = [ "{dump}", "reload" ]; }} );\n""")
    from harness.tool import Tool
    tool = Tool(config=settings, env={
        "PATH": str(tmp_path), "IFS": "/", "BASH_ENV": str(dump), "ENV": str(dump), "MAIL_CONFIG": "/evil", "TMPDIR": "/evil",
        "APACHE_CONFDIR": "/evil", "OPENSSL_CONF": "/evil", "OPENSSL_MODULES": "/evil", "SECRET": CANARY, "CDPATH": "/",
        "MALLOC_TRACE": "/evil", "LOCALDOMAIN": "evil", "HOME": "/evil", "PYTHONPATH": "/evil", "PERL5LIB": "/evil"})
    run = tool("deploy", "--fullchain", leaf.fullchain, "--key", locked, "--passphrase-file", secret, "--default",
               "--no-verify").expect(0)
    assert CANARY not in run.out + run.err
    seen = (tmp_path / "seen").read_text()
    assert " test" in seen and "evil" not in seen and CANARY not in seen and "IFS" not in seen
    assert "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" in seen


def test_what_a_server_changes_meanwhile_is_left_and_told(pki, leaf, tmp_path):
    """Its test writes into the file that it is to judge: the one state that cannot be put back."""
    old = pki.root("Old Root").leaf("old.example.test")
    conf, judge = tmp_path / "dovecot.conf", tmp_path / "judge"
    conf.write_text(f"{head()}protocols = imap\nssl = yes\n{pair(old.cert, old.key)}")
    judge.write_text(f"#!/bin/sh\necho '# mine' >>{conf}\nexit 1\n")
    judge.chmod(0o755)
    settings = tmp_path / "certdeploy.conf"
    settings.write_text(f"""store = "{tmp_path}/store"; state = "{tmp_path}/state"; syslog = false;
services = ( {{ name = "dovecot"; adapter = "dovecot"; config = "{conf}"; version = "2.3.19"; test = [ "{judge}" ];
  reload = [ "/bin/true" ]; status = [ "/bin/true" ]; }} );\n""")
    from harness.tool import Tool
    run = Tool(config=settings)("deploy", "--fullchain", leaf.fullchain, "--key", leaf.key, "--default", "--no-verify")
    run.expect(5, "test-failed", "changed-since")
    assert run.json["changed"] and run.json["transaction"] and conf.read_text().endswith("# mine\n")


def test_t23_what_cannot_be_told(tool, root, material):
    """The work is done or not: a plan that nobody can read is none, a deployment stays one."""
    for command, status in (["plan", *material, "--default"], 1), (["deploy", *material, "--default"], 0), (["list"], 1):
        argv, own = tool.argv(*command)
        with open("/dev/full", "wb") as full:
            done = subprocess.run(argv, env={**CLEAN, **own}, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE)
        assert (done.returncode, done.stderr) == (status, b"certdeploy: cannot write the output\n"), command
    assert tool("rollback").expect(0).json["changed"]


@as_root
def test_t18_no_core_file(tool, root):
    """Keys are in memory."""
    child = tool.start("deploy", "-", stdin=subprocess.PIPE)
    try:
        for _ in range(200):
            if resource.prlimit(child.pid, resource.RLIMIT_CORE) == (0, 0):
                break
            subprocess.run(["sleep", "0.02"], check=False)
        assert resource.prlimit(child.pid, resource.RLIMIT_CORE) == (0, 0)
    finally:
        child.communicate(b"{}", timeout=20)
    assert child.returncode == 2
