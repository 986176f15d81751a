# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random valid configurations: address sets, names, includes, definitions, conditions, inheritance.

A Maker writes one configuration for a Plain server from a seed and knows nothing of what it means: what
it means the real server says, and certdeploy is compared with it.
"""

import random

ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
NAMES = (
    "a.test www.a.test b.test www.b.test mail.b.test c.test x.c.test y.x.c.test d.test shop.d.test e.test f.test"
).split()
WILD = ("*.a.test", "*.b.test", "*.c.test", "*.x.c.test", "*.test", "w*.test", "?.test", "*", "shop.*", "*d.test")


class Maker:
    """certificates: [(path of certificate, path of key, path of one file with both, "rsa" or "ec")]"""

    def __init__(self, web, certificates, seed):
        self.web, self.certificates = web, certificates
        self.seed, self.random = seed, random.Random(seed)
        self.files = {}
        self.counter = 0
        self.macro = False
        self.pair_macro = None
        self.defines = []

    def chance(self, share):
        return self.random.random() < share

    def pick(self, *choices):
        return self.random.choice(choices)

    # pieces

    def name(self):
        name = self.random.choice(NAMES)
        return name.upper() if self.chance(0.1) else name

    def path(self, path):
        """A path as an argument: bare, quoted, relative, by a variable, split by a continuation."""
        path = str(path)
        kind = self.random.random()
        if kind < 0.5:
            return path
        if kind < 0.65:
            return f'"{path}"'
        if kind < 0.72:
            return f"'{path}'"
        if kind < 0.85:
            return path.replace(str(self.web.host.etc), self.pick("${ETC}", "${etc}"))
        if kind < 0.9:
            return f"{path[:7]}\\\n{path[7:]}"
        if kind < 0.95:
            return '"%s' % path  # to the end of the line
        return "../" + path[len(str(self.web.host.etc)) + 1 :]

    def directive(self, name, argument):
        if self.chance(0.04):
            return self.variable(f"{name} {argument}")
        if self.chance(0.03):
            return f'"{name}" {argument}'
        name = self.pick(name, name, name, name.lower(), name.upper())
        gap = self.pick(" ", " ", "\t", "   ", " \\\n  ")
        return f"{name}{gap}{argument}{self.pick('', '', '', '  ')}"

    def variable(self, text):
        """${NAME} for a whole directive, or a part of it."""
        text = text.replace("\\\n", "")
        if "${" in text:
            return text
        self.counter += 1
        name = f"v{self.counter}"
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        self.defines.append(f'Define {name} "{escaped}"')
        return "${%s}" % self.pick(name, name.upper())

    def one(self, kind=None):
        return self.random.choice([c for c in self.certificates if kind in (None, c[3])])

    def lines_of(self, certificate, together=False):
        cert, key, both, _ = certificate
        if together:
            return [self.directive("SSLCertificateFile", self.path(both))]
        lines = [self.directive("SSLCertificateFile", self.path(cert))]
        lines.append(self.directive("SSLCertificateKeyFile", self.path(key)))
        if self.chance(0.1):
            lines.reverse()
        return lines

    def pair(self):
        """What a host is served by: mostly one pair; of two key types, in one file, with a chain file, a key too many."""
        kind = self.random.random()
        if kind < 0.6:
            return self.lines_of(self.one())
        if kind < 0.7:
            return self.lines_of(self.one(), True)
        if kind < 0.85:
            lines = [line for k in self.random.sample(("rsa", "ec"), 2) for line in self.lines_of(self.one(k))]
            if self.chance(0.3):  # all certificates, then all keys
                lines.sort(key=lambda line: "keyfile" in line.lower().replace("\\\n", ""))
            return lines
        if kind < 0.9:
            return self.lines_of(self.one()) + [self.directive("SSLCertificateKeyFile", self.path(self.one()[1]))]
        if kind < 0.94:
            return self.lines_of(self.one()) + [self.directive("SSLCertificateChainFile", self.path(self.one()[0]))]
        if kind < 0.96:
            return self.lines_of(self.one("ec")) + self.lines_of(self.one("ec"))
        return self.part_of_a_pair()

    def part_of_a_pair(self):
        """What is complete only by what is inherited, or never: then httpd does not start."""
        cert, key, both, _ = self.one()
        lines = [
            [self.directive("SSLCertificateKeyFile", self.path(key))],
            [self.directive("SSLCertificateKeyFile", self.path(both)) for _ in range(2)],
            [self.directive("SSLCertificateChainFile", self.path(cert))],
            [self.directive("SSLCertificateFile", self.path(both))] + self.lines_of(self.one(), True),
            [self.directive("SSLCertificateFile", self.path(cert))],
        ]
        return self.random.choice(lines)

    def own_pair(self):
        """One pair, seldom two; inline, or in a file of its own, or in one that others read too."""
        kind = self.random.random()
        lines = self.pair() + (self.pair() if self.chance(0.1) else [])
        if kind < 0.66:
            return lines
        if kind < 0.7:
            return [*self.shared_chain(), *lines] if self.chance(0.5) else [*lines, *self.shared_chain()]
        if kind < 0.77:
            return [f"Include {self.file(lines)}"]
        if kind < 0.8:
            name = self.file(lines)
            return [f"Include {name}", "SSLProtocol all -SSLv3", f"Include {name}"]
        if kind < 0.86:
            self.files.setdefault("shared.inc", "\n".join(self.pair()) + "\n")
            return ["Include shared.inc"]
        if kind < 0.89:
            self.pair_macro = self.pair_macro or ["<Macro Pair>", *self.pair(), "</Macro>"]
            return [self.pick("Use Pair", "use PAIR")]
        if kind < 0.94:
            truth, lie = self.condition()
            return [f"<{lie[0]}>", *self.pair(), f"</{lie[1]}>", f"<{truth[0]}>", *lines, f"</{truth[1]}>"]
        return ["<IfModule ssl_module>", *lines, "</IfModule>"]

    def shared_chain(self):
        self.files.setdefault("chain.inc", f"SSLCertificateChainFile {self.one()[0]}\n")
        return ["Include chain.inc"]

    def condition(self):
        """(opening, name) of a section that is read, and of one that is not."""
        root = self.web.home
        return self.pick(
            (("IfVersion >= 2.4.8", "IfVersion"), ("IfVersion < 2.4.8", "ifversion")),
            (("IfModule !mod_gnutls.c", "IfModule"), ("IfModule mod_gnutls.c", "IfModule")),
            (("IfFile httpd.conf", "IfFile"), (f"IfFile {root}/none", "IfFile")),
            (("IfDirective SSLEngine", "IfDirective"), ("IfDirective MDomain", "IfDirective")),
            (("IfSection Directory", "IfSection"), ("IfSection !VirtualHost", "IfSection")),
            (("IfDefine YES", "IfDefine"), ("IfDefine yes", "IfDefine")),
        )

    def file(self, lines, directory="parts"):
        self.counter += 1
        name = f"{directory}/{self.counter:03d}.conf"
        ending = self.pick("\n", "\n", "\n", "\r\n")
        text = ending.join("\n".join(lines).split("\n"))
        end = self.pick(ending, ending, "")
        # A continuation into nothing. Not of the seed's own numbers: what seeds are known for stays.
        if end and random.Random(f"{self.seed} {name}").random() < 0.2:
            end = "\\" + end
        self.files[name] = text + end
        return name

    def addresses(self):
        port, other = self.web.port, self.web.other
        choices = [f"*:{port}"] * 8 + [f"_default_:{port}", f"0.0.0.0:{port}", f"*:{other}", f"127.0.0.2:{port}"]
        choices += [f"127.0.0.2:{port}", f"127.0.0.3:{port}", f"127.0.0.1:{other}", "127.0.0.3", "127.0.0.3:*", "*"]
        choices += [f"localhost:{port}", f"no-such-host.invalid:{port}", f"*:{port} 127.0.0.2:{port}"]
        choices += ["${PLACE}", f'"*:{port}"', f"[::1]:{port}", f"127.0.0.2:{port} 127.0.0.2:{other}"]
        choices += [f"[::]:{port}", f"[::1] *:{other}", f"\\\n *:{port}", f"127.0.0.1:{port} [::1]:{port} *:{other}"]
        return self.random.choice(choices)

    def names(self):
        lines = []
        if self.chance(0.92):
            name = self.name()
            lines.append(f"ServerName {self.pick(name, name, name, f'https://{name}:443', f'{name}:8443')}")
        if self.chance(0.05):
            lines.append(f"ServerName {self.name()}")
        for _ in range(self.pick(0, 0, 1, 1, 2)):
            words = [self.random.choice(WILD) if self.chance(0.3) else self.name() for _ in range(self.pick(1, 2, 3))]
            words += self.pick([], [], [], ["b\xfccher.test"], ["c.test."], ['""'], ["a.test:443"], ["_x.c.test"])
            lines.append(f"ServerAlias {' '.join(words)}")
        return lines

    def host(self, inherits):
        closing = self.pick("", "", "", " # end")
        lines = [f"<VirtualHost {self.addresses()}>{self.pick('', '', ' # a host')}"]
        body = self.names()
        tls = self.random.random()
        if tls < 0.8:
            body.append(self.pick(*[f"SSLEngine {self.pick('on', 'On', 'ON')}"] * 8, "Include engine.inc", "${TLS}"))
        elif tls < 0.9:
            body.append(f"SSLEngine {self.pick('off', 'Off', 'optional')}")
        elif tls < 0.93:
            body.append(f"Protocol {self.pick('https', 'HTTPS', 'http')}")
        if tls < 0.95 and not (inherits and self.chance(0.4)):
            body += self.own_pair()
        elif inherits and self.chance(0.2):
            body += self.pick(self.part_of_a_pair(), self.shared_chain())
        if self.chance(0.2):
            self.random.shuffle(body) if not any("\\\n" in line or line.startswith("<If") for line in body) else None
        if self.chance(0.15):
            body += ["# SSLCertificateFile /none.pem \\", "SSLCertificateKeyFile /none.key"]
        if self.chance(0.2):
            body += ["<Directory />", "  Require all granted", "</Directory>"]
        if self.chance(0.15):
            body += ["<IfModule !ssl_module>", "SSLCertificateFile /none.pem", "<If>", "</If>", "</IfModule>"]
        indent = self.pick("", "  ", "\t")
        lines += [indent + line for line in body] + [f"</VirtualHost>{closing}"]
        return lines

    def wrapped(self, lines):
        """The same within something, or elsewhere."""
        kind = self.random.random()
        if kind < 0.55:
            return lines
        if kind < 0.62:
            return ["<IfModule mod_ssl.c>", *lines, "</IfModule>"]
        if kind < 0.67:
            return ["<IfDefine !NOT_DEFINED>", *self.wrapped(lines), "</IfDefine>"]
        if kind < 0.71:
            truth, lie = self.condition()
            return [f"<{lie[0]}>", *self.host(False), f"</{lie[1]}>", f"<{truth[0]}>", *lines, f"</{truth[1]}>"]
        if kind < 0.75:
            return ["<IfDefine NOT_DEFINED>", *lines, "</IfDefine>"]
        if kind < 0.85:
            return [f"Include {self.file(lines)}"]
        if kind < 0.88:
            name = self.file(lines)
            return [f"Include {name}", f"Include {name}"]
        if kind < 0.9:
            self.file(lines, f"tree{self.counter}/deeper")
            return [f"Include tree{self.counter - 1}{self.pick('', '/', '/*', '/d*')}"]
        if kind < 0.92 and not any("Include" in line for line in lines):
            # another ServerRoot for this file alone; certificates are relative to the last one
            self.file(lines, f"root{self.counter}")
            root = self.web.home
            there, name = f"{root}/root{self.counter - 1}", f"{self.counter:03d}.conf"
            return [f"ServerRoot {there}", f"Include {name}", f"ServerRoot {root}"]
        if kind < 0.95:
            self.file(lines, f"glob{self.counter}/sub")
            return [f"IncludeOptional glob*/s?b/[0-9]{self.counter:03d}.conf".replace("[0-9]0", "[0-9]")]
        if self.macro or any("${" in line or "$" in line for line in lines):
            return lines
        self.macro = True
        text = "\n".join(lines).replace("ServerName a.test", "ServerName $name")
        return ["<Macro Site $name>", *text.split("\n"), "</Macro>", "Use site a.test"]

    # the whole

    def listen(self):
        port, other = self.web.port, self.web.other
        kind = self.random.random()
        if kind < 0.4:
            return [f"Listen {port}", f"Listen {other}"]  # and IPv6
        if kind < 0.5:
            return [f"Listen {port} https", f"Listen {other}"]
        if kind < 0.7:
            return [f"Listen {a}:{p}" for a in ADDRESSES for p in (port, other)]
        if kind < 0.8:
            return [f"Listen 0.0.0.0:{port} https", f"Listen [::]:{port}", f"Listen localhost:{other} https"]
        return [f"Listen {a}:{port} https" for a in ADDRESSES] + [f"Listen 127.0.0.1:{other} http"]

    def main_pair(self):
        """What hosts inherit: inline, in a file that may be read twice, or by a macro."""
        pair, kind = self.pair(), self.random.random()
        if kind < 0.2:
            return [f"Include {self.file(pair)}"]
        if kind < 0.3:
            name = self.file(pair)
            return [f"Include {name}", "# once more", f"Include {name}"]
        if kind < 0.36:
            return ["<Macro Main>", *pair, "</Macro>", "Use Main"]
        return self.pick(pair, ["<IfModule ssl_module>", *pair, "</IfModule>"])

    def write(self):
        web = self.web
        main = [f"Define ETC {web.host.etc}", *self.listen()]
        main.append('Define PLACE "*:%d 127.0.0.3:%d"' % (web.port, web.port))
        main += ["Define YES", "Define TLS 'SSLEngine on'"]
        self.files["engine.inc"] = "SSLProtocol all -SSLv3\nSSLEngine on"
        main.append(f"ServerName {self.pick('main.test', f'main.test:{web.port}', 'a.test')}")
        inherits = self.chance(0.35)
        if inherits:
            main += self.main_pair()
        if inherits and self.chance(0.3):
            main.append("SSLEngine on")
        hosts = [line for _ in range(self.random.randint(1, 9)) for line in self.wrapped(self.host(inherits))]
        main += (self.pair_macro or []) + hosts
        if inherits and self.chance(0.2):
            main += ["# the pair of the main server again, behind everything", *self.pair()]
        text = "\n".join(self.defines + main) + "\n"
        self.files["httpd.conf"] = web.head() + (text.replace("\n", "\r\n") if self.chance(0.1) else text)
        for name, text in self.files.items():
            web.write(name, text)
        return self


def candidates():
    """Names to ask for: what configurations may have, and what only wildcards have."""
    more = "main.test localhost q.a.test r.q.b.test z.c.test q.x.c.test w1.test shop.x nobody.example"
    return [None, *NAMES, *more.split()]
