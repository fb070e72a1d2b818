"""Commands that run when a face begins to show an emotion."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_edge.camera.fanout import WaitingError
from fer_edge.camera.frames import FrameRecord, Record, TrackedFace
from fer_edge.camera.hook import Hook, parse_rule
from fer_edge.errors import ConfigError
from tests.camera_records import EMOTIONS, STATUS_LINE, check, face, frame, status

ENOUGH_S = 60.0  # a run takes milliseconds; a busy machine may take its time


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + ENOUGH_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def sad(number: int = 1) -> TrackedFace:
    shown = face(number, 0.2)
    return TrackedFace(number, shown.box, shown.probabilities, 0)


class Notes:
    """A command that notes each run as a line, and waits while a file named `hold` is there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "notes"
        (folder / "note.py").write_text(
            "import json, os, pathlib, sys, time\n"
            f"folder = pathlib.Path({str(folder)!r})\n"
            "seen = {k: v for k, v in os.environ.items() if k.startswith('FER_EDGE_') and k != "
            "'FER_EDGE_CACHE'}\n"
            "line = json.dumps([sys.argv[1:], seen, sys.stdin.read()])\n"
            "with (folder / 'notes').open('a') as file: file.write(line + '\\n')\n"
            "print('this is no JSON line of ours')\n"
            "while (folder / 'hold').exists(): time.sleep(0.01)\n"
            "sys.exit(int((folder / 'fails').exists()))\n"
        )
        self.command = f"{sys.executable} {folder / 'note.py'}"

    @property
    def lines(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path)


def feed(hook: Hook, notes: Notes, *records: Record) -> list[str]:
    """Gives a hook records, each once the run before has ended; returns the notes of each."""
    found = []
    for record in records:
        n_before = len(notes.lines)
        hook.write(record)
        if hook._thread:
            hook._thread.join(ENOUGH_S)
        found.append(notes.lines[n_before:])
    return [line for lines in found for line in lines]


def test_what_a_command_gets(notes: Notes, capfd: pytest.CaptureFixture[str]) -> None:
    hook = Hook(f"happy={notes.command} 'two words' $HOME;", EMOTIONS)
    (line,) = feed(hook, notes, frame(sad(1), face(2)))
    arguments, variables, stdin = json.loads(line)
    assert arguments == ["two words", "$HOME;"]  # no shell
    assert variables == {
        "FER_EDGE_EMOTION": "happy",
        "FER_EDGE_FACE_ID": "2",
        "FER_EDGE_PROBABILITY": "0.7500",
    }
    document = json.loads(stdin)
    check(document)
    assert [found["id"] for found in document["faces"]] == [2]
    assert (document["frame"], hook.name) == (7, "on happy")
    assert capfd.readouterr() == ("", "")


HAPPY, UNSURE = face(), face(is_unsure=True)


@pytest.mark.parametrize(
    ("rule", "frames", "n_runs"),
    [
        ("happy", [()], 0),
        ("happy", [(sad(),)], 0),
        ("happy", [(HAPPY,)], 1),
        ("happy", [(HAPPY,), (HAPPY,)], 1),
        ("happy", [(HAPPY,), (sad(),), (HAPPY,)], 2),
        ("happy", [(HAPPY,), (), (HAPPY,)], 2),
        ("happy", [(UNSURE,), (UNSURE,)], 0),
        ("happy", [(UNSURE,), (HAPPY,)], 1),
        ("happy", [(HAPPY,), (UNSURE,), (HAPPY,)], 1),  # it wavered, and became nothing else
        ("happy", [(HAPPY,), (HAPPY, face(2))], 1 + 1),
        ("any", [(sad(),), (HAPPY,), (HAPPY,), (sad(),)], 3),
        ("any", [()], 0),
        ("none", [(), ()], 0),
        ("none", [(HAPPY,), (), ()], 1),
        ("none", [(HAPPY, face(2)), (HAPPY,)], 0),
        ("none", [(UNSURE,), (), (HAPPY,), ()], 2),
        ("status", [(HAPPY,), ()], 0),
    ],
)
def test_when_a_command_runs(
    rule: str, frames: list[tuple[TrackedFace, ...]], n_runs: int, notes: Notes
) -> None:
    hook = Hook(f"{rule}={notes.command}", EMOTIONS)
    records: list[Record] = [frame(*faces) for faces in frames]
    assert len(feed(hook, notes, *records, status() if rule != "status" else frame())) == n_runs


def test_a_status(notes: Notes) -> None:
    (line,) = feed(Hook(f"status={notes.command}", EMOTIONS), notes, frame(), status())
    assert json.loads(line) == [[], {}, STATUS_LINE + "\n"]


def test_nobody(notes: Notes) -> None:
    hook = Hook(f"none={notes.command}", EMOTIONS)
    (line,) = feed(hook, notes, frame(face()), frame())
    arguments, variables, stdin = json.loads(line)
    assert (arguments, variables, json.loads(stdin)["faces"]) == ([], {}, [])


