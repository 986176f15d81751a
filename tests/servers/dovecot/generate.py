# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random Dovecot configurations that Dovecot accepts, for 2.3 and 2.4.

    tree = Generator(random.Random(7), "2.3").write(directory)

Certificates are paths that need not exist. Includes are relative, so that the tree can lie anywhere.
"""

NAMES = ["a.jp", "mail.a.jp", "www.a.jp", "x.mail.a.jp", "b.jp", "mail.b.jp"]
PATTERNS = ["*.a.jp", "*.jp", "*.b.jp", "m*.a.jp", "*.mail.a.jp", "www.?.jp"]
NETS = ["127.0.0.1", "10.0.0.1", "10.0.0.0/8", "10.0.0.0/24", "::1", "[::1]", "fd00::/8"]
REMOTES = ["192.168.0.0/16", "192.168.1.1"]
PROTOCOLS = ["imap", "pop3", "!imap", "!pop3", "lmtp"]
JUNK_23 = ["mail_debug = yes", "login_greeting = it's me", 'login_greeting = "a # b"', "auth_mechanisms = plain login"]
# what may be set by several filters for one connection without a conflict
JUNK_BLOCK_23 = [["plugin {", "  ssl_cert = </dev/null", "  x = a { b }", "}"], ["plugin {", "}"]]
JUNK_24 = ["login_greeting = hello", 'login_greeting = "a # b"', "mail_debug = yes", "auth_allow_cleartext = yes"]


class Generator:
    """nesting: blocks within blocks. `doveconf -f` of 2.4 merges those in another order than the server does."""

    def __init__(self, random, version, nesting=True):
        self.r, self.v24, self.files, self.count = random, version == "2.4", {}, 0
        self.nesting = nesting

    def chance(self, p):
        return self.r.random() < p

    # lines

    def path(self):
        self.count += 1
        return f"/etc/certs/{self.count}.pem"

    def shape(self, key, value, indent):
        """One setting in one of the ways to write it."""
        equals = self.r.choice([" = ", "=", " =", "= ", "\t=\t", "   =   "])
        blank = self.r.choice(["", "", " ", "\t"])
        end = self.r.choice(["", "", "", " ", "\t", " # comment", ' # it"s', "\t# = x {"])
        if self.chance(0.08):
            return f"{indent}{key} \\\n{indent}{equals.strip()} {value}{end}"
        if self.chance(0.05):
            return f"{indent}{key}{equals}\\\n  {value}{end}"
        return f"{indent}{key}{equals}{blank}{value}{end}"

    def material(self, slot, indent, nested=False):
        path = self.path()
        if not self.v24:
            key = {"cert": "ssl_cert", "key": "ssl_key", "alt_cert": "ssl_alt_cert", "alt_key": "ssl_alt_key"}[slot]
            if slot in ("cert", "key") and self.chance(0.1):
                return self.shape(key + "_file", self.r.choice([path, f'"{path}"']), indent)
            return self.shape(key, "<" + self.r.choice(["", "", " ", "\t "]) + path, indent)
        key = f"{slot}_file" if nested and self.chance(0.7) else f"ssl_server_{slot}_file"
        if not nested and self.chance(0.1):
            key = f"ssl_server/{slot}_file"
        return self.shape(key, self.r.choice([path, path, f'"{path}"', f"'{path}'"]), indent)

    def variable(self, indent):
        """A value that is what another setting has by now."""
        key = self.r.choice(["ssl_server_cert_file", "ssl_server_key_file"] if self.v24 else ["ssl_cert", "ssl_key"])
        return [f"{indent}{key} = {'$SET:' if self.v24 else '$'}{key}"]

    def materials(self, indent, certain=False):
        if not certain and self.chance(0.03):
            return self.variable(indent)
        slots = ["cert", "key"] if certain else self.r.choice([["cert", "key"], ["cert", "key"], ["key", "cert"], ["cert"], ["key"], [],
                               ["cert", "key", "alt_cert", "alt_key"], ["alt_cert", "alt_key"]])
        if self.v24 and slots and self.chance(0.3):
            inner = [self.material(s, indent + "  ", True) for s in slots]
            return [f"{indent}ssl_server {{", *inner, f"{indent}}}"]
        lines = [self.material(s, indent) for s in slots]
        if self.chance(0.1):
            lines.append(self.shape("ssl", self.r.choice(["yes", "no", "required"]), indent))
        return lines

    def noise(self, indent):
        return self.r.choice([
            [], [], [""], [f"{indent}# a comment = {{"], [f"{indent}#ssl_cert = </no.pem"], ["\t"],
            [f"{indent}\\"], ["  \\", f"{indent}# cuts it off"],
        ])

    # blocks

    def open(self, kind, value, indent):
        quoted = " " in value or self.chance(0.15)
        name = f'"{value}"' if quoted else value
        return f"{indent}{kind}{self.r.choice([' ', '  ', chr(9)])}{name}{self.r.choice([' ', '  ', chr(9)])}{{" + \
            self.r.choice(["", "", " ", " # {"])

    def name(self):
        pool = NAMES + PATTERNS
        if not self.v24 and self.chance(0.2):
            return " ".join(self.r.sample(pool, self.r.randint(2, 3)))
        name = self.r.choice(pool)
        return name.upper() if self.chance(0.1) else name

    def block(self, depth, outer, local=None):
        """A filter within the filters `outer`."""
        indent = "  " * depth
        kinds = ["protocol"] if self.chance(0.3) else []
        if "remote" not in outer:
            kinds += ["local_name"] * 3
            if self.chance(0.15):  # 2.3 wants no name's certificate beside one of theirs
                kinds.append("remote")
            if "local_name" not in outer and self.chance(0.5):
                kinds.append("local")
        kind = self.r.choice([k for k in kinds if k not in outer or self.chance(0.1)] or ["protocol"])
        value = {"protocol": lambda: self.r.choice(PROTOCOLS), "local_name": self.name,
                 "local": lambda: self.r.choice(NETS), "remote": lambda: self.r.choice(REMOTES)}[kind]()
        lines = [self.open(kind, value, indent)]
        lines += self.body(depth + 1, outer | {kind}, 1 if kind != "protocol" else 0)
        return lines + [f"{indent}}}" + self.r.choice(["", "", " # end"])]

    def body(self, depth, outer, blocks):
        indent = "  " * depth
        lines = []
        for _ in range(self.r.randint(0, 3)):
            what = self.r.random()
            lines += self.noise(indent)
            if what < 0.6:
                lines += self.materials(indent)
            elif what < 0.75 and "protocol" not in outer and blocks and depth < 4 and self.nesting:
                lines += self.block(depth, outer)
            elif what < 0.85:
                junk = [self.r.choice(JUNK_24)] if self.v24 else self.r.choice(JUNK_BLOCK_23)
                lines += [indent + line for line in junk]
            elif depth < 4 and self.chance(0.5):
                lines.append(self.include(self.body(depth, outer, 0), indent))
        return lines

    def include(self, lines, indent=""):
        """These lines in a file, or several, of their own."""
        n = len(self.files)
        style = self.r.choice(["plain", "glob", "braces", "try"])
        if style == "braces":
            self.files[f"inc/{n}-a.conf"] = lines
            self.files[f"inc/{n}-b.inc"] = []
            return f"{indent}!include inc/{n}-{{b.inc,a.conf}}" if not self.nested else f"{indent}!include {n}-{{b.inc,a.conf}}"
        name = f"{n}-x.conf"
        self.files[f"inc/{name}"] = lines
        target = {"plain": name, "glob": f"{n}-?.con[f]", "try": name}[style]
        word = "!include_try" if style == "try" else "!include"
        return f"{indent}{word} {'' if self.nested else 'inc/'}{target}"

    nested = False

    def top(self):
        lines = []
        if self.v24:
            lines += ["# the version first", "dovecot_config_version = 2.4.1", "dovecot_storage_version = 2.4.1"]
            lines += ["protocols = imap pop3 lmtp"]
        else:
            lines += ["protocols = imap pop3 lmtp"]
        lines += self.noise("") + ["ssl = yes"] if self.chance(0.9) else ["ssl = required"]
        lines += self.materials("", certain=self.chance(0.9))  # without a default no name is served
        for _ in range(self.r.randint(1, 9)):
            what = self.r.random()
            lines += self.noise("")
            if what < 0.7:
                lines += self.block(0, frozenset())
            elif what < 0.8:
                lines += self.materials("")
            elif what < 0.9:
                lines.append(self.include(self.block(0, frozenset())))
            else:
                lines.append(self.r.choice(JUNK_24 if self.v24 else JUNK_23))
        if self.v24 and self.chance(0.2):
            lines += ["service imap-login {", *self.materials("  "), "}"]
        return lines

    def write(self, directory):
        """Write etc/dovecot below the directory; returns the path of dovecot.conf."""
        top = self.top()
        home = directory / "etc/dovecot"
        (home / "inc").mkdir(parents=True)
        newline = self.r.choice(["\n", "\n", "\n", "\r\n"])
        for name, lines in {**self.files, "dovecot.conf": top}.items():
            # an include within an included file is relative to that
            lines = [l.replace("inc/", "") if name != "dovecot.conf" and "!include" in l else l for l in lines]
            text = newline.join("\n".join(lines).split("\n"))
            with open(home / name, "w", encoding="utf-8", newline="") as f:
                f.write(text + ("" if self.chance(0.1) and not text.endswith("\\") else newline))
        return home / "dovecot.conf"
