# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates and requests in the store of a tree: compared, completed, fetched, moved, published."""

import http.server
import os
import pty
import re
import shutil
import stat
import subprocess
import threading

import pytest

import asn1
from harness.process import CLEAN, run
from harness.tool import REFUSED, Tool, command

NAME = "www.example.test"


@pytest.fixture
def ca(pki):
    return pki.root().authority("Example CA 1")


@pytest.fixture
def stored(tool, ca):
    """The tool, with a certificate in the store."""
    leaf = ca.leaf(NAME, "old.example.test")
    tool("import", "--fullchain", leaf.fullchain, "--key", leaf.key, "--name", NAME).expect(0)
    return tool


def material(leaf):
    return ["--cert", leaf.cert, "--key", leaf.key, "--chain", leaf.chain]


# ---- passphrases


@pytest.mark.parametrize("typed, status", [("Sesam-4711", 0), ("Sesam-0815", REFUSED)])
def test_a_passphrase_is_asked_for_once_and_without_echo(tool, ca, typed, status):
    argv, env = command()
    argv += ["--root", tool.root, "import", "--pkcs12", ca.leaf(NAME).pkcs12("Sesam-4711"), "--name", NAME]
    child, terminal = pty.fork()
    if child == 0:
        os.execve(argv[0], list(map(str, argv)), {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **env})
    shown = b""
    try:
        while b"Passphrase for" not in shown:
            shown += os.read(terminal, 1000)
        os.write(terminal, typed.encode() + b"\n")
        while True:
            shown += os.read(terminal, 1000)
    except OSError:
        pass  # the other side is closed
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == status
    assert typed.encode() not in shown and shown.count(b"Passphrase for") == 1
    assert (b"wrong-passphrase" in shown) == (status != 0)


# ---- what changes


def test_what_a_new_certificate_changes(stored, ca, pki, schema):
    new = pki.root().authority("Example CA 2").leaf(NAME, "new.example.test", key="rsa", not_after=30)
    found = stored("check", *material(new), "--name", NAME).expect(
        0, "names-added", "names-removed", "key-changed", "key-type-changed", "issuer-changed", "ends-earlier"
    )
    schema(found.json)
    assert found.problem("names-removed")["parameters"] == [NAME, "old.example.test"]
    assert found.problem("names-removed")["severity"] == "warning"

    old = ca.leaf(NAME, "old.example.test")
    same = stored("check", *material(old), "--name", NAME).expect(0, "same-certificate")
    assert not {"names-added", "names-removed", "key-changed", "ends-earlier"} & set(same.codes)

    longer = ca.leaf(NAME, "old.example.test", key=old.key, not_after=100)
    codes = stored("check", *material(longer), "--name", NAME).expect(0, "key-reused", "ends-later").codes
    assert not {"names-added", "names-removed", "issuer-changed", "key-type-changed"} & set(codes)
    stored("check", *material(new), "--name", "none.example.test").expect(0, "unknown-name")
    assert stored("check", "--name", NAME).expect(0).json["certificates"][0]["sha256"] == old.sha256


def test_a_plan_says_that_the_key_changes(stored, ca):
    """Somebody may have to publish a TLSA record first."""
    old = ca.leaf(NAME, "old.example.test")
    new = ca.leaf(NAME, "old.example.test", again=1)
    stored("plan", *material(new), "--name", NAME, "--install-only").expect(0, "key-changed")
    kept = ca.leaf(NAME, "old.example.test", key=old.key, again=2)
    assert "key-changed" not in stored("plan", *material(kept), "--name", NAME, "--install-only").expect(0).codes


# ---- the chain


def test_a_chain_completed_from_the_store(stored, ca):
    alone = ca.leaf("other.example.test")
    found = stored("check", "--cert", alone.cert, "--key", alone.key).expect(0, "chain-completed")
    assert found.json["certificates"][0]["chain"][0]["subject"].startswith("CN=Example CA 1")
    stranger = ca.pki.root("Stranger").authority("Strange CA").leaf("other.example.test")
    refused = stored("check", "--cert", stranger.cert, "--key", stranger.key).expect(REFUSED, "chain-incomplete")
    assert refused.json["certificates"][0]["missing_issuer"].startswith("CN=Strange CA")