def test_one_at_a_time_and_nobody_waits(notes: Notes) -> None:
    (hold := notes.folder / "hold").touch()
    hook = Hook(f"any={notes.command}", EMOTIONS)
    for _ in range(50):
        hook.write(frame(face()))
        hook.write(frame(sad()))
    wait_for(lambda: notes.lines)
    hold.unlink()
    feed(hook, notes, frame())
    assert (len(notes.lines), hook.n_dropped) == (1, 99)
    assert len(feed(hook, notes, frame(face()))) == 1
    hook.close()


def is_gone(process: int) -> bool:
    """Tells whether a process has ended, were it not yet asked how."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def family(tmp_path: Path) -> str:
    """A command that notes its own id and its child's, and lives on with it."""
    script = f"sleep 600 & echo $$ $! > {tmp_path}/part; mv {tmp_path}/part {tmp_path}/ids; wait"
    return f"sh -c '{script}'"


def test_a_command_that_takes_too_long_is_killed_with_its_children(
    family: str, tmp_path: Path
) -> None:
    hook = Hook(f"happy={family}", EMOTIONS, longest_run_s=2)
    hook.write(frame(face()))
    assert hook._thread
    hook._thread.join(ENOUGH_S)
    ids = (tmp_path / "ids").read_text().split()
    assert len(ids) == 2
    wait_for(lambda: all(is_gone(int(process)) for process in ids))
    with pytest.raises(WaitingError, match=r"sh took over 2 s and was killed"):
        hook.write(frame())


def test_closing_kills_what_still_runs(family: str, tmp_path: Path) -> None:
    hook = Hook(f"happy={family}", EMOTIONS, longest_run_s=10 * ENOUGH_S)
    hook.write(frame(face()))
    wait_for((tmp_path / "ids").exists)
    ids = [int(process) for process in (tmp_path / "ids").read_text().split()]
    assert not any(is_gone(process) for process in ids)
    hook.close()
    wait_for(lambda: all(is_gone(process) for process in ids))


def test_closing_lets_a_short_command_end(notes: Notes) -> None:
    Hook(f"happy={notes.command}", EMOTIONS).close()
    hook = Hook("happy=sh -c 'sleep 0.05; cat'", EMOTIONS)
    hook.write(frame(face()))
    hook.close()
    assert hook._process is not None
    assert hook._process.returncode == 0


def test_a_failure_is_said_until_a_run_succeeds(notes: Notes) -> None:
    (fails := notes.folder / "fails").touch()
    hook = Hook(f"happy={notes.command}", EMOTIONS)
    assert len(feed(hook, notes, frame(face()))) == 1
    for record in (frame(face()), status()):
        with pytest.raises(WaitingError, match="ended with exit status 1"):
            hook.write(record)
    fails.unlink()
    with pytest.raises(WaitingError):
        feed(hook, notes, frame(face(2)))
    assert hook._thread
    hook._thread.join(ENOUGH_S)
    hook.write(frame())


def test_a_program_that_was_deleted_meanwhile(tmp_path: Path) -> None:
    (program := tmp_path / "program").write_text("#!/bin/sh\n")
    program.chmod(0o755)
    hook = Hook(f"happy={program}", EMOTIONS)
    program.unlink()
    hook.write(frame(face()))
    assert hook._thread
    hook._thread.join(ENOUGH_S)
    with pytest.raises(WaitingError, match="cannot be run: No such file"):
        hook.write(frame())


def test_a_command_that_reads_nothing_is_no_failure(notes: Notes) -> None:
    hook = Hook("any=true", EMOTIONS)
    feed(hook, notes, *(frame(face(number)) for number in range(1, 6)), frame())


def test_a_day_of_visitors_is_not_kept() -> None:
    hook = Hook("sad=true", EMOTIONS)
    for number in range(1, 1000):
        hook.write(frame(face(number)))
    assert list(hook._labels) == [999]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("", "one of sad, happy, any, none or status, found ''"),
        ("cheerful=true", "found 'cheerful'"),
        ("Happy=true", "found 'Happy'"),
        ("happy", "Expected a command after --on happy="),
        ("happy=", "Expected a command after --on happy="),
        ("happy='", "Expected a command after --on happy="),
        ("happy=no-such-program-here --now", "no program 'no-such-program-here'"),
        ("happy=/etc", "no program '/etc'"),
        ("happy=''", "no program ''"),
    ],
)
def test_rules_that_are_none(rule: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Hook(rule, EMOTIONS)


def test_a_rule() -> None:
    when, command = parse_rule("sad=sh -c 'echo a=b | cat'", EMOTIONS)
    assert (when, Path(command[0]).name, command[1:]) == ("sad", "sh", ["-c", "echo a=b | cat"])
    assert Path(command[0]).is_absolute()


def test_the_group_that_is_killed_is_not_ours(family: str, tmp_path: Path) -> None:
    hook = Hook(f"happy={family}", EMOTIONS)
    hook.write(FrameRecord(**vars(frame(face()))))
    wait_for((tmp_path / "ids").exists)
    process = int((tmp_path / "ids").read_text().split()[0])
    assert os.getpgid(process) == process != os.getpgrp()
    os.killpg(process, signal.SIGKILL)
    hook.close()
