"""Zips and tars: what is hostile or damaged in them is refused, and soon."""

import contextlib
import gzip
import io
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_edge.data import archives
from fer_edge.data.archives import open_archive
from fer_edge.errors import DataError
from tests.layouts import write_tar, write_zip
from tests.test_tree import ARCHIVES, contents_of, pack


def test_what_an_archive_is_its_first_bytes_say(tmp_path: Path) -> None:
    """A tar whose last file is a zip looks like a zip to whoever looks at its end."""
    inner = write_zip(tmp_path / "inner.zip", {"inner.txt": b"x"}).read_bytes()
    path = write_tar(tmp_path / "t.zip", {"a.txt": b"a", "z.zip": inner})
    assert list(open_archive(path).sizes) == ["a.txt", "z.zip"]
    path = write_zip(tmp_path / "t.tar.gz", {"a.txt": b"a"})
    assert list(open_archive(path).sizes) == ["a.txt"]


def test_backslashes_and_dots_are_read_as_what_they_mean(tmp_path: Path) -> None:
    contents = {"happy\\1.jpg": b"1", "./sad//2.jpg": b"2", "fear\\": b""}
    found = open_archive(write_zip(tmp_path / "t.zip", contents))
    assert contents_of(found) == {"happy/1.jpg": b"1", "sad/2.jpg": b"2"}
    assert found.empty_folders == ["fear"]
    found = open_archive(write_tar(tmp_path / "t.tar", {"./": b"", "./sad/2.jpg": b"2"}))
    assert contents_of(found) == {"sad/2.jpg": b"2"}
    assert found.empty_folders == []


@pytest.mark.parametrize("name", ["t.zip", "t.tar.gz"])
def test_of_equal_names_the_last_counts(name: str, tmp_path: Path) -> None:
    """As unpacking them would have it."""
    items = [("a.txt", b"first"), ("b.txt", b"b"), ("./a.txt", b"and last")]
    path = (write_zip if name == "t.zip" else write_tar)(tmp_path / name, items)
    found = open_archive(path)
    assert found.sizes == {"a.txt": 8, "b.txt": 1}
    assert contents_of(found) == {"a.txt": b"and last", "b.txt": b"b"}
    with found.open("a.txt") as file:
        assert file.read() == b"and last"
    assert found.notes == ["1 skipped, their names come again: the last one counts"]


