"""graced-load in the background."""

import json
import signal
import subprocess
from pathlib import Path

from supervisors import Failed


class Load:
    """Asks until it is asked what it saw. `options` as of graced-load, but not --follow: nobody would read what it
    says, and it would wait for us instead of asking. The answers are to name their process."""

    def __init__(self, program: Path, target: str, *options: str):
        self.process = subprocess.Popen(
            [program, "--expect", "pid ", *options, target],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )

    def result(self) -> dict:
        self.process.send_signal(signal.SIGTERM)
        lines = self.process.communicate(timeout=30)[0].splitlines()
        if not lines:
            raise Failed(f"graced-load ended with status {self.process.returncode}")
        return json.loads(lines[-1])

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
