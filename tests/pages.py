"""A made-up page as web_demo builds one, and `fer-edge demo` as a process of its own."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

FILES = {
    "index.html": b"<!doctype html><title>made up</title>",
    "licenses.txt": b"MIT",
    "manifest.webmanifest": b"{}",
    "assets/index-1a.css": b"body{}",
    "assets/index-1a.js": b"export {};",
    "detector/model.json": b"[1]",
    "detector/group1-shard1of1.bin": bytes(9),
    "model/manifest.json": b"{}",
    "model/int8.tflite": b"old int8",
    "model/tfjs/model.json": b"{}",
    "model/tfjs/group1-shard1of2.bin": b"old",
    "model/tfjs/group1-shard2of2.bin": b"old too",
    "litert/litert_wasm_internal.wasm": b"\0asm",
    "verify/index.html": b"the harness",
    "verify/assets/index-2b.js": b"export {};",
}
ON_DEMAND = ("litert/", "verify/", "model/int8.tflite")
BEFORE, AFTER = "'use strict';\n// FILES: below\n", "\nself.skipWaiting();\n  const FILES = 0;\n"


def write_page(folder: Path) -> Path:
    """Writes a built page; returns its folder."""
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    listed = {
        name: hashlib.sha256(content).hexdigest()[:16]
        for name, content in FILES.items()
        if not name.startswith(ON_DEMAND)
    }
    (folder / "sw.js").write_text(f"{BEFORE}const FILES = {json.dumps(listed)};{AFTER}")
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    """Returns what is in a folder, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@contextlib.contextmanager
def demo_process(
    *options: str, cwd: Path, extra: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Runs `fer-edge demo`; yields its process and the address that it printed."""
    # A shell that runs the tests in the background has them, and so us, ignore SIGINT.
    script = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"from fer_edge.cli import main; sys.argv = {['fer-edge', 'demo', *options]}\n"
        "main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=cwd,
        env={**os.environ, **(extra or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            watchdog.cancel()
            process.kill()
