# SPDX-License-Identifier: LGPL-2.1-or-later
"""JSON out as the schema has it, for every command and every end; JSON in on standard input."""

import base64
import json

import pytest

from test_usage import COMMANDS

ALWAYS = ["schema", "command", "ok", "changed", "exit", "transaction", "certificates", "services", "files", "diff",
          "problems"]


@pytest.mark.parametrize("story", ["plain", "hostile", "empty", "broken", "memory"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command(fake, schema, command, story):
    run = fake("--json", "-c", story, command)
    schema(run.json)
    assert run.err == b""
    assert [key for key in ALWAYS if key not in run.json] == []
    assert run.json["command"] == command and run.json["exit"] == run.status
    assert run.json["ok"] == (run.status == 0)
    if run.status != 0:
        assert run.json["problems"], "a failure without a reason"


def test_members(fake):
    report = fake("--json", "deploy").json
    assert report["transaction"] == "20261121T201136Z-1" and report["changed"]
    assert report["certificates"][0]["names"] == ["www.example.jp", "日本語.example.jp"]
    assert report["certificates"][0]["not_after"] == "2030-03-17T17:46:40Z"
    endpoint = report["services"][0]["endpoints"][0]
    assert (endpoint["listen"], endpoint["line"], endpoint["verified"]) == ("*:443", 12, True)
    assert report["diff"].startswith("--- a/x\n")


def test_text_that_is_not_utf8(fake):
    report = fake("--json", "-c", "hostile", "deploy").json
    assert report["certificates"][0]["name"] == "evil\x1b[31m\r\n\\x9b\x9b\u202e\\xff"
    assert report["exit"] == 4 and report["problems"][0]["code"] == "test-failed"


def test_nothing_raw_that_a_terminal_obeys(fake):
    for command in COMMANDS:
        out = fake("--json", "-c", "hostile", command).out
        assert all(b >= 0x20 or b == 0x0A for b in out)
        assert b"\xc2\x9b" not in out and "\u202e".encode() not in out


def test_memory(fake, schema):
    report = fake("--json", "-c", "memory", "deploy")
    assert report.status == 1
    assert [p["code"] for p in report.json["problems"]] == ["out-of-memory"]


@pytest.mark.parametrize("args", [["--json", "-"], ["--json", "deploy", "-"], ["deploy", "--json", "-"]])
def test_request_on_stdin(fake, args):
    request = {"command": "deploy", "cert": "PEM", "key": ["K1", "K2"], "chain_file": "/x/ca.pem",
               "service": ["apache", "postfix"], "hostname": "www.example.jp", "no_test": True, "all": False,
               "wait": 5, "verify_timeout": "2m", "verify": "sample", "accept": ["expired"], "name": "www", "install_cert": "/p",
               "passphrase": "secret", "lang": "ja", "address": None,
               "pkcs12": base64.b64encode(b"\0\1PKCS").decode()}
    run = fake("-c", "echo", *args, stdin=request)
    assert run.status == 0, run.text
    assert run.echoed == ["memory 1 cert 3 PEM", "memory 2 key 2 K1", "memory 2 key 2 K2", "file 3 /x/ca.pem",
                          "add 1 apache", "add 1 postfix", "add 2 www.example.jp", "set 3 1", "set 13 5",
                          "set 14 120", "set 29 2", "add 5 expired", "add 6 www", "add 7 /p", "memory 5 pkcs12 6 "]


@pytest.mark.parametrize("command", ["check", "deploy", "plan", "import", "export", "request"])
def test_a_passphrase_in_the_request(fake, command):
    """Wherever one can be given in a file it can be given in the request: never in a file for that."""
    run = fake("--json", "-c", "echo", "-", stdin={"command": command, "passphrase": "secret", "name": "www"})
    assert run.status == 0, run.text


def test_every_option_is_a_key(fake):
    """What the help of deploy names can be said in JSON: no key is refused as unknown."""
    import re
    options = set(re.findall(r"--([a-z0-9-]+)", fake("help", "deploy").text))
    assert len(options) > 25
    for option in options:
        run = fake("--json", "deploy", "-", stdin={option.replace("-", "_"): "1"})
        if run.status == 2:
            assert "is no key" not in run.json["problems"][0]["message"], option


def test_dry_run(fake):
    run = fake("--json", "-", stdin={"command": "deploy", "dry_run": True})
    assert run.json["command"] == "plan" and not run.json["changed"]
    assert fake("--json", "-", stdin={"command": "deploy", "dry_run": False}).json["changed"]


def test_transaction(fake):
    run = fake("--json", "-c", "echo", "-", stdin={"command": "rollback", "transaction": "ID", "file": ["/a", "/b"]})
    assert run.echoed == ["add 11 ID", "add 12 /a", "add 12 /b"]


def test_a_text_that_is_too_long(fake):
    """Jansson, which is given no memory for more of it, must not read on behind what it has."""
    request = b'{"command": "list", "hostname": "' + b"x" * (70 << 20) + b'"}'
    run = fake("--json", "-", stdin=request)
    assert run.status == 2
    assert run.json["problems"][0]["message"].startswith("the request has too many parts")


@pytest.mark.parametrize("request_, sentence", [
    (b"", "the request is not JSON"),
    (b"{", "the request is not JSON"),
    (b"{} {}", "the request is not JSON"),
    (b'{"command": "list", "command": "list"}', "the request has a key twice: line 1"),
    (b'{"command": "list", "command\\u0000": 1}', "a text in the request has a NUL: line 1"),
    (b'{"command": "list\\u0000"}', "a text in the request has a NUL: line 1"),
    (b'{"command": "list", "hostname": "\xff"}', "the request is not UTF-8: line 1"),
    (b'{"command": "deploy", "wait": 99999999999999999999}', "a number in the request is too large: line 1"),
    (b"[" * 100000, "the request is nested too deeply: line 1"),
    ({"command": "hook"}, '"hook" has no place in a request'),
    ({"command": "deploy", "batch": []}, "the batch is empty"),
    ({"command": "deploy", "batch": [{"cert": "x"}], "cert": "y"}, "with a batch, certificates and targets stand in it"),
    ({"command": "deploy", "hostname": "a.test", "batch": [{"cert": "x"}]},
     "with a batch, certificates and targets stand in it"),
    ({"command": "deploy", "root": ""}, "the value of --root is empty"),
    ({"command": "expiry", "warn": 30}, "--warn takes a part of a life or a time, as 33% or 30d"),
    ([], "the request is not a JSON object"),
    ({}, '"command" is missing'),
    ({"command": 7}, '"command" names no command'),
    ({"command": "dploy"}, '"command" names no command'),
    ({"command": "deploy", "certt": "x"}, '"certt" is no key of a request for deploy; did you mean "cert"?'),
    ({"command": "deploy", "no-test": True}, '"no-test" is no key of a request for deploy'),
    ({"command": "deploy", "cert_": "x"}, '"cert_" is no key'),
    ({"command": "deploy", "service_file": "x"}, '"service_file" is no key'),
    ({"command": "list", "cert": "x"}, '"cert" is no key of a request for list'),
    ({"command": "list", "passphrase": "x"}, '"passphrase" is no key of a request for list'),
    ({"command": "deploy", "json": True}, '"json" has no place in a request'),
    ({"command": "deploy", "cert": 7}, '"cert" takes text'),
    ({"command": "deploy", "cert": ["x", 7]}, '"cert" takes text'),
    ({"command": "deploy", "name": ["a"]}, '"name" takes text'),
    ({"command": "deploy", "all": "yes"}, '"all" takes true or false'),
    ({"command": "deploy", "wait": 1.5}, '"wait" takes an integer'),
    ({"command": "deploy", "wait": -1}, "--wait takes a time"),
    ({"command": "deploy", "wait": 10**17}, "--wait takes a time"),
    ({"command": "deploy", "pkcs12": "not base64!"}, '"pkcs12" is not base64'),
    ({"command": "deploy", "cert_file": "-"}, '"cert_file" cannot be -'),
    ({"command": "deploy", "lang": "../../x"}, '"lang" takes a language'),
])
def test_bad_requests(fake, schema, request_, sentence):
    run = fake("--json", "-", stdin=request_)
    schema(run.json)
    assert run.status == run.json["exit"] == 2 and run.err == b""
    assert sentence in run.json["problems"][0]["message"]


def test_two_commands(fake):
    run = fake("--json", "list", "-", stdin={"command": "deploy"})
    assert run.status == 2 and "the command line says list" in run.json["problems"][0]["message"]
    assert fake("--json", "list", "-", stdin={"command": "list"}).status == 0


def test_no_options_beside_a_request(fake):
    run = fake("--json", "deploy", "--all", "-", stdin={})
    assert run.status == 2 and "everything stands in the JSON" in run.json["problems"][0]["message"]


def test_endless_request(fake):
    run = fake("--json", "-", stdin=b" " * (129 << 20))
    assert run.status == 6 and run.json["problems"][0]["code"] == "too-large"


def test_random_requests(fake, schema):
    """Mutations of a good request never do more than fail with status 2."""
    import random
    good = json.dumps({"command": "deploy", "cert": "PEM", "key": ["K"], "wait": 5, "all": True}).encode()
    for seed in range(60):
        rng = random.Random(seed)
        bad = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            bad[rng.randrange(len(bad))] = rng.choice(b'{}[]",:\\0aA\xc3\x00\xff')
        run = fake("--json", "-", stdin=bytes(bad))
        assert run.status in (0, 2), (seed, bytes(bad), run.status, run.err)
        schema(run.json)


def batch_of(*names):
    return [{"cert_file": f"/{n}.pem", "key": f"KEY{n}", "hostname": [n], "name": n} for n in names]


WANTED = ["file 1 /a.pem", "memory 2 key 4 KEYa", "add 2 a", "add 6 a", "next 0 ",
          "file 1 /b.pem", "memory 2 key 4 KEYb", "add 2 b", "add 6 b"]


def test_batch(fake, tmp_path):
    request = {"command": "deploy", "batch": batch_of("a", "b")}
    assert fake("--json", "-c", "echo", "-", stdin=request).echoed == WANTED
    (tmp_path / "list").write_text(json.dumps(batch_of("a", "b")))
    assert fake("--json", "-c", "echo", "deploy", "--batch", tmp_path / "list").echoed == WANTED
    assert fake("--json", "-c", "echo", "deploy", "--batch", "-", stdin=batch_of("a", "b")).echoed == WANTED


def test_batch_directory(fake, tmp_path):
    for name, files in {"a": ["fullchain.pem", "privkey.pem"], "b": ["cert.pem", "chain.pem", "privkey.pem"],
                        "README": [], ".hidden": ["fullchain.pem", "privkey.pem"]}.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text("")
    run = fake("--json", "-c", "echo", "deploy", "--batch-dir", tmp_path, "--all-or-nothing")
    assert run.echoed == ["set 17 1", "add 6 a", f"file 4 {tmp_path}/a/fullchain.pem",
                          f"file 2 {tmp_path}/a/privkey.pem", "next 0 ", "add 6 b", f"file 1 {tmp_path}/b/cert.pem",
                          f"file 3 {tmp_path}/b/chain.pem", f"file 2 {tmp_path}/b/privkey.pem"]


@pytest.mark.parametrize("batch, sentence", [
    ({}, "a batch is a list of certificates"),
    ([7], "certificate 1 of the batch is not a JSON object"),
    ([{"no_test": True}], '"no_test" is no key of a certificate in a batch (certificate 1)'),
    ([{"cert": "x"}, {"crt": "x"}], '"crt" is no key of a certificate in a batch (certificate 2)'),
    ([], "the batch is empty"),
])
def test_bad_batches(fake, tmp_path, batch, sentence):
    (tmp_path / "list").write_text(json.dumps(batch))
    run = fake("--json", "deploy", "--batch", tmp_path / "list")
    assert run.status == 2 and sentence in run.json["problems"][0]["message"]


def test_batch_stands_alone(fake, tmp_path):
    run = fake("--json", "deploy", "--batch-dir", tmp_path, "--cert", "x")
    assert run.status == 2 and "stand in it" in run.json["problems"][0]["message"]
    run = fake("--json", "deploy", "--batch-dir", tmp_path / "none")
    assert run.status == 1 and run.json["problems"][0]["code"] == "not-found"


def test_large_batch(fake, tmp_path):
    """Ten thousand certificates are read in linear time."""
    import time
    (tmp_path / "list").write_text(json.dumps(batch_of(*map(str, range(10000)))))
    began = time.monotonic()
    fake("--json", "deploy", "--batch", tmp_path / "list")
    assert time.monotonic() - began < 3
