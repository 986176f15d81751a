# SPDX-License-Identifier: LGPL-2.1-or-later
"""The built tool on a tree of files: every command against the schema, the way there and back, bad input."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness.process import CLEAN
from test_usage import COMMANDS

DOVECOT = """# a small Dovecot
protocols = imap
ssl = yes
ssl_cert = </etc/dovecot/old.pem\r
ssl_key = </etc/dovecot/old.key
"""


@pytest.fixture
def root(tool, pki):
    """A tree with a Dovecot that serves a certificate made by itself."""
    place = tool.root / "etc/dovecot"
    place.mkdir(parents=True)
    (place / "dovecot.conf").write_bytes(DOVECOT.encode())
    old = pki.root("Old Root").leaf("old.example.test")
    shutil.copy(old.cert, place / "old.pem")
    shutil.copy(old.key, place / "old.key")
    return tool.root


@pytest.fixture
def material(leaf):
    return ["--fullchain", leaf.fullchain, "--key", leaf.key]


def snapshot(root):
    """Every file but the lock, the log and the directories of the state: what a run may not have changed."""
    found = {}
    for place, directories, names in os.walk(root):
        for name in names:
            path = os.path.join(place, name)
            if os.path.islink(path):
                found[path] = os.readlink(path)
            elif "/var/lib/certdeploy/" not in path:
                found[path] = hashlib.sha256(open(path, "rb").read()).hexdigest()
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_as_the_schema_says(tool, root, schema, material, command):
    tool("deploy", *material, "--default").expect(0)
    args = material if command == "check" else [*material, "--default"] if command in ("plan", "deploy") else []
    run = tool(command, *args)
    schema(run.json)
    assert run.status in (0, 8), run
    assert run.json["command"] == command and run.json["exit"] == run.status


def test_there_and_back(tool, root, schema, leaf, material):
    before = snapshot(root)
    plan = tool("plan", *material, "--default").expect(0)
    schema(plan.json)
    assert snapshot(root) == before and plan.json["transaction"] is None
    assert "-ssl_cert = </etc/dovecot/old.pem\r\n" in plan.json["diff"]
    assert tool("plan", "--exit-code", *material, "--default").status == 10

    done = tool("deploy", *material, "--default").expect(0)
    schema(done.json)
    assert done.json["changed"] and done.json["certificates"][0]["sha256"] == leaf.sha256
    text = (root / "etc/dovecot/dovecot.conf").read_bytes()
    assert text.count(b"\r\n") == 1 and b"old.pem" not in text and text.startswith(b"# a small Dovecot\n")
    listed = tool("list").expect(0)
    assert {e["sha256"] for e in listed.endpoints} == {leaf.sha256}

    after = snapshot(root)
    again = tool("deploy", *material, "--default").expect(0)
    assert not again.json["changed"] and again.json["transaction"] is None and snapshot(root) == after
    assert tool("plan", "--exit-code", *material, "--default").status == 0

    history = tool("history").expect(0).json["history"]
    assert [t["id"] for t in history] == [done.json["transaction"]]
    assert tool("diff").expect(0).json["diff"] == done.json["diff"]
    shown = tool("show", done.json["transaction"]).expect(0)
    assert [f for f in shown.json["files"] if f["path"] == "/etc/dovecot/dovecot.conf" and f["backup"]]
    back = tool("rollback").expect(0)
    schema(back.json)
    assert snapshot(root) == before


def interrupt(root):
    """As if the last deployment had been killed before it was done."""
    state = root / "var/lib/certdeploy"
    (last,) = (state / "backups").iterdir()
    last.rename(state / "journal")


@pytest.fixture
def settings(tool, tmp_path):
    """Write certdeploy.conf and let the tool use it; None: without one."""

    def write(text):
        tool.config = tmp_path / "certdeploy.conf" if text is not None else None
        if text is not None:
            tool.config.write_text(text)

    return write


def test_the_way_back_needs_no_settings(tool, root, material, schema, settings):
    """certdeploy.conf can be broken: what was changed is put back all the same."""
    before = snapshot(root)
    tool("deploy", *material, "--default").expect(0)
    interrupt(root)
    settings("services = ( {")
    tool("plan", *material, "--default").expect(6, "settings")
    done = tool("recover").expect(0, "settings", "interrupted")
    schema(done.json)
    assert snapshot(root) == before
    # Nothing is found, which without settings is no proof that there is nothing.
    tool("recover").expect(6, "settings")

    settings(None)
    done = tool("deploy", *material, "--default").expect(0)
    settings("services = ( {")
    assert [t["id"] for t in tool("history").expect(0).json["history"]][:1] == [done.json["transaction"]]
    tool("diff").expect(0)
    tool("rollback").expect(0, "settings")
    assert snapshot(root) == before


def test_the_state_of_broken_settings_is_found(tool, root, material, settings):
    def outside():
        return {path: what for path, what in snapshot(root).items() if "/srv/state/" not in path}

    settings('state = "/srv/state";\n')
    (root / "srv").mkdir(mode=0o755)
    before = outside()
    done = tool("deploy", *material, "--default").expect(0)
    (root / "srv/state/backups" / done.json["transaction"]).rename(root / "srv/state/journal")
    settings('keep = ;\nstate = "/srv/state";\n')
    tool("recover", "--no-reload").expect(0, "settings", "interrupted")
    assert outside() == before


def test_what_somebody_changed_after_a_kill_stays(tool, root, material):
    """It is left alone and named, the rest is put back, and the way is free."""
    tool("deploy", *material, "--default").expect(0)
    interrupt(root)
    (root / "etc/dovecot/dovecot.conf").write_bytes(b"# mine\n")
    done = tool("recover").expect(5, "changed-since")
    assert done.problem("changed-since")["file"] == "/etc/dovecot/dovecot.conf"
    assert (root / "etc/dovecot/dovecot.conf").read_bytes() == b"# mine\n"
    assert not list((root / "etc/ssl").rglob("current"))
    assert not tool("recover").expect(0).json["changed"]


def test_what_somebody_added_to_keeps_its_certificate(tool, root, material, leaf):
    """The edit stays in the file, so its store does, and the next deployment goes on from there."""
    done = tool("deploy", *material, "--name", "a", "--default").expect(0)
    interrupt(root)
    conf = root / "etc/dovecot/dovecot.conf"
    conf.write_bytes(conf.read_bytes() + b"# mine\n")
    edited = conf.read_bytes()
    assert b"/etc/ssl/certdeploy/a/current/" in edited
    done = tool("recover").expect(5, "changed-since")
    assert [p["file"] for p in done.json["problems"] if p["code"] == "changed-since"][0] == "/etc/dovecot/dovecot.conf"
    assert conf.read_bytes() == edited
    assert {e["sha256"] for e in tool("list", "--service", "dovecot").expect(0).endpoints} == {leaf.sha256}
    assert not tool("recover").expect(0).json["changed"]
    tool("deploy", *material, "--name", "a", "--default").expect(0)
    assert {e["sha256"] for e in tool("list").expect(0).endpoints} == {leaf.sha256} and conf.read_bytes() == edited


def test_a_bad_one_of_a_batch(tool, root, leaf, pki, tmp_path):
    """It is reported and left out; with --all-or-nothing nothing is done."""
    stranger = pki.root("Old Root").leaf("old.example.test")
    good = {"cert_file": str(leaf.fullchain), "key_file": str(leaf.key), "default": True, "name": "good"}
    batch = tmp_path / "batch"
    batch.write_text(json.dumps([{**good, "key_file": str(stranger.key), "name": "bad"}, good]))
    before = snapshot(root)
    tool("deploy", "--batch", batch, "--all-or-nothing").expect(6, "key-mismatch")
    assert snapshot(root) == before
    done = tool("deploy", "--batch", batch).expect(3, "key-mismatch")
    assert done.json["changed"]
    assert sorted(os.listdir(root / "etc/ssl/certdeploy")) == ["good"]
    assert {e["sha256"] for e in tool("list").expect(0).endpoints} == {leaf.sha256}


def test_a_row_of_a_batch_whose_file_is_not_there(tool, root, schema, leaf, tmp_path):
    good = {"cert_file": str(leaf.fullchain), "key_file": str(leaf.key), "default": True}
    batch = tmp_path / "batch"
    batch.write_text(json.dumps([good, {**good, "cert_file": "/absent.pem", "key_file": "/absent.key", "name": "b"}]))
    before = snapshot(root)
    run = tool("deploy", "--batch", batch, "--all-or-nothing").expect(1, "not-found")
    assert snapshot(root) == before
    run = tool("deploy", "--batch", batch).expect(3, "not-found")
    schema(run.json)
    assert [(p["order"], p["file"]) for p in run.problems if p["code"] == "not-found"] == [(2, "/absent.pem")]
    assert run.json["changed"] and {e["sha256"] for e in tool("list").expect(0).endpoints} == {leaf.sha256}
    batch.write_text(json.dumps([{**good, "key_file": "/absent.key"}]))
    tool("deploy", "--batch", batch).expect(1, "not-found")


SITES = "ServerRoot /etc/apache2\nListen 443\n" + "".join(
    f"<VirtualHost *:443>\nServerName {name}\nSSLEngine on\nSSLCertificateFile /old.pem\nSSLCertificateKeyFile /old.key\n"
    "</VirtualHost>\n" for name in ("default.test", "a.test", "b.test", "c.test")
)


def test_rows_of_a_batch_with_one_certificate(tool, pki, schema, tmp_path):
    """It is stored once, goes to each row's target, is remembered for all of them; a row without target stands alone."""
    config = tool.root / "etc/apache2/apache2.conf"
    config.parent.mkdir(parents=True)
    config.write_text(SITES)
    leaf, other = (pki.root().authority("Example CA 1").leaf("a.test", "b.test", "c.test", "none.test", again=i) for i in range(2))

    def row(leaf, host, **more):
        return {"cert_file": str(leaf.fullchain), "key_file": str(leaf.key), "hostname": [host], **more}

    batch = tmp_path / "batch"
    batch.write_text(json.dumps([row(leaf, "none.test"), row(leaf, "a.test"), row(leaf, "b.test")]))
    run = tool("deploy", "--batch", batch).expect(3, "no-endpoint")
    assert [p["code"] for p in run.problems if p["severity"] == "error"] == ["no-endpoint"]
    assert {p["order"] for p in run.problems if p["code"] == "no-endpoint"} == {1}
    kept = json.loads((tool.root / "var/lib/certdeploy/deployments/a.test.json").read_text())
    assert kept["hostname"] == ["a.test", "b.test"] and kept["service"] == []
    assert os.listdir(tool.root / "etc/ssl/certdeploy") == ["a.test"]
    assert not tool("deploy", "--batch", batch).expect(3).json["changed"]
    assert not tool("deploy").expect(0).json["changed"]
    text = config.read_text()
    assert text.count("/etc/ssl/certdeploy/a.test/current/fullchain.pem") == 2 and text.count("/old.pem") == 2

    batch.write_text(json.dumps([row(leaf, "a.test"), row(other, "c.test")]))
    run = tool("deploy", "--batch", batch).expect(3, "usage")
    assert "is the name of another certificate of this run" in run.problem("usage")["message"]
    batch.write_text(json.dumps([row(leaf, "a.test"), row(other, "c.test", name="other")]))
    run = tool("deploy", "--batch", batch, "--service", "apache").expect(0)
    assert run.json["changed"] and sorted(os.listdir(tool.root / "etc/ssl/certdeploy")) == ["a.test", "other"]
    kept = [json.loads(p.read_text())["service"] for p in (tool.root / "var/lib/certdeploy/deployments").iterdir()]
    assert kept == [["apache"], ["apache"]]
    schema(run.json)


