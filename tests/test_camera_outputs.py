"""The camera's records as documents, in files, on a terminal and as a video."""

import contextlib
import dataclasses
import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from datetime import timedelta, timezone
from pathlib import Path
from typing import get_args

import pytest

from fer_edge.camera.documents import SCHEMA_FILE, csv_header, csv_rows, to_document, to_json
from fer_edge.camera.fanout import EndedError
from fer_edge.camera.frames import Event, FrameRecord, Latency, Record, StatusRecord
from fer_edge.camera.outputs import Csv, JsonLines
from fer_edge.camera.terminal import Terminal
from fer_edge.errors import OutputError
from tests.camera_records import (
    AT,
    EMOTIONS,
    FRAME_LINE,
    STATUS_LINE,
    check,
    face,
    frame,
    status,
)

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("record", "line"), [(frame(face()), FRAME_LINE), (status(), STATUS_LINE)])
def test_golden_lines(record: Record, line: str) -> None:
    assert to_json(to_document(record, EMOTIONS)) == line


def test_times_of_other_zones_are_written_in_utc() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=-5)))
    document = to_document(StatusRecord("back", "", elsewhere), EMOTIONS)
    assert document["timestamp"] == "2026-11-22T09:42:29.125Z"


def test_no_number_that_json_does_not_have() -> None:
    broken = FrameRecord(0, 0, 64, 48, (face(happy=float("nan")),), Latency(None, 0, 0), 0, AT)
    line = to_json(to_document(broken, EMOTIONS))
    document = json.loads(line, parse_constant=pytest.fail)
    assert document["faces"][0]["probabilities"] == {"sad": None, "happy": None}
    check(document)


def test_text_that_is_none_becomes_text() -> None:
    line = to_json(to_document(status("lost /dev/\udcff"), EMOTIONS))
    assert json.loads(line)["message"].encode() == b"lost /dev/?"


# The schema


@pytest.mark.parametrize(
    "record",
    [
        frame(),
        frame(face()),
        frame(face(), face(2, 0.4, is_unsure=True)),
        FrameRecord(0, 0, 1, 1, (), Latency(None, 0, 0), 0),
        *(status(event=event) for event in get_args(Event)),
    ],
    ids=("no face", "one", "two", "least", *get_args(Event)),
)
def test_every_document_is_of_the_schema(record: Record) -> None:
    check(json.loads(to_json(to_document(record, EMOTIONS))))


def test_the_schema_describes_every_field() -> None:
    parts = json.loads(SCHEMA_FILE.read_text())["$defs"]
    document = to_document(frame(face()), EMOTIONS)
    for name, found in [
        ("frame", document),
        ("face", document["faces"][0]),
        ("status", to_document(status(), EMOTIONS)),
    ]:
        assert list(parts[name]["properties"]) == parts[name]["required"] == list(found)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("schema", "fer-edge.camera/2"),
        ("type", "status"),
        ("timestamp", "2026-11-22 09:42:29"),
        ("frame", -1),
        ("frame", True),
        ("width", 0),
        ("dropped", 1.5),
        ("faces", [{}]),
        ("latency_ms", {"detect": None, "classify": 1}),
    ],
)
def test_the_schema_refuses(field: str, wrong: object) -> None:
    with pytest.raises(ValueError, match="none or several"):
        check({**to_document(frame(face()), EMOTIONS), field: wrong})


# JSON Lines


def test_json_lines_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "made" / "faces.jsonl"
    for records in [(frame(face()), status()), (frame(face()),)]:
        output = JsonLines(path, EMOTIONS)
        for record in records:
            output.write(record)
            assert path.read_text().endswith("}\n")  # at once
        output.close()
    assert path.read_text().splitlines() == [FRAME_LINE, STATUS_LINE, FRAME_LINE]


def test_a_line_that_a_power_cut_left_is_ended_first(tmp_path: Path) -> None:
    (path := tmp_path / "faces.jsonl").write_text('{"schema":"fer-e')
    output = JsonLines(path, EMOTIONS)
    output.write(status())
    output.close()
    assert path.read_text().splitlines() == ['{"schema":"fer-e', STATUS_LINE]


def test_json_lines_in_memory() -> None:
    output = JsonLines(stream := io.StringIO(), EMOTIONS)
    output.write(frame(face()))
    output.close()
    assert stream.getvalue() == FRAME_LINE + "\n"


