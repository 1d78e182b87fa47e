"""The servers that are compared, as processes."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request

import processes
import tokens

# One client stands for all users here, and its rates are not what is measured. All else is as shipped.
LIMITS = ["--user-rate", "0", "--address-rate", "0", "--max-address-connections", "100000", "--log", "warn"]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A running server; use it in a `with`."""

    def __init__(self, name, command, environment, folder):
        self.name, self.command, self.environment = name, command, environment
        self.log = folder / f"{name}.log"

    def __enter__(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CAUSERIE_")}
        self.begun = time.monotonic()
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(
                self.command, env=kept | self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.pid = self.process.pid
        try:
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait(self):
        while True:
            try:
                with urllib.request.urlopen(self.url + "/readyz", timeout=1):
                    self.ready_after = time.monotonic() - self.begun
                    return
            except (urllib.error.URLError, OSError):
                if self.process.poll() is not None or time.monotonic() - self.begun > 60:
                    raise SystemExit(f"{self.name} does not serve: see {self.log}")
                time.sleep(0.005)

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def processor_times(self):
        return processes.processor_times([self.pid])


class Ours(Server):
    """causerie, as shipped."""

    def __init__(self, program, database, folder, arguments=(), name="causerie"):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [program, "serve", "--listen", f"127.0.0.1:{port}", *LIMITS, *arguments]
        super().__init__(name, command, {"DATABASE_URL": database, "CAUSERIE_AUTH_SECRET": tokens.SECRET}, folder)


class Peer(Server):
    """The one written by hand."""

    def __init__(self, program, database, folder, connections):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {"PORT": str(port), "DATABASE_URL": database, "SECRET": tokens.SECRET,
                       "CONNECTIONS": str(connections)}
        super().__init__("axum + sqlx", [program], environment, folder)
