"""Commands that run when a face begins to show an emotion. The loop never waits for one."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.documents import to_document, to_json
from fer_edge.camera.fanout import WaitingError
from fer_edge.camera.frames import FrameRecord, Record, TrackedFace
from fer_edge.errors import ConfigError

LONGEST_RUN_S = 10.0
CLOSING_S = 0.8
ANY, NONE, STATUS = "any", "none", "status"


class Hook:
    """Runs a command when the shown emotion of a face becomes what the rule names.

    A face that is unsure has not become anything yet. The command gets a frame's document with
    that face alone on its stdin, and FER_EDGE_EMOTION, FER_EDGE_FACE_ID and FER_EDGE_PROBABILITY;
    for `none` the document of the empty frame, for `status` the status. It runs without a shell,
    its output is thrown away, its errors go where ours go. While it runs what else happens is
    dropped and counted; after ten seconds it is killed with all that it has started.

    Args:
        rule: `happy=CMD` for an emotion, `any=CMD` for each change and each new face, `none=CMD`
            when the last face has gone, `status=CMD` for what happens to camera and outputs.
        emotions: The model's class names in label order.
        longest_run_s: After which a command is killed.

    Raises:
        ConfigError: No such emotion, or no such program.
    """

    def __init__(
        self, rule: str, emotions: Sequence[str], *, longest_run_s: float = LONGEST_RUN_S
    ) -> None:
        self._when, self._command = parse_rule(rule, emotions)
        self.name = f"on {self._when}"
        self.n_dropped = 0
        self._emotions, self._longest_run_s = emotions, longest_run_s
        self._labels: dict[int, int] = {}
        self._had_faces = False
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[str] | None = None
        self._trouble: str | None = None

    def write(self, record: Record, image: NDArray[np.uint8] | None = None) -> None:  # noqa: ARG002
        """Runs the command if it is its time.

        Raises:
            WaitingError: The last run failed; the next is tried all the same.
        """
        if isinstance(record, FrameRecord):
            self._look_at(record)
        elif self._when == STATUS:
            self._run(to_json(to_document(record, self._emotions)), {})
        if self._trouble:
            raise WaitingError(self._trouble)

    def close(self) -> None:
        """Gives a command that runs another moment, then kills it."""
        if self._thread is None:
            return
        self._thread.join(CLOSING_S)
        if self._process is not None and self._thread.is_alive():
            _kill(self._process)

    def _look_at(self, record: FrameRecord) -> None:
        """Runs the command once for each face that became what the rule names."""
        if self._when == NONE and self._had_faces and not record.faces:
            self._run(to_json(to_document(record, self._emotions)), {})
        self._had_faces = bool(record.faces)
        for face in self._changed(record.faces):
            if self._when in (ANY, self._emotions[face.label]):
                self._run(self._alone(record, face), self._variables(face))

    def _changed(self, faces: Sequence[TrackedFace]) -> list[TrackedFace]:
        """Returns the faces that surely show another emotion than they did, or are new."""
        changed = [
            face for face in faces if not face.is_unsure and self._labels.get(face.id) != face.label
        ]
        # Faces that left are forgotten, or an exhibition's day of visitors would stay here.
        known = {face.id: self._labels[face.id] for face in faces if face.id in self._labels}
        self._labels = known | {face.id: face.label for face in changed}
        return changed

    def _alone(self, record: FrameRecord, face: TrackedFace) -> str:
        document = to_document(record, self._emotions)
        document["faces"] = [found for found in document["faces"] if found["id"] == face.id]
        return to_json(document)

    def _variables(self, face: TrackedFace) -> dict[str, str]:
        return {
            "FER_EDGE_EMOTION": self._emotions[face.label],
            "FER_EDGE_FACE_ID": str(face.id),
            "FER_EDGE_PROBABILITY": f"{float(face.probabilities[face.label]):.4f}",
        }

    def _run(self, document: str, variables: Mapping[str, str]) -> None:
        """Runs the command in a thread of its own, unless it is running."""
        if self._thread is not None and self._thread.is_alive():
            self.n_dropped += 1
            return
        self._thread = threading.Thread(
            target=self._run_and_wait, args=[document, variables], daemon=True
        )
        self._thread.start()

    def _run_and_wait(self, document: str, variables: Mapping[str, str]) -> None:
        try:
            with subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,  # ours may carry JSON lines
                env={**os.environ, **variables},
                start_new_session=True,
                text=True,
            ) as self._process:
                self._trouble = self._wait(self._process, document)
        except OSError as exc:
            self._trouble = f"{self._command[0]} cannot be run: {exc.strerror}"

    def _wait(self, process: subprocess.Popen[str], document: str) -> str | None:
        """Returns what went wrong with a run, None if nothing did."""
        try:
            process.communicate(document + "\n", self._longest_run_s)
        except subprocess.TimeoutExpired:
            _kill(process)
            return f"{self._command[0]} took over {self._longest_run_s:g} s and was killed"
        if process.returncode == 0:
            return None
        return f"{self._command[0]} ended with exit status {process.returncode}"


def parse_rule(rule: str, emotions: Sequence[str]) -> tuple[str, list[str]]:
    """Returns when a rule's command runs, and the command with its program's full path.

    Raises:
        ConfigError: The rule is none, or there is no such emotion or program.
    """
    when, _, command = rule.partition("=")
    if when not in (*emotions, ANY, NONE, STATUS):
        raise ConfigError(
            f"Expected --on EMOTION=COMMAND with one of {', '.join(emotions)}, {ANY}, {NONE} or "
            f"{STATUS}, found {when!r}."
        )
    try:
        program, *arguments = shlex.split(command)
    except ValueError as exc:  # an open quotation mark, or nothing at all
        raise ConfigError(f"Expected a command after --on {when}=, found {command!r}.") from exc
    found = shutil.which(program)
    if found is None:
        raise ConfigError(
            f"--on {when}: there is no program {program!r} to run. Install it, or write its full "
            "path. It is no shell's command: for one, write sh -c '...'."
        )
    return when, [found, *arguments]


def _kill(process: subprocess.Popen[str]) -> None:
    """Kills a command with its process group, which is its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