def test_diff_can_be_applied(tool, root, material, tmp_path):
    """What `plan` prints is a patch that gives the very bytes that `deploy` writes."""
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    argv, own = tool.argv("plan", *material, "--default", with_json=False)
    plan = subprocess.run(argv, env={**CLEAN, **own}, stdout=subprocess.PIPE, check=True)
    subprocess.run(["patch", "-s", "-p1", "--binary", "-d", copy], input=plan.stdout, check=True)
    tool("deploy", *material, "--default").expect(0)
    assert (copy / "etc/dovecot/dovecot.conf").read_bytes() == (root / "etc/dovecot/dovecot.conf").read_bytes()


def test_request_on_stdin(tool, root, leaf, schema):
    request = {"fullchain": leaf.fullchain.read_text(), "key": leaf.key.read_text(), "default": True}
    run = tool("deploy", "-", stdin=json.dumps({**request, "dry_run": True})).expect(0)
    schema(run.json)
    assert run.json["command"] == "plan" and run.json["transaction"] is None
    run = tool("deploy", "-", stdin=json.dumps(request)).expect(0)
    schema(run.json)
    assert run.json["changed"] and run.json["certificates"][0]["sha256"] == leaf.sha256


@pytest.fixture
def bad(tmp_path, pki, leaf):
    def file(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    other = pki.root("Other Root").leaf("other.example.test")
    return {
        "missing": ["--cert", tmp_path / "none.pem", "--key", leaf.key],
        "directory": ["--cert", tmp_path, "--key", leaf.key],
        "empty": ["--cert", file("empty.pem", ""), "--key", leaf.key],
        "not PEM": ["--cert", file("text.pem", "no certificate\n"), "--key", leaf.key],
        "cut off": ["--cert", file("cut.pem", leaf.cert.read_text()[:300]), "--key", leaf.key],
        "endless": ["--cert", "/dev/zero", "--key", leaf.key],
        "wrong key": ["--fullchain", leaf.fullchain, "--key", other.key],
        "no key": ["--fullchain", leaf.fullchain],
        "no chain": ["--cert", leaf.cert, "--key", leaf.key],
        "unknown service": ["--fullchain", leaf.fullchain, "--key", leaf.key, "--service", "nginx"],
        "unknown name": ["--fullchain", leaf.fullchain, "--key", leaf.key, "--hostname", "elsewhere.example"],
        "unknown listener": ["--fullchain", leaf.fullchain, "--key", leaf.key, "--listener", "*:7"],
        "nothing": [],
        "no such certificate": ["--name", "nobody"],
    }


@pytest.mark.parametrize("case, status, codes", [
    ("missing", 1, ["not-found"]),
    ("directory", 6, ["not-understood"]),
    ("empty", 6, ["not-a-certificate", "pem-damaged"]),
    ("not PEM", 6, ["not-a-certificate"]),
    ("cut off", 6, ["not-a-certificate", "pem-damaged"]),
    ("endless", 6, ["not-understood", "too-large"]),
    ("wrong key", 6, ["key-mismatch"]),
    ("no key", 6, ["key-missing"]),
    ("no chain", 6, ["chain-incomplete"]),
    ("unknown service", 6, ["unknown-service"]),
    ("unknown name", 6, ["name-mismatch", "no-endpoint"]),
    ("unknown listener", 6, ["no-endpoint"]),
    ("nothing", 2, ["usage"]),
    ("no such certificate", 6, ["unknown-name"]),
])
def test_bad_input(tool, root, schema, bad, case, status, codes):
    before = snapshot(root)
    run = tool("deploy", *bad[case], *(["--default"] if bad[case] and case[:7] != "unknown" else []))
    schema(run.json)
    assert run.status == status, run
    errors = [p for p in run.problems if p["severity"] == "error"]
    assert errors and {p["code"] for p in errors} & set(codes), run
    assert not run.json["changed"] and run.json["transaction"] is None
    assert snapshot(root) == before
    text = tool.text("deploy", *bad[case], *(["--default"] if bad[case] and case[:7] != "unknown" else []))
    assert text.status == run.status and f"[{errors[0]['code']}]" in text.err


def test_nothing_to_serve(tool, schema, material):
    run = tool("deploy", *material, "--default")
    schema(run.json)
    assert run.status == 6 and run.codes[-1] == "no-service"
    assert tool.text("discover").expect(0).out == "No server was found.\n"
    assert tool.text("list").expect(0).out == "No server was found.\n"


def test_configuration_not_understood(tool, root, schema, material):
    (root / "etc/dovecot/dovecot.conf").write_text(DOVECOT + "local_name x {\n")
    before = snapshot(root)
    run = tool("deploy", *material, "--default")
    schema(run.json)
    assert run.status == 6 and snapshot(root) == before
    assert any(p["file"] == "/etc/dovecot/dovecot.conf" and p["line"] for p in run.problems), run


def test_missing_root(tool, schema, tmp_path):
    tool.root = tmp_path / "nowhere"
    run = tool("list")
    schema(run.json)
    assert run.status in (1, 6) and run.json["problems"][0]["file"] == str(tool.root)


def test_certificates_with_escapes(tool, pki, schema, tmp_path):
    """What stands in a certificate is somebody else's text."""
    evil = "evil\x1b[31mred\u202e"
    key, cert = tmp_path / "k.pem", tmp_path / "c.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "30", "-utf8", "-subj", f"/CN=x.example.test/O={evil}",
                    "-addext", "subjectAltName=DNS:x.example.test"], check=True, capture_output=True)
    for args in (["check", "--cert", cert, "--key", key], ["check", "--cert", cert, "--key", key, "--accept", "self-signed"]):
        text = tool.text(*args)
        assert "\x1b" not in text.out + text.err and "\u202e" not in text.out + text.err
        run = tool(*args)
        schema(run.json)
        assert "\x1b" not in json.dumps(run.json, ensure_ascii=False).replace("\\u001b", "")