def entry(name: str, kind: bytes, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def test_links_devices_and_pipes_in_a_tar_are_counted(tmp_path: Path) -> None:
    extra = [
        entry("hard.jpg", tarfile.LNKTYPE, linkname="a.txt"),
        entry("soft.jpg", tarfile.SYMTYPE, linkname="/etc/passwd"),
        entry("zero", tarfile.CHRTYPE, devmajor=1, devminor=5),
        entry("pipe", tarfile.FIFOTYPE),
    ]
    found = open_archive(write_tar(tmp_path / "t.tar", {"a.txt": b"a"}, extra))
    assert list(found.sizes) == ["a.txt"]
    assert found.notes == ["4 skipped, links, pipes or devices: hard.jpg, pipe, soft.jpg, …"]


def zip_with(field: str, value: int) -> Callable[[Path], None]:
    """Returns what sets a field of the end record of a zip."""

    def change(path: Path) -> None:
        content = bytearray(write_zip(path, {"a.txt": b"a"}).read_bytes())
        at = len(content) - 22 + {"entries": 10, "size": 12, "offset": 16}[field]
        struct.pack_into("<H" if field == "entries" else "<I", content, at, value)
        path.write_bytes(content)

    return change


def locked_zip(path: Path) -> None:
    content = bytearray(write_zip(path, {"a.txt": b"a"}).read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)


def deep_zip(path: Path) -> None:
    write_zip(path, {"a/" * 17 + "x.jpg": b""})


def raw_tar(*headers: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(b"".join(headers) + bytes(1024))


def header(kind: bytes, size: int, name: str = "x") -> bytes:
    return entry(name, kind, size=size).tobuf(tarfile.GNU_FORMAT)


def negative_size() -> bytes:
    content = bytearray(header(tarfile.REGTYPE, 0))
    content[124:136] = b"\xff" * 10 + (65536 - 512).to_bytes(2, "big")  # -512
    total = sum(content[:148]) + sum(content[156:512]) + 8 * 32
    content[148:156] = b"%06o\0 " % total
    return bytes(content)


@pytest.mark.parametrize(
    ("name", "write", "says"),
    [
        pytest.param("t.zip", lambda p: p.write_bytes(b""), "Cannot read", id="no bytes"),
        pytest.param("t.zip", lambda p: p.write_bytes(b"PK\3\4" + bytes(99)), "missing", id="zip"),
        pytest.param("t.zip", zip_with("size", 2**32 - 2), "4,096 MiB", id="zip's directory"),
        pytest.param("t.zip", zip_with("size", 10_000), "Cannot read", id="no such directory"),
        pytest.param("t.zip", locked_zip, "password", id="password"),
        pytest.param(
            "t.zip", lambda p: write_zip(p, {"../a": b"a"}), "points out of it", id="zip, up"
        ),
        pytest.param(
            "t.zip", lambda p: write_zip(p, {"a\\..\\..\\b": b""}), "points out", id="zip, up by \\"
        ),
        pytest.param("t.zip", lambda p: write_zip(p, {"/a": b"a"}), "points out", id="zip, root"),
        pytest.param("t.zip", lambda p: write_zip(p, {"C:a": b"a"}), "points out", id="zip, drive"),
        pytest.param("t.zip", deep_zip, "folders deep", id="zip, deep"),
        pytest.param(
            "t.zip", lambda p: write_zip(p, {"a" * 2000: b""}), "characters long", id="long name"
        ),
        pytest.param("t.tar", lambda p: p.write_bytes(b"hello" * 999), "Cannot read", id="text"),
        pytest.param(
            "t.tar", lambda p: write_tar(p, {"a/../../b": b""}), "points out", id="tar, up"
        ),
        pytest.param("t.tar", lambda p: write_tar(p, {"/a": b"a"}), "points out", id="tar, root"),
        pytest.param("t.tar", lambda p: write_tar(p, {"a" * 2000: b""}), "long", id="tar, long"),
        pytest.param("t.tar", raw_tar(header(tarfile.REGTYPE, 2**36)), "GiB", id="64 GiB file"),
        pytest.param("t.tar", raw_tar(negative_size()), "Cannot read", id="negative size"),
        pytest.param(
            "t.tar", raw_tar(*[header(tarfile.GNUTYPE_LONGNAME, 0)] * 9999), "Cannot", id="nested"
        ),
        pytest.param(
            "t.tgz",
            lambda p: p.write_bytes(gzip.compress(b"a")),
            "Cannot read",
            id="gzip of no tar",
        ),
        pytest.param("t.tgz", lambda p: p.write_bytes(b"\x1f\x8b" * 9), "Cannot", id="broken gzip"),
        pytest.param(
            "t.tar.xz", lambda p: p.write_bytes(b"\xfd7zXZ\0" + bytes(99)), "Cannot", id="broken xz"
        ),
        pytest.param("t.tar.bz2", lambda p: p.write_bytes(b"BZh9no"), "Cannot", id="broken bz2"),
    ],
)
def test_archives_that_are_refused(
    name: str, write: Callable[[Path], object], says: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    write(path)
    with pytest.raises(DataError) as caught:
        open_archive(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_is_cut_anywhere_is_refused(name: str, tmp_path: Path) -> None:
    """Also between two files of a plain tar, where nothing but the end mark is missing."""
    files = {f"happy/{n}.jpg": os.urandom(700) for n in range(12)}
    content = pack(tmp_path / name, files).read_bytes()
    end = len(content) if name != "t.tar" else len(content.rstrip(b"\0"))
    for cut in [*range(0, end - 20, 211), end - 21]:
        (tmp_path / name).write_bytes(content[:cut])
        with pytest.raises(DataError):
            contents_of(open_archive(tmp_path / name))


def test_a_damaged_file_in_a_zip_comes_as_no_bytes(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "t.zip", {"a": bytes(5000), "b": b"b"})
    content = bytearray(path.read_bytes())
    content[40] ^= 0xFF
    path.write_bytes(content)
    assert contents_of(open_archive(path)) == {"a": b"", "b": b"b"}


def test_a_tar_that_changes_between_listing_and_reading(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "t.tar", {"a": b"a", "b": b"b"})
    found = open_archive(path)
    write_tar(path, {"b": b"b", "c": b"c"})
    assert contents_of(found) == {}
    with pytest.raises(DataError, match="changed while it was read"), found.open("a"):
        pass


def test_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_BYTES", 1000)
    for name in ("t.zip", "t.tar"):
        assert open_archive(pack(tmp_path / name, {"a": bytes(600), "b": bytes(400)})).sizes
        with pytest.raises(DataError, match="unpacks to over"):
            open_archive(pack(tmp_path / name, {"a": bytes(600), "b": bytes(401)}))


def million_entries(path: Path) -> None:
    """A zip's directory of a million names, 47 MB, and nothing else."""
    one = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, *[0] * 9, 1, *[0] * 6) + b"a"
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0, 0, len(one) * 10**6, 4, 0)
    path.write_bytes(b"PK\3\4" + one * 10**6 + end)


def million_entries_of_64_bits(path: Path) -> None:
    """The same, with a size in the old record that looks harmless."""
    million_entries(path)
    content = path.read_bytes()[:-22]
    n_bytes = len(content) - 4
    end = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, 1, 1, n_bytes, 4)
    where = struct.pack("<IIQI", 0x07064B50, 0, len(content), 1)
    old = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, 47, 4, 0)
    path.write_bytes(content + end + where + old)


