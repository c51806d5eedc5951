"""What the interpreter itself makes of a program: the measure for what jobs make of it."""

import os
import subprocess
import sys
import tempfile

FILE = "<python3>"


def run_plainly(code):
    """`(exit code, stdout, stderr)` of the program as a file of its own, whose name jobs have."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, FILE), "w", encoding="utf-8") as file:
            file.write(code)
        ended = subprocess.run(
            [sys.executable, "-I", "-B", FILE], cwd=folder, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )
        return ended.returncode, ended.stdout, ended.stderr.replace(os.path.join(folder, FILE), FILE)
