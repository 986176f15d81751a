# SPDX-License-Identifier: LGPL-2.1-or-later
"""What haproxy does in front of a mail server: take a connection, say whose it is, pass the bytes on.

    with Proxy(port) as front:
        wire.served(front.port, starttls="smtp")
"""

import contextlib
import socket
import threading

LINE = b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n"


def _pass_on(source, to):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            to.sendall(data)
    for end in (source, to):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Proxy:
    def __init__(self, port):
        self.behind = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.behind))
                server.sendall(LINE)
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=_pass_on, args=ends, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
