# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the command line accepts, what it says when it does not, and the help."""

import re
import unicodedata

import pytest

COMMANDS = ["adapters", "check", "deploy", "diff", "discover", "doctor", "expiry", "history", "list", "plan",
            "prune", "recover", "rollback", "show", "verify"]
# those that cannot do without an argument, too
ALL_COMMANDS = sorted([*COMMANDS, "export", "hook", "import", "request", "store", "tlsa"])


@pytest.mark.parametrize("args, sentence", [
    ([], "a command is missing"),
    (["deplyo"], 'no command "deplyo"; did you mean deploy?'),
    (["xyzzy"], 'no command "xyzzy" '),
    (["deploy", "--crt", "x"], "no option --crt; did you mean --cert?"),
    (["deploy", "--zebra"], "no option --zebra "),
    (["deploy", "--live"], "deploy has no option --live"),
    (["--cert", "x", "deploy"], "--cert stands after the command"),
    (["deploy", "--cert"], "--cert needs a value"),
    (["deploy", "--install-c", "x"], "--install-c is the beginning of more than one option"),
    (["deploy", "--all=yes"], "--all takes no value"),
    (["list", "-x"], "no option -x"),
    (["list", "extra"], 'list does not take the word "extra"'),
    (["show", "one", "two"], 'show does not take the word "two"'),
    (["deploy", "-"], "- (the request on standard input) goes with --json"),
    (["deploy", "--wait", "soon"], "--wait takes a time"),
    (["deploy", "--wait", "-1"], "--wait takes a time"),
    (["deploy", "--wait", "99999999999d"], "--wait takes a time"),
    (["prune", "--keep", "3d"], "--keep takes a number"),
    (["prune", "--keep", "+3"], "--keep takes a number"),
    (["expiry", "--warn", " 3%"], "--warn takes a part of a life or a time, as 33% or 30d"),
    (["deploy", "--verify", "none"], "--verify takes all, changed or sample"),
    (["request", "--out-key", "-"], "--out-key takes the name of a new file"),
    (["request", "--out-csr", "-"], "--out-csr takes the name of a new file"),
    (["--root", "", "list"], "the value of --root is empty"),
    (["-c", "", "list"], "the value of --config is empty"),
    (["expiry", "--warn", "30"], "--warn takes a part of a life or a time, as 33% or 30d"),
    (["expiry", "--crit", "7"], "--crit takes a part of a life or a time, as 33% or 30d"),
    (["expiry", "--warn", "30%", "--warn", "20d"], "--warn is given twice"),
    (["deploy", "--wait", "1", "--wait", "2"], "--wait is given twice"),
    (["prune", "--keep", "3", "--keep", "4"], "--keep is given twice"),
    (["deploy", "--verify", "all", "--verify", "sample"], "--verify is given twice"),
    (["expiry", "--warn", "101%"], "--warn takes a part of a life or a time, as 33% or 30d"),
    (["expiry", "--crit", "x"], "--crit takes a part of a life or a time"),
    (["expiry", "--format", "xml"], "--format takes text, json, nagios, prometheus or html"),
    (["doctor", "--format", "html"], "--format takes text, json or nagios"),
    (["doctor", "one", "two"], 'doctor does not take the word "two"'),
    (["deploy", "--name", "a", "--name", "b"], "--name is given twice"),
    (["deploy", "--service", ""], "the value of --service is empty"),
    (["deploy", "--cert", "-", "--key", "-"], "standard input (-) can be read only once"),
    (["deploy", "--passphrase-fd", "x"], "--passphrase-fd takes the number"),
    (["deploy", "--passphrase-fd", "0", "--passphrase-file", "/dev/null"], "the passphrase is given more than once"),
    (["--color", "blue", "list"], "--color takes auto, always or never"),
    (["--root", "/a", "list", "--root", "/b"], "--root is given twice"),
    (["store"], "store needs one of list, rename, remove and adopt"),
    (["store", "lst"], "store needs one of list, rename, remove and adopt"),
    (["store", "list", "x"], 'store does not take the word "x"'),
    (["store", "rename", "a", "b", "c"], 'store does not take the word "c"'),
    (["store", "list", "--name", "a"], "store has no option --name"),
    (["help", "lst"], 'no command "lst"; did you mean list?'),
])
def test_usage_errors(fake, schema, args, sentence):
    run = fake(*args)
    assert run.status == 2
    assert run.out == b""
    assert sentence in run.errors and "[usage]" in run.errors and "certdeploy" in run.errors.splitlines()[1]
    run = fake("--json", *args) if args != ["deploy", "-"] else None
    if run is not None:
        schema(run.json)
        assert run.status == run.json["exit"] == 2 and run.err == b""
        assert not run.json["ok"] and [p["code"] for p in run.json["problems"]] == ["usage"]
        assert sentence.strip() in run.json["problems"][0]["message"]