class Web(http.server.BaseHTTPRequestHandler):
    pages = {}
    asked = []

    def do_GET(self):
        Web.asked.append(self.path)
        status, place, body = self.pages.get(self.path, (404, None, b"none"))
        self.send_response(status)
        if place:
            self.send_header("Location", place)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def web():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Web.pages, Web.asked = {}, []
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def naming(ca, port, path):
    """A leaf that says where its issuer is."""
    return ca.pki.issue(
        "aia",
        f"/CN={NAME}",
        "ec",
        ca,
        f"basicConstraints=CA:FALSE\nsubjectAltName=DNS:{NAME}\n"
        f"authorityInfoAccess=caIssuers;URI:http://127.0.0.1:{port}{path}\n",
        -1,
        90,
    )


@pytest.fixture
def private(tool, tmp_path):
    """The tool, allowed to fetch from addresses that are not public."""
    conf = tmp_path / "fetch.conf"
    conf.write_text("fetch_private = true;\n")
    return Tool(config=conf, root=tool.root)


def test_an_issuer_is_fetched_only_when_asked_for(private, tool, ca, web):
    leaf = naming(ca, web, "/moved")
    argv = ["check", "--cert", leaf.cert, "--key", leaf.key]
    Web.pages = {"/moved": (302, "/ca.der", b""), "/ca.der": (200, None, ca.der().read_bytes())}
    private(*argv).expect(REFUSED, "chain-incomplete")
    assert Web.asked == []
    found = private(*argv, "--fetch-issuer").expect(0, "chain-completed")
    assert Web.asked == ["/moved", "/ca.der"]
    assert found.json["certificates"][0]["chain"][0]["subject"].startswith("CN=Example CA 1")
    # Without the administrator's word nothing at a private address is asked.
    tool(*argv, "--fetch-issuer").expect(REFUSED, "fetch-failed")
    assert len(Web.asked) == 2
    done = private("import", "--cert", leaf.cert, "--key", leaf.key, "--fetch-issuer").expect(0)
    text = (private.root / f"etc/ssl/certdeploy/{NAME}/current/fullchain.pem").read_text()
    assert text == leaf.pem + ca.pem and done.json["changed"]


def test_what_is_fetched_must_have_signed(private, ca, web):
    false = ca.pki.root().authority("Example CA 1", key="rsa")
    leaf = naming(ca, web, "/ca.pem")
    argv = ["check", "--cert", leaf.cert, "--key", leaf.key, "--fetch-issuer"]
    answers = {
        "another key": (200, None, false.pem.encode()),
        "no certificate": (200, None, b"<html>hello</html>"),
        "refused": (500, None, b"sorry"),
        "too long": (200, None, b"x" * 100000),
        "in circles": (302, "/ca.pem", b""),
        "elsewhere": (302, "https://127.0.0.1/", b""),
    }
    for what, answer in answers.items():
        Web.pages = {"/ca.pem": answer}
        assert private(*argv).expect(REFUSED, "fetch-failed", "chain-incomplete"), what
    assert len(Web.asked) <= 12


# ---- requests


def test_which_name_has_the_key_of_a_request(tool, tmp_path, schema):
    made = tool("request", "--san", NAME, "--organization", "株式会社例").expect(0)
    csr = tmp_path / "csr.pem"
    csr.write_text(made.json["outputs"][1]["text"])
    run(["openssl", "req", "-in", csr, "-verify", "-noout"])
    found = tool("check", "--csr", csr).expect(0)
    schema(found.json)
    assert found.json["certificates"][0]["stored_as"] == NAME
    elsewhere = tmp_path / "other.csr"
    tool("request", "--san", NAME, "--out-key", tmp_path / "key", "--out-csr", elsewhere).expect(0)
    assert tool("check", "--csr", elsewhere).expect(0).json["certificates"][0]["stored_as"] is None


def test_a_request_has_no_life(tool, tmp_path):
    """Its description has no rows of what only a certificate has; a key that no CA takes is told of."""
    csr = tmp_path / "weak.csr"
    run(["openssl", "req", "-newkey", "rsa:1024", "-nodes", "-keyout", tmp_path / "key", "-subj", f"/CN={NAME}",
         "-out", csr])
    shown = tool.text("check", "--csr", csr).expect(0)
    assert [line.split("  ")[1] for line in shown.out.splitlines()[1:]] == [
        "Subject", "Key", "Signature", "Public key SHA-256", "Key of"]
    assert tool("check", "--csr", csr).expect(0).problem("weak-key")["severity"] == "warning"


def test_a_request_whose_key_protects_nothing(tool, tmp_path):
    csr = tmp_path / "csr"
    csr.write_text(asn1.request_of_exponent_one(NAME.encode()))
    assert tool("check", "--csr", csr).expect(0).problem("weak-key")["severity"] == "warning"


