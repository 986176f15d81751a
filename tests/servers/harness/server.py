# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the three servers have in common: a control script, a log, starting, stopping, waiting."""

import os
import shutil

from . import wire
from .process import alive, end_all, processes_of, run, wait_for

_CTL = r"""#!/bin/sh
# start | stop | reload | restart | test: what systemd units do on a host. Each call leaves a line.
echo "$1" >>{calls}
stop() {{
	pid=$(tr -d ' \n' <{pidfile} 2>/dev/null) || return 0
	kill -TERM $pid 2>/dev/null || return 0
	n=0
	while kill -0 $pid 2>/dev/null && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done
}}
# a process that ended but was not reaped yet still looks alive to the server's own check
bury() {{
	pid=$(tr -d ' \n' <{pidfile} 2>/dev/null) || return 0
	state=$(cut -d' ' -f3 "/proc/${{pid:-0}}/stat" 2>/dev/null)
	case $state in ''|Z|X) rm -f {pidfile} ;; esac
}}
[ "$1" != start ] || bury
case $1 in
{verbs}
stop) stop ;;
restart) stop; exec "$0" start ;;
*) exit 64 ;;
esac
"""


class Server:
    """Subclasses: name, adapter, programs, config, pidfile, logfile, verbs(), places(), ports(), ready_port."""

    name = adapter = None
    programs = ()
    needs_root = False

    def __init__(self, host, name=None):
        self.host = host
        self.name = name or self.adapter
        self.calls = host.log / f"{self.name}.calls"
        self.ctl = host.bin / f"{self.name}ctl"

    @classmethod
    def missing(cls):
        """Why this server cannot be started here, or None."""
        absent = [p for p in cls.programs if not shutil.which(p, path="/usr/sbin:/usr/bin:/sbin:/bin")]
        if absent:
            return f"{absent[0]} is not installed"
        if cls.needs_root and os.geteuid() != 0:
            return f"{cls.adapter}: its master process must be started by root"
        return None

    def write_ctl(self):
        self.ctl.write_text(_CTL.format(calls=self.calls, pidfile=self.pidfile, verbs=self.verbs()))
        self.ctl.chmod(0o755)

    def control(self, verb, **how):
        return run([self.ctl, verb], **how)

    # running

    def pid(self):
        """Of the main process while it runs, else None."""
        try:
            pid = int(self.pidfile.read_text())
        except (OSError, ValueError):
            return None
        try:
            here = os.fsencode(str(self.host.base))
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                mine = here in f.read() or os.readlink(f"/proc/{pid}/cwd").encode().startswith(here)
        except OSError:
            return None
        return pid if mine and alive(pid) else None

    @property
    def running(self):
        return self.pid() is not None and wire.listening(self.ready_port)

    def start(self):
        """Start the server and wait until it answers. A test's own starts leave no line in calls."""
        calls = self.calls.read_text() if self.calls.exists() else None
        done = self.control("start", check=False)
        try:
            wait_for(
                lambda: f"{self.name} to answer\n{done.stdout}{done.stderr}\n{self.log_text()[-3000:]}",
                lambda: self.running and self.answers(),
            )
        finally:
            self._forget(calls)
        return self

    def answers(self):
        port, how = next((p, h) for p, h in self.endpoints() if p == self.ready_port)
        return wire.served(port, **how) is not None

    def reload(self):
        calls = self.calls.read_text() if self.calls.exists() else None
        self.control("reload")
        self._forget(calls)

    def stop(self):
        """Stop the server, wait until no process and no listener is left."""
        end_all(*self.places())
        wait_for(f"{self.name} to leave its ports", lambda: not any(wire.listening(p) for p in self.ports()))

    def processes(self):
        """Ids of every process that works for this server."""
        return processes_of(*self.places())

    def _forget(self, calls):
        if calls is None:
            self.calls.unlink(missing_ok=True)
        else:
            self.calls.write_text(calls)

    # looking

    def called(self):
        """What the tool has asked of the control script, e.g. ["test", "reload"]."""
        return self.calls.read_text().split() if self.calls.exists() else []

    def log_text(self):
        try:
            return self.logfile.read_text(errors="replace")
        except OSError:
            return ""

    def served(self, **more):
        """{(port, sni): SHA-256} for every endpoint as openssl sees it now."""
        return {(port, how.get("sni")): wire.served(port, **{**how, **more}) for port, how in self.endpoints()}

    # certdeploy.conf

    def settings(self):
        """This service's group in certdeploy.conf."""
        return {
            "name": self.name,
            "adapter": self.adapter,
            "config": self.config,
            **{verb: (self.ctl, verb) for verb in ("test", "reload", "restart", "start")},
            **self.own_settings(),
        }

    def own_settings(self):
        return {}
