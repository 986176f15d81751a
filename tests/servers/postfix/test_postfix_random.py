# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random valid configurations: what certdeploy reads and writes, judged by postconf.

Each configuration is read twice: what `list` says of every listener must be what postconf says, and after
a deployment postconf must see the new files for every listener and nothing else changed.
"""

import os
import random
import time

import pytest

from harness.process import run
from harness.tool import Tool

pytestmark = pytest.mark.needs("postfix")

CERT, KEY, CHAIN = "smtpd_tls_cert_file", "smtpd_tls_key_file", "smtpd_tls_chain_files"
LEGACY = [CERT, KEY, "smtpd_tls_eccert_file", "smtpd_tls_eckey_file", "smtpd_tls_dcert_file", "smtpd_tls_dkey_file"]
SLOTS = [(CERT, KEY), (LEGACY[4], LEGACY[5]), (LEGACY[2], LEGACY[3])]
MAY_CHANGE = {*LEGACY, CHAIN}
OWN = ["svc_a", "svc_b"]  # set by options only, for options only: postconf shows main.cf as no service sees it
PORTS = ["smtp", "submission", "smtps", "2525", "10.0.0.2:smtp", "[::1]:10025", "127.0.0.1:2526"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.newline = self.random.choice(["\n", "\n", "\n", "\r\n"])
        self.user = [f"our_{c}" for c in "abcd"]
        self.left = list(self.user)

    def some(self, chance):
        return self.random.random() < chance

    def pick(self, *what):
        return self.random.choice(what)

    def path(self):
        return f"/{self.pick('etc', 'srv')}/{self.pick('a', 'bb', 'c-d', 'x.y', 'ü')}{self.random.randrange(9)}.pem"

    def reference(self, *more):
        name = self.pick("myhostname", "mydomain", "mail_name", *self.user, *more)
        return self.pick(
            f"${name}",
            f"${{{name}}}",
            f"$({name})",
            f"${{{name}?yes}}",
            f"${{{name}:no}}",
            f"${{{name}?{{x$myhostname}}:{{z}}}}",
            f"${{ {name} ? {{q}} : {{r}} }}",
            f"${{{{${name}}} == {{mail.example.test}} ? {{same}} : {{other}}}}",
            f"${{{{1}} <= {{12}} ? {{le}}}}",
            f"${{{{${name}}} != {{}} ? {{full}}}}",
            "$$",
        )

    def value(self, name):
        if self.some(0.15):
            return ""
        if name == CHAIN:
            return self.pick(", ", " ", ",", f"{self.newline}  ", f",{self.newline}# files{self.newline}\t").join(
                self.path() for _ in range(self.random.randrange(1, 3))
            )
        path = self.path()
        if self.some(0.25):
            path = f"/d/{self.reference()}/{path[1:]}"
        if "$" not in path and self.some(0.1):
            path = path[:4] + " " + path[4:]
        return path

    def setting(self, name, value):
        gap = self.pick("", " ", "\t", "  ")
        after = self.pick(gap, " ", f"{self.newline}\t" if value else "", f" {self.newline}# c{self.newline}{self.newline}  ")
        end = self.pick("", "", " ", f"{self.newline} ", f"{self.newline}  # note")
        return f"{name}{gap}={after if value else ''}{value}{end}"

    def main(self, base):
        lines = [
            "myhostname = mail.example.test",
            "smtpd_tls_security_level = may",
            "inet_interfaces = all",
            f"queue_directory = {base}",
        ]
        for name in self.user:
            if self.some(0.7):
                lines.append(self.setting(name, self.pick("v", "a b", "$mydomain", "", "mail.example.test")))
        chosen = [CHAIN] if self.some(0.3) else []
        if not chosen or self.some(0.3):
            chosen += [n for n in LEGACY if self.some(0.8 if n in (CERT, KEY) else 0.2)]
        for name in chosen:
            for _ in range(self.pick(1, 1, 1, 2)):
                lines.append(self.setting(name, self.value(name)))
        self.random.shuffle(lines)
        for _ in range(self.random.randrange(6)):
            at = self.random.randrange(len(lines) + 1)
            lines.insert(at, self.pick("# comment", "", "#", "biff = no", "relayhost =", "smtp_tls_loglevel=1", "   # x"))
        if self.some(0.1):
            lines.insert(0, f"  {CERT} = /ignored")
        text = self.newline.join(lines)
        return text + ("" if self.some(0.2) else self.newline)

    def option(self, name, value):
        spaced = " " in value or self.some(0.3)
        if spaced:
            return self.pick(f"-o {{ {name} = {value} }}", f"-o {{{name}={value}}}")
        return f"-o {name}={value}"  # smtpd takes "-oname=value" too, but postconf 3.7 prints it cut off

    def option_value(self):
        if self.some(0.3):
            return ""
        return f"/d/{self.reference('service_name', *OWN)}{self.path()}" if self.some(0.3) else self.path()

    def row(self, name):
        options = []
        for parameter in [CHAIN, *LEGACY]:
            if self.some(0.15):
                options.append(self.option(parameter, self.option_value()))
        for parameter in OWN:
            if self.some(0.2):
                options.append(self.option(parameter, self.pick("v", "", "mail.example.test", "$mydomain", "${service_name}", "$our_a")))
        if self.some(0.5):
            options.append(self.option("syslog_name", "postfix/$service_name"))
        if self.some(0.2):
            options.append(self.pick("-v", "-vv", "-D"))
        self.random.shuffle(options)
        if name == "smtps":
            options.insert(0, "-o smtpd_tls_wrappermode=yes")
        text = f"{name} inet n - {self.pick('y', 'n', '-')}  -\t- smtpd"
        for option in options:
            text += self.pick(" ", f"{self.newline}  ", f"{self.newline}\t", f"{self.newline}# c{self.newline} ") + option
        return text

    def master(self):
        names = self.random.sample(PORTS, self.random.randrange(1, 5))
        rows = [self.row(name) for name in names]
        rows += ["pickup unix n - y 60 1 pickup", "smtp unix - - y - - smtp", "#off inet n - y - - smtpd"]
        self.random.shuffle(rows)
        return names, self.newline.join(rows) + ("" if self.some(0.2) else self.newline)


class Judge:
    """postconf on a directory."""

    def __init__(self, home):
        self.home = home
        then = time.time() - 120
        for name in ("main.cf", "master.cf"):
            os.utime(home / name, (then, then))
        self.explicit = self.ask("-n")
        self.main = self.ask("-x")
        self.options = self.ask("-P")
        self.expanded = self.ask("-Px")
        self.rows = run(["/usr/sbin/postconf", "-c", home, "-F"]).stdout

    def ask(self, how):
        out = run(["/usr/sbin/postconf", "-c", self.home, how]).stdout
        return dict(line.split(" = ", 1) if " = " in line else (line.rstrip(" ="), "") for line in out.splitlines())

    def effective(self, row):
        """{parameter: value} as smtpd of this row has it."""
        values = {}
        for name in MAY_CHANGE:
            values[name] = self.expanded.get(f"{row}/inet/{name}", self.main[name])
        for cert, key in SLOTS:
            if key not in self.explicit and f"{row}/inet/{key}" not in self.options:
                values[key] = values[cert]
        return values

    def pairs(self, row):
        """(certificate, key) in order, without those of chain files."""
        values = self.effective(row)
        return [(values[c], values[k]) for c, k in SLOTS if values[c] and values[c].lower() != "none"]


def untouched(values):
    """Those that a plan must not change. postconf names made up ones only where something refers to them."""
    return {
        k: v for k, v in values.items()
        if k.rpartition("/")[2] not in MAY_CHANGE and not k.rpartition("/")[2].startswith(("our_", "svc_"))
    }


def squeeze(text):
    return " ".join(text.split())


def absolute(base, path):
    return os.path.normpath(os.path.join(base, path))


def check(directory, seed, leaf):
    generator = Generator(seed)
    home = directory / "etc/postfix"
    home.mkdir(parents=True)
    (home / "main.cf").write_bytes(generator.main("/var/spool/postfix").encode())
    names, master = generator.master()
    (home / "master.cf").write_bytes(master.encode())
    tool = Tool(root=directory)
    before = Judge(home)
    listed = tool("list").expect(0)
    found = {e["listen"]: e for e in listed.endpoints}
    assert sorted(found) == sorted(f"{n}/inet" for n in names), listed
    for name in names:
        chain = before.effective(name)[CHAIN].replace(",", " ").split()
        shown = found[f"{name}/inet"].get("certificate")
        if chain:
            wanted = {absolute("/var/spool/postfix", p) for p in chain}
        else:
            wanted = {squeeze(absolute("/var/spool/postfix", c)) for c, _ in before.pairs(name)}
        assert (shown is None and not wanted) or squeeze(shown) in wanted, (name, wanted, listed)

    done = tool(
        "deploy", "--cert", leaf.cert, "--key", leaf.key, "--chain", leaf.chain, "--default", "--drop-other-types",
        "--accept", "name-mismatch"
    ).expect(0)
    after = Judge(home)
    store = "/etc/ssl/certdeploy/mail.example.test/current"
    for name in names:
        values = after.effective(name)
        if before.effective(name)[CHAIN]:
            assert values[CHAIN] == f"{store}/combined.pem", (name, values, done)
        else:
            assert values[CHAIN] == "", (name, values, done)
            assert after.pairs(name) == [(f"{store}/fullchain.pem", f"{store}/key.pem")], (name, values, done)
    for old, new in ((before.explicit, after.explicit), (before.options, after.options)):
        assert untouched(old) == untouched(new), done
    again = tool(
        "deploy", "--cert", leaf.cert, "--key", leaf.key, "--chain", leaf.chain, "--default", "--drop-other-types",
        "--accept", "name-mismatch"
    ).expect(0)
    assert not again.json["changed"], again


@pytest.mark.parametrize("block", range(8))
def test_random_configurations(tmp_path, ca, block, soak):
    leaf = ca.leaf("mail.example.test")
    count = 200 if soak else 40
    for seed in range(block * 1000, block * 1000 + count):
        check(tmp_path / str(seed), seed, leaf)