@pytest.mark.parametrize("place", [0, 1, 3])
def test_global_options_before_and_after(fake, place):
    words = ["deploy", "--service", "apache"]
    words[place:place] = ["--json", "-c", "echo"]
    assert fake(*words).echoed == ["add 1 apache"]


def test_beginnings_of_options(fake):
    assert fake("--json", "-c", "echo", "deploy", "--serv=apache", "--no-ver").echoed == ["add 1 apache", "set 5 1"]


@pytest.mark.parametrize("text, seconds", [("90", 90), ("90s", 90), ("2m", 120), ("12h", 43200), ("30d", 2592000)])
def test_times(fake, text, seconds):
    assert fake("--json", "-c", "echo", "prune", "--older", text).echoed == [f"set 16 {seconds}"]


def test_transaction_is_an_operand(fake):
    assert fake("--json", "-c", "echo", "show", "20261121T201136Z-1").echoed == ["add 11 20261121T201136Z-1"]


def test_dry_run_is_plan(fake):
    run = fake("--json", "deploy", "--dry-run")
    assert run.json["command"] == "plan" and not run.json["changed"]


def test_plan_exit_code(fake):
    assert fake("plan").status == 0
    assert fake("plan", "--exit-code").status == 10
    assert fake("-c", "empty", "plan", "--exit-code").status == 0
    run = fake("--json", "plan", "--exit-code")
    assert run.status == run.json["exit"] == 10 and run.json["ok"]


def columns(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


@pytest.mark.parametrize("language", ["C", "ja_JP.UTF-8"])
@pytest.mark.parametrize("command", [None, *ALL_COMMANDS])
def test_help_fits_a_screen(fake, command, language):
    """80 columns, 24 lines with the line of the prompt."""
    run = fake(*(["help", command] if command else ["--help"]), env={"LANG": language})
    assert run.status == 0 and run.err == b""
    lines = run.text.splitlines()
    assert len(lines) <= 23
    assert [line for line in lines if columns(line) > 80] == []
    if command:
        assert fake(command, "--help", env={"LANG": language}).out == run.out
        assert re.search(rf"certdeploy {command}\b", lines[0])


def test_every_command_is_in_the_help(fake):
    text = fake("--help").text
    shown = re.findall(r"^  ([a-z]+) ", text, re.M)
    assert sorted(set(shown) - {"help"}) == ALL_COMMANDS


def test_help_of_an_action(fake):
    run = fake("help", "store", "rename")
    assert run.out == fake("store", "rename", "--help").out
    assert run.text.startswith("Usage: certdeploy store rename [OPTION...] NAME NEW-NAME\n")


def test_actions_stand_in_one_column(fake):
    lines = [line for line in fake("store", "--help").text.splitlines() if line.startswith("  ")]
    assert len(lines) >= 4
    assert len({re.match(r"  .*?\S  +", line).end() for line in lines}) == 1


def test_actions_in_a_request(fake):
    run = fake("--json", "-", stdin={"command": "store", "action": "rename", "name": "a", "new_name": "b", "config": "echo"})
    assert run.echoed == ["add 6 a", "add 25 b"] and run.json["action"] == "rename"
    assert fake("--json", "store", "remove", "-", stdin={"name": "a", "config": "echo"}).echoed == ["add 6 a"]
    for bad in ({"command": "store"}, {"command": "store", "action": "burn"}, {"command": "list", "action": "list"}):
        assert fake("--json", "-", stdin=bad).status == 2


def test_version(fake):
    assert fake("--version").text == "certdeploy 0.1.0\n"
    assert fake("--json", "--version").json["version"] == "0.1.0"


def test_completion(fake):
    def complete(*words):
        return fake("complete", "--", *words).text.split("\n")[:-1]

    assert set(ALL_COMMANDS) <= set(complete(""))
    assert complete("hi") == ["history"]
    assert "--service" in complete("deploy", "--se") and "--live" not in complete("deploy", "--")
    assert complete("deploy", "--service", "") == ["apache"]
    assert complete("deploy", "--hostname", "www") == ["www.example.jp"]
    assert complete("deploy", "--name", "www") == ["www.example.jp"]
    assert complete("rollback", "") == ["20261121T201136Z-1"]
    assert complete("store", "") == ["list", "rename", "remove", "adopt"]
    assert complete("store", "remove", "w") == complete("export", "") == ["www.example.jp"]
    assert complete("--color", "a") == ["auto", "always"]
    assert complete("deploy", "--cert", "") == []
    assert complete("--root", "/tmp", "li") == ["list"]