def test_names_with_escapes(tool, schema):
    run = tool.text("deploy", "--cert", "/none\x1b[31m", "--service", "\x1b]0;title\x07")
    assert "\x1b" not in run.err and "\\x1b" in run.err
    schema(tool("list", "--service", "\x1b[31m\u202e").json)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become nobody")
def test_not_root(tool, root, leaf, schema, request):
    """Reading needs no rights; changing says what it needs. Nothing is left behind."""
    # pytest closes its own directory to others whenever one of its runs begins
    open_place = Path(tempfile.mkdtemp(prefix="certdeploy-"))
    request.addfinalizer(lambda: shutil.rmtree(open_place))
    open_place.chmod(0o755)
    root = tool.root = Path(shutil.copytree(root, open_place / "root"))
    key = open_place / "key.pem"
    key.write_text(leaf.key.read_text())
    full = open_place / "full.pem"
    full.write_text(leaf.fullchain.read_text())
    key.chmod(0o644), full.chmod(0o644)
    before = snapshot(root)
    argv, own = tool.argv()
    if any("/root/" in word for word in argv):
        pytest.skip("the build directory cannot be read by others")

    def nobody(*args):
        done = subprocess.run([*argv, *map(str, args)], env={**CLEAN, **own}, user=65534, group=65534, extra_groups=[],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.returncode, json.loads(done.stdout)

    for args in (["discover"], ["list"], ["plan", "--fullchain", full, "--key", key, "--default"],
                 ["check", "--fullchain", full, "--key", key]):
        status, report = nobody(*args)
        schema(report)
        assert status == 0, report
    status, report = nobody("deploy", "--fullchain", full, "--key", key, "--default")
    schema(report)
    assert status == 9 and any(p["code"] == "not-permitted" and p["fix"] for p in report["problems"])
    assert snapshot(root) == before
    tool("deploy", "--fullchain", full, "--key", key, "--default").expect(0)
    status, report = nobody("recover")  # whether there is anything to do cannot be seen
    assert status == 9 and [p["code"] for p in report["problems"]] == ["not-permitted"], report


@pytest.mark.parametrize("named", ["/etc/dovecot/dovecot.conf", "/srv/dovecot.conf"])
def test_one_file_goes_back_by_either_of_its_names(tool, root, material, named):
    """A link in the configuration and what it leads to are one file."""
    link, real = root / "etc/dovecot/dovecot.conf", root / "srv/dovecot.conf"
    real.parent.mkdir()
    link.rename(real)
    link.symlink_to("../../srv/dovecot.conf")
    tool("deploy", *material, "--default").expect(0)
    assert real.read_bytes() != DOVECOT.encode()
    assert tool("rollback", "--file", named).expect(0).json["changed"]
    assert link.is_symlink() and real.read_bytes() == DOVECOT.encode()
    assert (root / "etc/ssl/certdeploy").exists()  # all else stays
    tool("rollback", "--file", "/etc/dovecot/old.pem").expect(1, "not-found")


@pytest.mark.parametrize("warn, crit, fits", [("10%", "50%", False), ("7d", "30d", False), ("30d", "7d", True),
                                              ("33%", "33%", True), ("10%", "30d", True)])
def test_what_is_critical_lies_below_what_is_warned_of(tool, warn, crit, fits):
    run = tool("expiry", "--warn", warn, "--crit", crit)
    assert ("above what is to be warned of" not in run.out) == fits == (run.status != 2)


def test_a_plug_in_that_finds_nothing_knows_nothing(tool, tmp_path):
    """Who watches a host where no server is found must not read that all is well."""
    (tmp_path / "empty").mkdir()
    tool.root = tmp_path / "empty"
    run = tool.text("expiry", "--format", "nagios")
    assert (run.status, run.out) == (3, "CERTDEPLOY UNKNOWN - nothing could be looked at\n")


@pytest.mark.parametrize("command", ["expiry", "doctor"])
def test_a_plug_in_says_why(tool, root, command):
    """Whoever is woken by a monitoring system has this one line."""
    def line(*args):
        run = tool.text(command, "--format", "nagios", *args)
        assert run.out.count("\n") == 1
        return run.status, run.out.split(" | ")[0].strip()

    assert line("--bogus") == (3, "CERTDEPLOY UNKNOWN - there is no option --bogus")
    for form in (["--format", "nagios"], ["--format=nagios"]):  # behind the mistake
        run = tool.text(command, "--bogus", *form)
        assert (run.status, run.out) == (3, "CERTDEPLOY UNKNOWN - there is no option --bogus\n")
    for form in (["--format", "json"], ["--format=json"]):
        assert json.loads(tool.text(command, "--bogus", *form).out)["exit"] == 2
    assert tool(command, "--format", "nagios", "--bogus").expect(2)  # --json has its own status
    assert line("--service", "nope")[1].endswith(' - there is no service named "nope" on this host')
    (root / "etc/dovecot/old.pem").unlink()
    status, said = line()
    assert status == 2 and said.startswith("CERTDEPLOY CRITICAL - ") and "/etc/dovecot/old.pem" in said
    tool.root = root / "absent"
    status, said = line()
    assert status == 3
    assert said == "CERTDEPLOY UNKNOWN - cannot open the root directory: No such file or directory"


@pytest.mark.parametrize("adapter, own", [("apache", "envvars"), ("postfix", "postmap"), ("dovecot", "doveconf")])
def test_a_mistyped_setting_of_a_service_is_refused(tool, root, tmp_path, adapter, own):
    """What is mistyped would otherwise be done in the usual way, on a server that is reloaded in another."""
    conf = tmp_path / "certdeploy.conf"
    tool.config = conf
    for name, known in (
        (own, True), ("version", True), ("server_root", True), ("pid_file", True), ("config", True), (own[:-1], False),
        ("relaod", False),
    ):
        conf.write_text(f'services = ( {{ adapter = "{adapter}";\n  {name} = "/x"; }} );')
        run = tool("list")
        assert any("no such setting" in p["message"] for p in run.problems) != known, run
        if not known:
            problem = run.expect(6).problem("settings")
            assert (problem["message"], problem["line"]) == (f"{name}: no such setting", 2)


def test_a_dash_is_standard_output(tool, root, material, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tool("deploy", *material, "--default").expect(0)
    plain = tool.text("export", "www.example.test", "--format", "cert").out
    assert "BEGIN CERTIFICATE" in plain
    assert tool.text("export", "www.example.test", "--format", "cert", "--out", "-").out == plain
    assert not (tmp_path / "-").exists()


@pytest.mark.parametrize("days", ["0", "36501"])
def test_no_life_is_no_default(tool, days):
    run = tool("request", "--san", "a.example.test", "--self-signed", "--days", days).expect(2)
    assert run.problem("usage")["message"] == "a certificate can be valid for 1 to 36500 days"


def test_quiet_hands_out_all_the_same(tool, root, material):
    """What is asked for is no message: a script that is quiet must not be left with an empty file."""
    tool("deploy", *material, "--default").expect(0)
    for args in (["export", "www.example.test", "--format", "fullchain"], ["tlsa", "www.example.test"],
                 ["expiry", "--format", "prometheus"], ["expiry", "--format", "html"]):
        loud, quiet = tool.text(*args), tool.text("-q", *args)
        assert quiet.status == 0 and quiet.out == loud.out != "", args
        assert quiet.err == ""
    assert "BEGIN CERTIFICATE REQUEST" in tool.text("-q", "request", "--san", "a.example.test").out
    assert tool.text("-q", "list").out == tool.text("-q", "deploy").out == ""


def test_what_cannot_be_read_is_named_once(tool, tmp_path):
    run = tool.text("plan", "--batch", tmp_path / "absent.json")
    assert run.status == 1
    assert run.err.startswith(f"certdeploy: error: {tmp_path}/absent.json: cannot be read: No such file or directory [")


def test_passphrase_appears_nowhere(tool, root, leaf, tmp_path):
    """T18: a passphrase and a key leave no trace outside the store."""
    canary = "C4nary-Passphrase-7f3a91"
    locked, secret = tmp_path / "locked.pem", tmp_path / "secret"
    secret.write_text(canary + "\n")
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", leaf.key, "-out", locked, "-passout", f"file:{secret}"],
                   check=True)
    key = "".join(leaf.key.read_text().splitlines()[1:2])
    for args in (["plan"], ["deploy"], ["history"], ["show"], ["diff"]):
        more = ["--fullchain", leaf.fullchain, "--key", locked, "--passphrase-file", secret, "--default"]
        run = tool("-vv", *args, *(more if args[0] in ("plan", "deploy") else []))
        assert run.status == 0, run
        text = tool.text("-vv", *args, *(more if args[0] in ("plan", "deploy") else []))
        for out in (run.out, run.err, text.out, text.err):
            assert canary not in out and key not in out
    for place, _, names in os.walk(root):
        for name in names:
            content = open(os.path.join(place, name), "rb").read()
            assert canary.encode() not in content
            if key.encode() in content:
                assert "/etc/ssl/certdeploy/" in place and os.stat(os.path.join(place, name)).st_mode & 0o077 == 0
