# SPDX-License-Identifier: LGPL-2.1-or-later
"""Text for people: columns, colour, escapes, terminals."""

import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from conftest import BASE
from test_usage import COMMANDS, columns


def on_terminal(program, *args, width=80, env=None, answer=None, act=None):
    """Run on a pseudo-terminal: (status, output). answer: what to wait for, and what to type then."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    child = subprocess.Popen([program, *args], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                             env={**BASE, "TERM": "xterm", **(env or {})},
                             preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(slave)
    out = b""
    if act:
        act(child)
    while select.select([master], [], [], 20)[0]:
        try:
            out += os.read(master, 65536)
        except OSError as error:
            assert error.errno == errno.EIO
            break
        if answer and answer[0].encode() in out:
            os.write(master, answer[1])
            answer = None
    else:
        child.kill()
    os.close(master)
    return child.wait(30), out.decode()


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_foreign_reaches_the_terminal(fake, command):
    run = fake("-c", "hostile", command)
    for out in (run.out, run.err):
        assert b"\x1b" not in out and b"\xc2\x9b" not in out
    if command not in ("plan", "diff"):
        assert b"\xff" not in run.out and b"\r" not in run.out
        assert b"\\x1b[31m" in run.out + run.err
    status, out = on_terminal(fake.program, "--color", "never", "-c", "hostile", command)
    assert "\x1b" not in out and "\u202e" not in out and "\x9b" not in out


def test_diff_in_a_pipe_is_for_patch(fake):
    assert fake("diff").text == "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n"
    assert b"+new\r\n" in fake("-c", "hostile", "diff").out


def test_columns_line_up(fake):
    lines = fake("list").text.splitlines()
    starts = {columns(line[:line.index("2030-")]) for line in lines[1:]}
    assert len(lines) == 3 and starts == {columns(lines[0][:lines[0].index("VALID")])}


def test_long_paths_go_below(fake):
    status, out = on_terminal(fake.program, "--color", "never", "list")
    lines = out.replace("\r", "").splitlines()
    assert status == 0 and len(lines) == 6
    assert lines[3] == "    /etc/apache2/sites-enabled/www.example.jp.conf:12"
    assert all(columns(line) <= 80 for line in lines)
    status, out = on_terminal(fake.program, "--color", "never", "list", width=200)
    assert len(out.splitlines()) == 3


def test_colour(fake):
    assert b"\x1b[" not in fake("list").out
    assert b"\x1b[" in fake("--color", "always", "list").out
    assert "\x1b[" in on_terminal(fake.program, "list")[1]
    assert "\x1b[" not in on_terminal(fake.program, "list", env={"NO_COLOR": "yes please"})[1]
    assert "\x1b[" not in on_terminal(fake.program, "list", env={"TERM": "dumb"})[1]
    assert "\x1b[" not in on_terminal(fake.program, "--color=never", "list")[1]
    assert b"\x1b[" not in fake("--color", "always", "--json", "list").out


def test_quiet(fake):
    run = fake("-q", "deploy")
    assert (run.status, run.out, run.err) == (0, b"", b"")
    run = fake("-q", "-c", "hostile", "deploy")
    assert run.status == 4 and run.out == b"" and b"[test-failed]" in run.err


def test_problem_says_where_and_what_next(fake):
    run = fake("-c", "broken", "list")
    assert run.status == 6
    assert run.errors == "certdeploy: error: broken:3: syntax error [settings]\n  See certdeploy.conf(5).\n"
    run = fake("check", "--cert", "absent.pem")
    assert run.status == 1
    assert run.errors == "certdeploy: error: absent.pem: no such file [not-found]\n  Check the path.\n"


def test_passphrase(fake, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("C4nary-Passphrase\nsecond line\n")
    check = ["--json", "-c", "echo", "check", "--key", "locked.key"]
    assert fake(*check, "--passphrase-file", secret).echoed == ["passphrase 17 C4nary-Passphrase"]
    assert fake(*check, "--passphrase-fd", "0", stdin=b"C4nary").echoed == ["passphrase 6 C4nary"]
    assert fake(*check, stdin=b"C4nary").echoed == ["passphrase -1 "], "nobody is asked without a terminal"
    run = fake(*check, "--passphrase-file", tmp_path / "none")
    assert run.status == 1 and run.json["problems"][0]["code"] == "not-found"
    assert run.json["problems"][0]["file"] == str(tmp_path / "none")
    run = fake(*check, "--passphrase-fd", "77")
    assert run.status == 1 and run.json["problems"][0]["code"] == "io-error"


def test_passphrase_is_asked_for_without_echo(fake):
    status, out = on_terminal(fake.program, "-c", "echo", "check", "--key", "locked.key",
                              answer=("Passphrase for locked.key: ", b"C4nary\n"))
    assert status == 0 and "passphrase 6 C4nary" in out
    assert out.count("C4nary") == 1, "the echo of the terminal is off"


def test_interrupt(fake):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        child = subprocess.Popen([fake.program, "--json", "-c", "slow", "deploy"], stdout=subprocess.PIPE, env=BASE)
        time.sleep(0.5)
        child.send_signal(number)
        out = child.communicate(timeout=10)[0]
        assert child.returncode == 130 and b'"exit": 130' in out


def test_progress_only_on_a_terminal(fake):
    def interrupt(child):
        time.sleep(2.5)
        child.send_signal(signal.SIGINT)

    status, out = on_terminal(fake.program, "-c", "slow", "deploy", act=interrupt)
    assert status == 130 and re.search(r"\r\x1b\[Kwaiting \(\d+/400\)", out)
    child = subprocess.Popen([fake.program, "-c", "slow", "deploy"], stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                             env=BASE)
    time.sleep(2)
    child.send_signal(signal.SIGINT)
    assert b"waiting" not in child.communicate(timeout=10)[1]


def test_output_that_cannot_be_written(fake):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([fake.program, "list"], stdout=full, stderr=subprocess.PIPE, env=BASE)
        assert done.returncode == 1 and b"cannot write the output" in done.stderr
        done = subprocess.run([fake.program, "deploy"], stdout=full, stderr=subprocess.PIPE, env=BASE)
        assert done.returncode == 0, "it is done, whoever could be told"


def test_reader_goes_away(fake):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([fake.program, "deploy"], stdout=write, stderr=subprocess.PIPE, env=BASE)
    os.close(write)
    assert done.returncode == 0