def test_what_was_in_the_streams_buffer_comes_first(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as stream:
        stream.write("before\n")
        output = JsonLines(stream, EMOTIONS)
        output.write(status())
        output.close()
        assert not stream.closed
    assert (tmp_path / "out").read_text() == f"before\n{STATUS_LINE}\n"


@pytest.mark.parametrize("kind", [JsonLines, Csv])
def test_a_full_disk(kind: type[JsonLines] | type[Csv]) -> None:
    if not Path("/dev/full").is_char_device():
        pytest.skip("there is no /dev/full here")
    with pytest.raises(OutputError, match=r"Cannot write /dev/full: No space left"):
        kind(Path("/dev/full"), EMOTIONS).write(frame())


@pytest.mark.parametrize("kind", [JsonLines, Csv])
def test_a_disk_that_fills_and_has_room_again(
    kind: type[JsonLines] | type[Csv], small_disk: Path
) -> None:
    path, filling = small_disk / "out", small_disk / "filling"
    filling.write_bytes(bytes(40 * 1024))
    output = kind(path, EMOTIONS)
    n_before = 0
    with contextlib.suppress(OutputError):
        while n_before < 1000:
            output.write(frame(face()))
            n_before += 1
    with pytest.raises(OutputError, match="No space left"):
        output.write(frame(face()))
    filling.unlink()
    output.write(frame(face()))
    output.close()
    whole = {JsonLines: FRAME_LINE, Csv: CSV_ROW}[kind]
    lines = path.read_text().splitlines()[kind is Csv :]
    assert 50 < n_before < 1000
    assert lines == [whole] * (n_before + 1)


def test_a_pipe_that_nobody_reads_has_ended() -> None:
    script = f"""
        import sys; sys.path.insert(0, {str(ROOT)!r})
        from fer_edge.camera.fanout import EndedError
        from fer_edge.camera.outputs import JsonLines
        from tests.camera_records import EMOTIONS, status
        output = JsonLines(sys.stdout, EMOTIONS)
        output.write(status())
        sys.stdin.readline()
        try:
            while True:
                output.write(status())
        except EndedError as exc:
            print(exc, file=sys.stderr)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == STATUS_LINE + "\n"
        process.stdout.close()
        process.stdin.write("\n")
        process.stdin.close()
        process.stdin = process.stdout = None
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said == "Nobody reads the JSON lines any more; it has ended.\n"


def test_a_pipe_that_does_not_block_gets_whole_lines() -> None:
    """As some parents leave stdout: what does not fit is waited for."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    n, chunks = 2000, []  # 250 KiB, four times what a pipe holds
    with os.fdopen(writer, "w") as stream:
        output = JsonLines(stream, EMOTIONS)
        child = os.fork()
        if child == 0:  # a reader that is never in a hurry
            os.close(writer)
            while chunk := os.read(reader, 4096):
                chunks.append(chunk)
            os._exit(0 if b"".join(chunks).decode() == (STATUS_LINE + "\n") * n else 1)
        os.close(reader)
        for _ in range(n):
            output.write(status())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# CSV

CSV_HEADER = (
    "timestamp,time_s,frame,width,height,face,x,y,w,h,emotion,unsure,p_sad,p_happy,"
    "detect_ms,classify_ms,total_ms,dropped"
)
CSV_ROW = (
    "2026-11-22T09:42:29.125Z,12.346,7,64,48,1,10.0,0.0,31.3,31.3,happy,0,0.25,0.75,8.31,0.6,31.4,2"
)
CSV_NOBODY = "2026-11-22T09:42:29.125Z,12.346,7,64,48,,,,,,,,,,8.31,0.6,31.4,2"


def test_csv_has_a_row_a_face_and_one_for_nobody(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    output = Csv(path, EMOTIONS)
    assert path.read_text() == CSV_HEADER + "\n"
    records: list[Record] = [frame(face()), status(), frame()]
    for record in records:
        output.write(record)
    assert path.read_text().splitlines() == [CSV_HEADER, CSV_ROW, CSV_NOBODY]
    output.close()
    again = Csv(path, EMOTIONS)
    again.write(frame(face()))
    again.close()
    assert path.read_text().splitlines() == [CSV_HEADER, CSV_ROW, CSV_NOBODY, CSV_ROW]


def test_csv_rows_have_the_headers_cells() -> None:
    rows = csv_rows(frame(face(), face(2)), EMOTIONS)
    assert [row[5] for row in rows] == [1, 2]
    for row in [*rows, *csv_rows(frame(), EMOTIONS)]:
        assert len(row) == len(csv_header(EMOTIONS))


@pytest.mark.parametrize(
    "before",
    ["a,b\n1,2\n", CSV_HEADER.replace("p_sad", "p_angry") + "\n", CSV_HEADER],
    ids=["another table", "another model's", "a header without its end"],
)
def test_csv_leaves_another_table_alone(before: str, tmp_path: Path) -> None:
    (path := tmp_path / "faces.csv").write_text(before)
    with pytest.raises(OutputError, match="is another file, or one of another model"):
        Csv(path, EMOTIONS)
    assert path.read_text() == before


@pytest.mark.parametrize("kind", [JsonLines, Csv])
def test_a_deleted_file_is_made_again(kind: type[JsonLines] | type[Csv], tmp_path: Path) -> None:
    path = tmp_path / "folder" / "out"
    output = kind(path, EMOTIONS)
    output.write(frame(face()))
    shutil.rmtree(path.parent)
    with pytest.raises(OutputError, match="it was deleted"):
        output.write(frame(face()))
    output.write(frame(face()))
    output.close()
    assert len(path.read_text().splitlines()) == 1 + (kind is Csv)


def test_json_lines_leave_another_file_alone(tmp_path: Path) -> None:
    (path := tmp_path / "film.avi").write_bytes(b"RIFF....AVI ")
    with pytest.raises(OutputError, match="left as it is"):
        JsonLines(path, EMOTIONS)
    assert path.read_bytes() == b"RIFF....AVI "


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=re.escape(os.strerror(errno.EISDIR))):
        Csv(tmp_path, EMOTIONS)


# The terminal


class Screen(io.StringIO):
    """A terminal that keeps what it is sent."""

    def isatty(self) -> bool:
        return True


def written(stream: io.StringIO, records: Sequence[Record]) -> str:
    """Returns what is shown of records that come at their frames' times, by a steady clock."""
    now_s = 0.0
    output = Terminal(stream, EMOTIONS, clock=lambda: now_s)
    for record in records:
        if isinstance(record, FrameRecord):
            now_s = record.time_s
        output.write(record)
    output.close()
    return stream.getvalue()


def test_a_log_gets_a_line_a_change_or_a_second() -> None:
    happy, unsure = face(), face(happy=0.51, is_unsure=True)
    at = [0, 0.3, 0.6, 0.9, 1.2, 2.1, 2.15]
    shown = [(happy,), (happy,), (unsure,), (unsure,), (), (), ()]
    records = [frame(*faces, time_s=t) for t, faces in zip(at, shown, strict=True)]
    assert written(io.StringIO(), [*records[:4], status(), *records[4:]]).splitlines() == [
        " 0.0 fps   31 ms  2 dropped | #1 happy 75%",
        " 3.3 fps   31 ms  2 dropped | #1 happy? 51%",
        "stalled: no frame for 5 s",
        " 3.3 fps   31 ms  2 dropped | no face",
    ]


def test_a_clock_that_is_set_does_not_change_the_rate() -> None:
    hour = timedelta(hours=1)
    records = [frame(time_s=t / 10) for t in range(31)]
    set_back = [
        dataclasses.replace(r, at=AT - hour if i > 15 else AT) for i, r in enumerate(records)
    ]
    lines = written(io.StringIO(), set_back).splitlines()
    assert [line.split(" fps")[0].strip() for line in lines] == ["0.0", "10.0", "10.0", "10.0"]


def test_a_log_is_not_silent_while_nothing_changes() -> None:
    lines = written(io.StringIO(), [frame(time_s=t / 10) for t in range(31)]).splitlines()
    assert len(lines) == 4  # at 0, 1, 2 and 3 s


def test_a_terminals_line_is_written_over() -> None:
    records: list[Record] = [frame(face(), time_s=0), status(), frame(face(), time_s=0.5)]
    assert written(Screen(), records) == (
        "\r\x1b[K 0.0 fps   31 ms  2 dropped | #1 happy 75%"
        "\r\x1b[Kstalled: no frame for 5 s\n"
        "\r\x1b[K 2.0 fps   31 ms  2 dropped | #1 happy 75%\n"
    )


def test_a_terminals_line_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    line = written(Screen(), [frame(*(face(n) for n in range(1, 9)))])
    assert len(line.removeprefix("\r\x1b[K").removesuffix("\n")) == 39


def test_nothing_from_outside_steers_the_terminal() -> None:
    text = written(Screen(), [status("cam\x1b]0;title\x07\r\n\x9b2J")])
    assert text == "stalled: cam?]0;title????2J\n"


def test_a_terminal_without_the_letters(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="ascii") as stream:
        Terminal(stream, EMOTIONS).write(status("café"))
    assert (tmp_path / "log").read_bytes() == b"stalled: caf?\n"


def test_a_terminal_that_has_gone() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream, pytest.raises(EndedError, match="Nobody reads"):
        Terminal(stream, EMOTIONS).write(status())
