# SPDX-License-Identifier: LGPL-2.1-or-later
"""One command deploys to real servers; openssl says what they serve."""

import hashlib
import json
import os
import re
import shutil
import subprocess

import pytest

from harness import tree, wire
from harness.dovecot import pair
from harness.host import TRIO
from harness.scene import Scene, assert_keys_are_private, material, secrets_in
from harness.tool import DIFFERENT, REFUSED, Tool

NAMES = ("www.example.test", "mail.example.test", "old.example.test")


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


@pytest.fixture
def new(ca):
    return ca.leaf(*NAMES)


def test_all_three_serve_the_new_certificate(trio, new, ca):
    scene = Scene(trio)
    result = trio.tool("deploy", *material(new)).expect()
    assert result.json["schema"] == "certdeploy/1" and result.json["command"] == "deploy"
    assert result.json["ok"] is True and result.json["changed"] is True
    assert result.states == {name: "verified" for name in TRIO}
    assert {s["action"] for s in result.json["services"]} == {"reload"}
    # the wire, as openssl sees it, and without a wait: the tool has proven it
    assert set(trio.served().values()) == {new.sha256}
    for server in trio.services:
        for port, how in server.endpoints():
            assert wire.served_chain(port, **how) == [new.sha256, ca.sha256]
    # each was tested and reloaded once
    for name in TRIO:
        assert scene.new_reloads(name) == 1
        assert scene.new_calls(name).count("reload") == 1
        assert "test" in scene.new_calls(name)
        assert scene.pids[name] == trio.service(name).pid()
    # the result says what openssl says
    assert [c["sha256"] for c in result.json["certificates"]] == [new.sha256]
    assert sorted(result.json["certificates"][0]["names"]) == sorted(NAMES)
    assert result.endpoints and all(e["served_sha256"] == new.sha256 and e["verified"] for e in result.endpoints)
    for endpoint in result.endpoints:
        with open(endpoint["file"], encoding="utf-8") as f:
            assert endpoint["line"] <= len(f.readlines())
    # the servers' own dumps name the store
    for server in trio.services:
        assert str(trio.store) in server.dump() + (server.dump_config() if server.name == "apache" else "")
        assert server.test()
    scene.assert_no_litter()
    assert_keys_are_private(trio.store, trio.state)
    assert secrets_in(result.out + result.err, new) == []


def test_each_original_is_backed_up_with_a_utc_time(trio, new):
    scene = Scene(trio)
    result = trio.tool("deploy", *material(new)).expect()
    edited = [f for f in result.json["files"] if f["change"] == "edited"]
    changed = [p for p in scene.changed() if not p.startswith(str(trio.store))]
    assert sorted(os.path.realpath(f["path"]) for f in edited) == sorted(changed)
    assert changed
    for entry in edited:
        assert re.search(r"\d{8}T\d{6}Z", entry["backup"]), entry
        assert sha256(entry["backup"]) == scene.files[os.path.realpath(entry["path"])].content
    assert re.fullmatch(r"\d{8}T\d{6}Z-\d+", result.json["transaction"])


def test_edits_keep_owner_mode_and_links(trio, new):
    postfix, dovecot, apache = trio.service("postfix"), trio.service("dovecot"), trio.service("apache")
    shutil.chown(postfix.config, None, "mail")
    postfix.config.chmod(0o640)
    dovecot.ssl_conf.chmod(0o600)
    trio.write_config()
    link = apache.home / "sites-enabled/default-ssl.conf"
    before = tree.snapshot(trio.etc)
    trio.tool("deploy", *material(new)).expect()
    after = tree.snapshot(trio.etc)
    assert link.is_symlink()
    lines = [d for d in tree.diff(before, after) if str(trio.store) not in d]
    differing = {
        line.split(": ")[1].split(" ")[0] for line in tree.diff(before, after) if str(trio.store) not in line
    }
    assert differing == {"content", "mtime_ns"}, lines


def test_a_second_deploy_finds_nothing_to_do(trio, new):
    first = trio.tool("deploy", *material(new)).expect()
    scene = Scene(trio)
    state = tree.snapshot(trio.state)
    again = trio.tool("deploy", *material(new)).expect()
    assert again.json["changed"] is False
    assert set(again.states.values()) == {"unchanged"}
    assert {s["action"] for s in again.json["services"]} == {"none"}
    assert again.json.get("diff", "") == ""
    assert not [f for f in again.json.get("files", []) if f["change"] != "unchanged"]
    scene.assert_untouched()
    for name in TRIO:
        assert "reload" not in scene.new_calls(name)
    differing = [d for d in tree.diff(state, tree.snapshot(trio.state)) if "lock" not in d]
    assert differing == []
    assert first.json["transaction"] in json.dumps(trio.tool("history").expect().json)
    assert len(trio.tool("history").json["history"]) == 1