def long_name(kind: bytes) -> Callable[[Path], None]:
    """Returns what writes a tar whose first header says that a name of 200 MiB follows."""

    def write(path: Path) -> None:
        size = 200 * 2**20
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.write(header(kind, size))
            for _ in range(200):
                file.write(b"7" * 2**20)

    return write


def sparse(path: Path) -> None:
    """A tar with a map of holes without end, which Python reads whole, number by number."""
    record = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
    start = header(tarfile.XHDTYPE, len(record)) + record.ljust(512, b"\0")
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(start + header(tarfile.REGTYPE, 512) + b"99999999\n")
        for _ in range(100):
            file.write(b"1\n" * 2**19)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        pytest.param("t.zip", million_entries, id="a million entries"),
        pytest.param("t.zip", million_entries_of_64_bits, id="a million entries, 64 bits"),
        pytest.param("t.tgz", long_name(tarfile.GNUTYPE_LONGNAME), id="GNU name"),
        pytest.param("t.tgz", long_name(tarfile.XHDTYPE), id="pax header"),
        pytest.param("t.tgz", sparse, id="sparse map"),
    ],
)
def test_memory_is_bounded(name: str, write: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / name
    write(path)
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from fer_edge.coldstart import peak_memory_bytes\n"
        "from fer_edge.data.archives import open_archive\nfrom fer_edge.errors import DataError\n"
        "before = peak_memory_bytes()\n"
        "try:\n    open_archive(Path(sys.argv[1]))\n"
        "except DataError:\n    print((peak_memory_bytes() - before) // 2**20)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 150  # MiB; without a bound 350 to 1,000


def small_archives() -> list[bytes]:
    """Returns a zip and a tar, to be damaged."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(3):
            archive.writestr(f"happy/{n}.jpg", bytes([n]) * 50)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for n in range(3):
            made = entry(f"happy/ü{n}.jpg", tarfile.REGTYPE, size=50)
            tar.addfile(made, io.BytesIO(bytes([n]) * 50))
    return [packed.getvalue(), plain.getvalue()[:8192]]


ALL_BYTES = st.one_of(
    st.binary(max_size=600),
    st.builds(bytes.__add__, st.sampled_from([b"PK\3\4", b"\x1f\x8b\x08", b"BZh9"]), st.binary()),
    st.binary(max_size=600).map(gzip.compress),
)
CHANGES = st.lists(st.tuples(st.integers(0, 8191), st.integers(0, 255)), max_size=8)


@settings(max_examples=150, deadline=None)
@given(content=ALL_BYTES)
def test_arbitrary_bytes_are_files_or_an_error_of_ours(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.zip"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        found = open_archive(path)
        assert set(contents_of(found)) <= set(found.sizes)


@settings(max_examples=300, deadline=None)
@given(which=st.integers(0, 1), changes=CHANGES, cut=st.integers(0, 8192))
def test_damaged_archives_are_files_or_an_error_of_ours(
    which: int, changes: list[tuple[int, int]], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    content = bytearray(small_archives()[which])
    for at, value in changes:
        content[at % len(content)] = value
    path.write_bytes(content[: max(cut, 600)])
    with contextlib.suppress(DataError):
        found = open_archive(path)
        assert set(contents_of(found)) <= set(found.sizes)
