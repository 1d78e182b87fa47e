"""The programs that are compared, built as for release."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Programs:
    def __init__(self):
        cargo = os.environ.get("CARGO", "cargo")
        locked = ["--locked"] if os.environ.get("CI") else []
        self.server = os.environ.get("BENCH_SERVER")
        if not self.server:
            subprocess.run([cargo, "build", "--release", *locked], cwd=ROOT, check=True)
            self.server = ROOT / "target/release/causerie"
        target = ROOT / "target/bench"
        subprocess.run([cargo, "build", "--release", *locked, "--target-dir", target], cwd=ROOT / "benches", check=True)
        built = target / "release"
        self.peer, self.in_process = built / "causerie-bench-peer", built / "in_process"
        self.load = built / "causerie-bench-load"
        self.server = str(self.server)

    def migrate(self, database):
        environment = os.environ | {"DATABASE_URL": database}
        subprocess.run([self.server, "migrate", "up"], env=environment, check=True, stdout=subprocess.DEVNULL)