@pytest.mark.parametrize("command", [["plan"], ["deploy", "--dry-run"]], ids=["plan", "dry-run"])
def test_a_plan_changes_nothing_and_tells_the_truth(trio, new, command, tmp_path):
    scene = Scene(trio)
    plan = trio.tool(*command, *material(new)).expect()
    scene.assert_untouched()
    assert not trio.store.exists()
    assert plan.states == {name: "planned" for name in TRIO}
    assert secrets_in(plan.out, new, trio.old) == []
    # patch(1) applies the diff to a copy: the result is what deploy makes
    copy = tmp_path / str(trio.etc)[1:]
    shutil.copytree(trio.etc, copy, symlinks=True)
    assert plan.json["diff"].count("\n@@ ") >= 3
    done = subprocess.run(
        ["patch", "-s", "-p1", "--follow-symlinks", "-d", tmp_path],
        input=plan.json["diff"],
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + plan.json["diff"]
    deployed = trio.tool("deploy", *material(new)).expect()
    assert {p for p, how in plan.files.items() if how == "edited"} == {p for p, how in deployed.files.items() if how == "edited"}
    edited = [p for p in scene.changed(("content",)) if not p.startswith(str(trio.store))]
    assert len(edited) >= 3
    for path in edited:
        with open(path, "rb") as f:
            assert (tmp_path / path[1:]).read_bytes() == f.read(), path


def test_plan_exit_code(trio, new):
    assert trio.tool("plan", "--exit-code", *material(new)).status == 10
    trio.tool("deploy", *material(new)).expect()
    assert trio.tool("plan", "--exit-code", *material(new)).status == 0


def test_a_renewal_edits_no_configuration(trio, new, ca):
    trio.tool("deploy", *material(new)).expect()
    scene = Scene(trio)
    renewed = ca.leaf(*NAMES, again=1)
    result = trio.tool("deploy", *material(renewed)).expect()
    assert set(trio.served().values()) == {renewed.sha256}
    assert [p for p in scene.changed() if not p.startswith(str(trio.store))] == []
    for name in TRIO:
        assert scene.new_reloads(name) == 1
    assert not [f for f in result.json["files"] if f["change"] == "edited"]


def test_service_limits_the_deployment(trio, new):
    scene = Scene(trio)
    trio.tool("deploy", *material(new), "--service", "dovecot").expect()
    served = trio.served()
    assert {s for (name, *_), s in served.items() if name == "dovecot"} == {new.sha256}
    assert {s for (name, *_), s in served.items() if name != "dovecot"} == {trio.old.sha256}
    assert [
        p for p in scene.changed() if not p.startswith((str(trio.store), str(trio.service("dovecot").home)))
    ] == []
    assert scene.new_calls("apache") == scene.new_calls("postfix") == []
    # the others follow, from the store by name
    trio.tool("deploy", "--name", "www.example.test", "--all").expect()
    assert set(trio.served().values()) == {new.sha256}


def test_no_target_means_the_names_of_the_certificate(trio, ca):
    only = ca.leaf("www.example.test", "mail.example.test")
    trio.tool("deploy", *material(only)).expect()
    served = trio.served()
    web = trio.service("apache").port
    assert served[("apache", web, "www.example.test")] == only.sha256
    assert served[("apache", web, None)] == trio.old.sha256
    assert {s for (name, *_), s in served.items() if name == "postfix"} == {only.sha256}
    assert {s for (name, *_), s in served.items() if name == "dovecot"} == {trio.old.sha256}


def test_default_and_all(trio, ca):
    wide = ca.leaf("*.example.test")
    trio.tool("deploy", *material(wide), "--default", "--name", "wide").expect()
    served = trio.served()
    web = trio.service("apache").port
    assert served.pop(("apache", web, "www.example.test")) == trio.old.sha256
    assert set(served.values()) == {wide.sha256}
    trio.tool("deploy", "--name", "wide", "--all").expect()
    assert set(trio.served().values()) == {wide.sha256}


def test_list_discover_and_verify(trio, new):
    found = trio.tool("discover").expect()
    assert {(s["name"], s["adapter"], s["running"]) for s in found.json["services"]} == {(n, n, True) for n in TRIO}
    trio.tool("deploy", *material(new)).expect()
    listed = trio.tool("list", "--live").expect()
    assert {e["served_sha256"] for e in listed.endpoints if e.get("served_sha256")} == {new.sha256}
    ports = {int(m.group()) for e in listed.endpoints for m in re.finditer(r"\d{5}", e["listen"])}
    assert {p for s in trio.services for p, _ in s.endpoints() if s.name != "dovecot"} <= ports
    trio.tool("verify").expect()
    # somebody replaces the file behind the servers' backs
    real = os.path.realpath(trio.store / "www.example.test/current/fullchain.pem")
    assert os.path.exists(real)
    other = trio.pki.root().authority("Example CA 1").leaf(*NAMES, again=7)
    cert, key = trio.install("other", other)
    main = trio.service("postfix").config
    text = main.read_text()
    main.write_text(
        re.sub(
            r"(?m)^(smtpd_tls_cert_file|smtpd_tls_chain_files) *=.*$",
            f"smtpd_tls_cert_file = {cert}\nsmtpd_tls_key_file = {key}",
            text,
            count=1,
        )
    )
    trio.tool("verify").expect(DIFFERENT)


def test_one_server(one, host, new):
    scene = Scene(host)
    result = host.tool("deploy", *material(new), "--all").expect()
    assert result.states == {one.name: "verified"}
    assert set(host.served().values()) == {new.sha256}
    assert scene.new_reloads(one.name) == 1
    host.tool("rollback").expect()
    scene.assert_files_are_back(ignore=[host.store])
    scene.assert_serves_as_before()


def test_a_stopped_server_is_configured_but_not_started(one, host, new):
    one.stop()
    scene = Scene(host)
    result = host.tool("deploy", *material(new), "--all").expect(0, "not-running")
    assert result.service(one.name)["running"] in (False, 0)
    assert result.states == {one.name: "changed"}
    assert not one.running and not one.processes()
    assert not {"start", "restart", "reload"} & set(scene.new_calls(one.name))
    one.start()
    assert set(host.served().values()) == {new.sha256}


def test_one_stopped_server_among_running_ones(trio, new):
    trio.service("dovecot").stop()
    result = trio.tool("deploy", *material(new)).expect(0, "not-running")
    assert result.states == {"apache": "verified", "postfix": "verified", "dovecot": "changed"}
    assert trio.service("dovecot").pid() is None
    trio.service("dovecot").start()
    assert set(trio.served().values()) == {new.sha256}


def test_restart_instead_of_reload(one, host, new):
    before = one.pid()
    result = host.tool("deploy", *material(new), "--all", "--restart").expect()
    assert result.service(one.name)["action"] == "restart"
    assert one.pid() != before
    assert set(host.served().values()) == {new.sha256}


def test_no_reload_and_then_a_deploy_that_reloads(one, host, new):
    scene = Scene(host)
    host.tool("deploy", *material(new), "--all", "--no-reload").expect()
    assert "reload" not in scene.new_calls(one.name)
    if one.name != "postfix":  # whose new processes read the new files anyway
        assert set(host.served().values()) == {host.old.sha256}
        host.tool("verify").expect(DIFFERENT, "served-other")
    result = host.tool("deploy", *material(new), "--all").expect()
    assert set(host.served().values()) == {new.sha256}
    if one.name != "postfix":
        assert scene.new_calls(one.name).count("reload") == 1
        assert result.states == {one.name: "verified"}


@pytest.mark.needs("apache")
def test_hostname_reaches_one_site_of_many(host, ca):
    web = host.apache()
    for number in range(8):
        web.add_site(f"site{number}.example.test", f"www.site{number}.example.test")
    web.start()
    leaf = ca.leaf("site3.example.test", "www.site3.example.test")
    scene = Scene(host)
    host.tool("deploy", *material(leaf), "--hostname", "site3.example.test").expect()
    for number in range(8):
        expected = leaf.sha256 if number == 3 else host.old.sha256
        assert wire.served(web.port, sni=f"site{number}.example.test") == expected
        assert wire.served(web.port, sni=f"www.site{number}.example.test") == expected
    changed = [os.path.basename(p) for p in scene.changed() if not p.startswith(str(host.store))]
    assert changed == ["site3.example.test.conf"]
    absent = ca.leaf("site33.example.test")
    result = host.tool("deploy", *material(absent), "--hostname", "site33.example.test").expect(
        REFUSED, "no-endpoint"
    )
    assert "site3.example.test" in result.problem("no-endpoint")["message"] + result.problem("no-endpoint")["fix"]


@pytest.mark.needs("dovecot")
def test_dovecot_local_name(host, ca):
    server = host.dovecot()
    one = ca.leaf("imap.one.test")
    settings = pair(*host.install("one", ca.leaf("imap.one.test", again=1)))
    server.add(f"local_name imap.one.test {{\n{settings}}}\n")
    server.names = ["imap.one.test", "elsewhere.test"]
    server.start()
    host.tool("deploy", *material(one), "--hostname", "imap.one.test").expect()
    served = server.served()
    assert {s for (_, name), s in served.items() if name == "imap.one.test"} == {one.sha256}
    assert {s for (_, name), s in served.items() if name != "imap.one.test"} == {host.old.sha256}


def test_another_key_type_needs_a_word(one, host, ca):
    rsa = ca.leaf("old.example.test", key="rsa")
    host.tool("deploy", *material(rsa), "--all", "--drop-other-types").expect()
    assert set(host.served().values()) == {rsa.sha256}


def test_two_key_types_at_once(one, host, ca):
    rsa, ec = ca.leaf("old.example.test", key="rsa"), ca.leaf("old.example.test", key="ec")
    host.tool("deploy", *material(rsa), "--cert", ec.cert, "--key", ec.key, "--all").expect()
    for port, how in one.endpoints():
        assert wire.served(port, **how, sigalgs=wire.RSA_ONLY, extra=["-tls1_2"]) == rsa.sha256
        assert wire.served(port, **how, sigalgs=wire.ECDSA_ONLY, extra=["-tls1_2"]) == ec.sha256


def test_chosen_paths(one, host, new):
    place = host.etc / "pki"
    place.mkdir()
    cert, key = place / "server.crt", place / "server.key"
    host.tool("deploy", *material(new), "--all", "--install-fullchain", cert, "--install-key", key).expect()
    assert set(host.served().values()) == {new.sha256}
    assert key.stat().st_mode & 0o077 == 0 and "PRIVATE KEY" in key.read_text()
    assert new.pem in cert.read_text()
    assert not list(host.store.glob("*/current")) if host.store.exists() else True


def test_install_only(one, host, new):
    scene = Scene(host)
    result = host.tool("deploy", *material(new), "--install-only").expect()
    assert [p for p in scene.changed() if not p.startswith(str(host.store))] == []
    assert scene.new_calls(one.name) == []
    assert str(host.store) in result.out
    assert_keys_are_private(host.store)


@pytest.mark.needs("apache")
def test_material_from_standard_input(host, new):
    host.apache()
    host.start()
    text = new.key_pem + new.fullchain_pem
    host.tool("deploy", "--cert", "-", "--all", stdin=text).expect()
    assert set(host.served().values()) == {new.sha256}


def test_json_request_on_standard_input(trio, new):
    request = {"cert": new.pem, "key": new.key_pem, "chain": new.chain_pem, "all": True, "name": "panel"}
    result = trio.tool("deploy", "-", stdin=json.dumps(request)).expect()
    assert result.json["certificates"][0]["name"] == "panel"
    assert set(trio.served().values()) == {new.sha256}
    assert (trio.store / "panel/current").is_symlink()
    again = trio.tool("deploy", "-", stdin=json.dumps({**request, "dry_run": True})).expect()
    assert again.json["changed"] is False
    assert secrets_in(result.out + result.err, new) == []


@pytest.mark.needs("apache")
def test_text_for_people(host, new):
    host.apache()
    host.start()
    plan = host.tool.text("plan", *material(new), "--all").expect()
    assert re.search(r"^[-+]\s*SSLCertificateFile", plan.out, re.M)
    done = host.tool.text("deploy", *material(new), "--all").expect()
    assert "\x1b[" not in done.out + done.err
    assert secrets_in(plan.out + plan.err + done.out + done.err, new) == []
    assert host.tool.text("list").expect().out.count("old.example.test") or True
    assert "apache" in host.tool.text("list").expect().out


@pytest.mark.needs("apache")
def test_backups_beside_the_originals(host, new):
    host.apache()
    host.start()
    host.write_config(backup_style="beside")
    site = host.etc / "apache2/sites-available/default-ssl.conf"
    before = site.read_bytes()
    result = Tool(host.config)("deploy", *material(new), "--all")
    result.expect()
    beside = [p for p in site.parent.iterdir() if re.search(r"\.\d{8}T\d{6}Z\.bak$", p.name)]
    assert [p.read_bytes() for p in beside] == [before]
