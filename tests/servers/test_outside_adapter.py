# SPDX-License-Identifier: LGPL-2.1-or-later
"""The adapter of examples/adapter-skeleton, built against an installed library, deploys to a real vsftpd."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import wire
from harness.process import CLEAN, run
from harness.server import Server
from harness.tool import REFUSED, TOP, Tool, build_directory


class Vsftpd(Server):
    adapter = "vsftpd"
    programs = ("vsftpd",)
    needs_root = True

    def __init__(self, host):
        super().__init__(host)
        self.ready_port = host.port()
        self.config = host.etc / "vsftpd.conf"
        self.pidfile, self.logfile = host.run / "vsftpd.pid", host.log / "vsftpd.log"
        empty = host.run / "empty"
        empty.mkdir()
        self.config.write_text(
            "# the order of these lines is not ours to change\r\n"
            f"listen=YES\nlisten_address={wire.ADDRESS}\nlisten_port={self.ready_port}\n"
            f"background=NO\nanonymous_enable=NO\nlocal_enable=YES\nsecure_chroot_dir={empty}\n"
            f"rsa_cert_file=/nonexistent/first\nssl_enable=YES\nrsa_private_key_file={host.old_key}\n"
            f"rsa_cert_file={host.old_cert}\nxferlog_file={self.logfile}\nseccomp_sandbox=NO")
        self.write_ctl()

    def verbs(self):
        # it reads certificates only when it starts
        return (
            f"start) setsid vsftpd {self.config} </dev/null >/dev/null 2>&1 & echo $! >{self.pidfile} ;;\n"
            'reload) stop; exec "$0" start ;;\ntest) : ;;'
        )

    def places(self):
        return [self.config]

    def ports(self):
        return [self.ready_port]

    def endpoints(self):
        return [(self.ready_port, {"starttls": "ftp"})]

    def own_settings(self):
        return {"pid_file": self.pidfile}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A prefix with the library and the outside adapter, made as a stranger would."""
    build = build_directory()
    if build is None or not (TOP / "configure").exists():
        pytest.skip("needs the source tree with its configure")
    place = Path(os.path.realpath(tmp_path_factory.mktemp("outside")))
    prefix, away = place / "prefix", place / "build"
    away.mkdir()
    env = {**CLEAN, "PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig", "LC_ALL": "C.UTF-8"}
    for argv, where in (([TOP / "configure", "-q", f"--prefix={prefix}", "--disable-nls"], away),
                        (["make", "-s", "-j2", "install"], away)):
        subprocess.run([str(a) for a in argv], cwd=where, env=env, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE)
    skeleton = place / "skeleton"
    shutil.copytree(TOP / "examples/adapter-skeleton", skeleton)
    subprocess.run(["make", "-s", "install"], cwd=skeleton, env=env, check=True, capture_output=True)
    return prefix


@pytest.fixture
def tool(installed, host, monkeypatch):
    monkeypatch.setenv("CERTDEPLOY", f"{installed}/bin/certdeploy")
    return lambda: Tool(host.config)


@pytest.fixture
def ftp(host):
    reason = Vsftpd.missing()
    if reason:
        pytest.skip(reason)
    server = host._add(Vsftpd(host))
    host.write_config()
    host.start()
    return server


def test_is_loaded(tool, installed, ftp):
    adapters = {a["name"]: a for a in tool()("adapters").expect().json["adapters"]}
    assert adapters["vsftpd"]["file"] == f"{installed}/lib/certdeploy/adapters/vsftpd.so"


def test_deploys(tool, ftp, host, ca):
    leaf = ca.leaf("ftp.example.test")
    before = ftp.config.read_bytes()
    tool()("deploy", "--default", "--cert", leaf.cert, "--key", leaf.key, "--chain", leaf.chain).expect()
    assert set(ftp.served().values()) == {leaf.sha256}
    current = f"{host.store}/ftp.example.test/current"
    assert ftp.config.read_bytes() == before.replace(
        f"rsa_private_key_file={host.old_key}".encode(), f"rsa_private_key_file={current}/key.pem".encode()).replace(
        f"rsa_cert_file={host.old_cert}".encode(), f"rsa_cert_file={current}/fullchain.pem".encode())
    assert ftp.called()[-2:] == ["reload", "start"]  # one reload, which is a restart


def test_refuses_what_it_does_not_understand(tool, ftp, host, ca):
    leaf = ca.leaf("ftp.example.test")
    ftp.config.write_text(ftp.config.read_text() + "\nnonsense\n")
    before = host.configuration()
    result = tool()("deploy", "--default", "--cert", leaf.cert, "--key", leaf.key, "--chain", leaf.chain)
    problem = result.expect(REFUSED).problem("config-syntax")
    assert (problem["file"], problem["line"]) == (str(ftp.config), len(ftp.config.read_text().splitlines()))
    assert host.configuration() == before


def test_a_module_that_others_can_write_is_left_out(tool, installed, ftp):
    module = installed / "lib/certdeploy/adapters/vsftpd.so"
    module.chmod(0o666)
    try:
        result = tool()("adapters").expect()
        assert "vsftpd" not in [a["name"] for a in result.json["adapters"]]
        assert "others than root" in result.problem("adapter-unfit")["message"]
    finally:
        module.chmod(0o644)


@pytest.mark.parametrize("members, words", [
    (".abi = 99, .size = 8", "interface 99"),
    (".abi = CERTDEPLOY_ADAPTER_ABI, .size = 24", "24 bytes"),
    (".abi = CERTDEPLOY_ADAPTER_ABI, .size = sizeof(struct certdeploy_adapter)", "no name"),
    (".abi = CERTDEPLOY_ADAPTER_ABI, .size = sizeof(struct certdeploy_adapter) + 8, .name = \"apache\", .read = read, "
     ".plan = plan", "named apache"),
    (None, "exports no certdeploy_adapter_v1"),
])
def test_a_module_that_does_not_fit_is_left_out(tool, installed, host, tmp_path, members, words):
    source = tmp_path / "old.c"
    name = "certdeploy_adapter_v1" if members else "something_else"
    source.write_text(
        "#include <certdeploy-adapter.h>\n"
        "static int read(struct certdeploy_reading *r) { (void)r; return 0; }\n"
        "static int plan(struct certdeploy_reading *r, const struct certdeploy_assignment *a, size_t n,\n"
        "struct certdeploy_edits *e) { (void)r; (void)a; (void)n; (void)e; (void)read; return 0; }\n"
        f"extern const struct certdeploy_adapter {name};\n"
        f"const struct certdeploy_adapter {name} = {{{members or '.plan = plan'}}};\n")
    module = installed / "lib/certdeploy/adapters/old.so"
    host.write_config()
    run(["cc", f"-I{installed}/include", "-shared", "-fPIC", "-o", module, source])
    try:
        problem = tool()("adapters").expect().problem("adapter-unfit")
        assert problem["file"] == str(module) and words in problem["message"]
    finally:
        module.unlink()


def test_a_file_that_is_no_module_is_left_out(tool, installed, host):
    module = installed / "lib/certdeploy/adapters/text.so"
    host.write_config()
    module.write_text("not a module\n")
    try:
        assert "cannot be loaded" in tool()("adapters").expect().problem("adapter-unfit")["message"]
    finally:
        module.unlink()