def test_files_are_handed_out_together(tool, tmp_path):
    """Where the second cannot be written the first is not left; another run finds nothing in its way."""
    key = tmp_path / "key"
    run = tool("request", "--san", NAME, "--out-key", key, "--out-csr", tmp_path / "missing/csr").expect(1, "io-error")
    assert run.problem("io-error")["file"] == str(tmp_path / "missing/csr")
    assert not key.exists()
    tool("request", "--san", NAME, "--out-key", key, "--out-csr", tmp_path / "csr").expect(0)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_files_are_handed_out_whole(tool, tmp_path):
    """Killed before its bytes are safe, a file has no name; a name is safe when the run ends."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    if os.geteuid() != 0:
        pytest.skip("the tool lets nobody but root look into it")
    argv, env = tool.argv("request", "--san", NAME, "--out-key", tmp_path / "key", "--out-csr", tmp_path / "csr")

    def traced(*options):
        argv_ = ["strace", "-y", "-o", tmp_path / "log", "-e", "trace=openat,write,linkat,fsync", *options, *argv]
        return subprocess.run(argv_, env={**CLEAN, **env}, capture_output=True, stdin=subprocess.DEVNULL).returncode

    for call in "write", "fsync":
        assert traced("-e", f"inject={call}:signal=KILL:when=1") not in (0, 1)
        assert not (tmp_path / "key").exists() and not (tmp_path / "csr").exists(), call
    if traced("-e", "inject=linkat:signal=KILL:when=2") not in (0, 1):
        assert (tmp_path / "key").exists() and not (tmp_path / "csr").exists(), "no request without its key"
        again = tool("request", "--san", NAME, "--out-key", tmp_path / "key", "--out-csr", tmp_path / "csr")
        assert again.expect(1).problem("io-error")["file"] == str(tmp_path / "key")
    for name in "key", "csr":
        (tmp_path / name).unlink(missing_ok=True)
    assert traced() == 0
    log = (tmp_path / "log").read_text()
    assert (tmp_path / "csr").exists()
    if "O_TMPFILE" in log and "EOPNOTSUPP" not in log:
        after = log[log.rindex("linkat("):]
        assert log.count("linkat(") == 2
        assert f"<{tmp_path}>) = 0" in after, "the directory is flushed after the last name"


def test_a_certificate_finds_its_key_without_a_name(tool, ca, tmp_path):
    tool("request", "--san", NAME, "--name", "order-4711").expect(0)
    waiting = next((tool.root / "etc/ssl/certdeploy/order-4711/requests").iterdir())
    issued = tmp_path / "issued.pem"
    run(["openssl", "x509", "-req", "-in", waiting / "request.pem", "-CA", ca.cert, "-CAkey", ca.key, "-days", "90",
         "-copy_extensions", "copyall", "-out", issued])
    tool("import", "--cert", issued, "--chain", ca.cert).expect(0)
    keys = [tool.root / f"etc/ssl/certdeploy/{NAME}/current/key.pem", waiting / "key.pem"]
    assert len({subprocess.check_output(["openssl", "pkey", "-in", key, "-pubout"]) for key in keys}) == 1


def test_names_in_their_own_script(tool, tmp_path, schema):
    made = tool("request", "--san", "www.日本語.example", "--self-signed").expect(0)
    schema(made.json)
    certificate = made.json["certificates"][0]
    assert certificate["names"] == ["www.xn--wgv71a119e.example"]
    assert certificate["names_unicode"] == ["www.日本語.example"]
    pem = tmp_path / "self.pem"
    pem.write_text(made.json["outputs"][1]["text"])
    argv = ["check", "--cert", pem, "--accept", "self-signed", "--hostname"]
    tool(*argv, "www.日本語.example").expect(0)
    other = tool(*argv, "日本語.example").expect(REFUSED, "name-mismatch").problem("name-mismatch")
    assert other["message"].endswith(" xn--wgv71a119e.example (日本語.example)")
    text = tool.text(*argv, "www.日本語.example").expect(0).out
    assert "www.xn--wgv71a119e.example (www.日本語.example)" in text


def test_profiles_of_the_settings(tool, tmp_path):
    conf = tmp_path / "profiles.conf"
    conf.write_text(
        'profile = "jp";\n'
        'profiles = ( { name = "jp"; strict = true; addresses = false;'
        ' required = [ "organization", "country" ]; } );\n'
    )
    jp = Tool(config=conf, root=tool.root)
    jp("request", "--san", NAME).expect(REFUSED, "bad-field")
    given = ["--organization", "Example", "--country", "JP"]
    jp("request", "--san", NAME, *given).expect(0)
    jp("request", "--san", NAME, "--san", "192.0.2.1", *given).expect(REFUSED, "bad-field")
    jp("request", "--san", NAME, "--unit", "-", *given).expect(REFUSED, "bad-field")
    jp("request", "--san", NAME, "--san", "192.0.2.1", "--profile", "lenient").expect(0)
    jp("request", "--san", NAME, "--profile", "other").expect(2, "usage")


# ---- TLSA


def records(result):
    return set(result.json["outputs"][0]["text"].splitlines())


def public_key(pem_file):
    """SHA-256 of the public key, by openssl."""
    key = subprocess.run(["openssl", "x509", "-in", pem_file, "-noout", "-pubkey"], capture_output=True, check=True)
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key.stdout, capture_output=True, check=True)
    return subprocess.run(["openssl", "dgst", "-sha256", "-r"], input=der.stdout, capture_output=True).stdout.split()[0].decode()


def test_records_of_the_installed_and_the_next(stored, ca):
    old, new = ca.leaf(NAME, "old.example.test"), ca.leaf(NAME, again=5)
    now = records(stored("tlsa", NAME).expect(0))
    assert f"_443._tcp.{NAME}. IN TLSA 3 1 1 {public_key(old.cert)}" in now
    assert f"_25._tcp.{NAME}. IN TLSA 3 0 1 {old.sha256}" in now
    both = records(stored("tlsa", NAME, "--cert", new.cert, "--chain", new.chain).expect(0))
    assert now < both and f"_443._tcp.{NAME}. IN TLSA 3 1 1 {public_key(new.cert)}" in both
    # A key that waits for its certificate can be published before that comes.
    made = stored("request", "--san", NAME).expect(0)
    waiting = made.json["certificates"][0]["public_key_sha256"]
    assert f"_443._tcp.{NAME}. IN TLSA 3 1 1 {waiting}" in records(stored("tlsa", NAME).expect(0))


def test_a_key_used_again(stored, ca):
    old = ca.leaf(NAME, "old.example.test")
    made = stored("request", "--san", NAME, "--name", NAME, "--reuse-key").expect(0)
    assert made.json["certificates"][0]["public_key_sha256"] == public_key(old.cert)
    stored("request", "--san", NAME, "--reuse-key").expect(2, "usage")
    stored("request", "--san", NAME, "--name", "none.example.test", "--reuse-key").expect(REFUSED, "unknown-name")


def test_a_misspelt_code_accepts_nothing_and_is_told(tool, pki):
    leaf = pki.self_signed(NAME)
    asked = ("check", "--cert", leaf.cert, "--key", leaf.key)
    told = tool(*asked, "--accept", "self-singed").expect(6, "self-signed", "usage").problem("usage")
    assert told["severity"] == "warning" and '"self-singed"' in told["message"]
    assert "usage" not in tool(*asked, "--accept", "self-signed").expect(0).codes
    for command in ("plan", "deploy"):
        assert tool(command, *asked[1:], "--accept", "x\x1b").codes.count("usage") == 1


def test_a_curve_given_by_numbers(tool, ca, tmp_path):
    """It is said what the key is; and what is said to be done makes a key that is taken."""
    leaf, numbers, named = ca.leaf("www.example.test"), tmp_path / "numbers.key", tmp_path / "named.key"
    asked = ("check", "--cert", leaf.cert, "--chain", leaf.chain, "--key")
    for form in (["ec", "-param_enc", "explicit"], ["pkey", "-ec_param_enc", "explicit"]):
        subprocess.run(["openssl", *form, "-in", leaf.key, "-out", numbers], check=True, capture_output=True)
        message = tool(*asked, numbers).expect(6, "not-understood").problem("not-understood")["message"]
        assert "explicit parameters" in message
        said = re.search(r"openssl pkey .*", message).group(0).replace("OLD", str(numbers)).replace("NEW", str(named))
        subprocess.run(said.split(), check=True, capture_output=True)
        tool(*asked, named).expect(0)
    signed = tmp_path / "signed.pem"
    subprocess.run(["openssl", "req", "-x509", "-new", "-key", numbers, "-subj", "/CN=www.example.test", "-out", signed],
                   check=True, capture_output=True)
    assert "make a new key" in tool("check", "--cert", signed).expect(6).problem("not-understood")["message"]
