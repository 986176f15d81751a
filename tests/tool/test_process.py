# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever process state and environment the tool is started with, it behaves the same."""

import os
import resource
import signal
import subprocess

import pytest

from conftest import BASE


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_closed_descriptors(fake, tmp_path, closed):
    def close():
        for fd in closed:
            os.close(fd)

    witness = tmp_path / "witness"
    witness.write_text("untouched")
    done = subprocess.run([fake.program, "--json", "check", "--cert", str(witness)], env=BASE, preexec_fn=close,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
    assert done.returncode == 0 and witness.read_text() == "untouched"
    if 1 not in closed:
        assert done.stdout.startswith(b"{")


def test_hostile_environment(real, tmp_path):
    """OPENSSL_CONF would load code, the others would redirect files or formats."""
    import ctypes.util  # noqa: F401
    mark = tmp_path / "loaded"
    source = tmp_path / "evil.c"
    source.write_text('#include <fcntl.h>\n__attribute__((constructor)) static void evil(void) '
                      f'{{ creat("{mark}", 0600); }}\n')
    module = tmp_path / "evil.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", module, source], check=True)
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text(f"openssl_conf = a\n[a]\nengines = b\nproviders = b\n[b]\nevil = c\n[c]\n"
                             f"engine_id = evil\ndynamic_path = {module}\nmodule = {module}\ninit = 1\nactivate = 1\n")
    evil = {"OPENSSL_CONF": str(configuration), "OPENSSL_ENGINES": str(tmp_path), "OPENSSL_MODULES": str(tmp_path),
            "LANGUAGE": "../../../../tmp/x", "LC_ALL": "../x", "TEXTDOMAINDIR": str(tmp_path),
            "LOCPATH": str(tmp_path), "NLSPATH": str(tmp_path), "PATH": str(tmp_path), "TMPDIR": "/nonexistent",
            "BASH_ENV": str(source), "MAIL_CONFIG": str(tmp_path), "IFS": "x", "COLUMNS": "-5", "TZ": ":/dev/zero",
            "SUDO_USER": "x\033[31m\n", "TERM": "\033[31m"}
    argv, own = real
    for args in (["--version"], ["--root", str(tmp_path), "list"], ["check", "--cert", "/dev/null"]):
        done = subprocess.run([*argv, *args], env={**own, **evil}, capture_output=True, timeout=20)
        assert done.returncode in (0, 1, 6), done
        assert b"\x1b" not in done.stdout + done.stderr
        assert not mark.exists(), args


def test_process_state(fake, tmp_path):
    """No core files, no inherited umask, ignored and blocked signals back, any file size."""
    def prepare():
        os.umask(0)
        resource.setrlimit(resource.RLIMIT_CORE, (4096, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        signal.alarm(2)

    child = subprocess.Popen([fake.program, "-c", "slow", "deploy"], env=BASE, preexec_fn=prepare,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        for _ in range(100):
            status = open(f"/proc/{child.pid}/status").read()
            if "Umask:\t0077" in status:
                break
            signal.sigtimedwait([], 0.05)
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["Umask"] == "0077" and int(fields["SigBlk"], 16) == 0
        assert not int(fields["SigIgn"], 16) & (1 << (signal.SIGCHLD - 1))
        assert int(fields["SigIgn"], 16) & (1 << (signal.SIGPIPE - 1))
        if os.getuid() == 0:
            assert resource.prlimit(child.pid, resource.RLIMIT_CORE) == (0, 0)
            soft, hard = resource.prlimit(child.pid, resource.RLIMIT_FSIZE)
            assert soft == hard
            assert open(f"/proc/{child.pid}/environ", "rb").read() is not None
        signal.sigtimedwait([], 2.2)
        assert child.poll() is None, "an alarm from before ended it"
    finally:
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 130


def test_nohup(fake):
    child = subprocess.Popen([fake.program, "-c", "slow", "deploy"], env=BASE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    signal.sigtimedwait([], 0.5)
    child.send_signal(signal.SIGHUP)
    signal.sigtimedwait([], 0.5)
    assert child.poll() is None
    child.send_signal(signal.SIGINT)
    assert child.wait(10) == 130


def test_deleted_directory(fake, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    done = subprocess.run([fake.program, "list"], env=BASE, cwd=gone, preexec_fn=lambda: os.rmdir(gone),
                          capture_output=True)
    assert done.returncode == 0


def test_language_of_the_request_or_the_environment(fake):
    for how in ({"env": {"LANG": "xx_XX.UTF-8"}}, {"env": {"LC_ALL": "C", "LANGUAGE": "ja"}}, {"base": {}}):
        assert fake("list", **how).status == 0
