"""Pages of which commands write parts: what is replaced, and what is left alone."""

from pathlib import Path

import pytest

from fer_edge.errors import OutputError
from fer_edge.page import check_page, has_part, keep_parts, write_part

PAGE = """# Page

<!-- one: begin -->

old

<!-- one: end -->

Words.
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return path


def test_a_part_is_replaced_where_it_stands(page: Path) -> None:
    write_part(page, "one", "new\n")
    assert page.read_text() == PAGE.replace("old", "new")
    assert has_part(page, "one")
    assert not has_part(page, "two")


def test_a_part_that_is_not_there_comes_at_the_end(page: Path, tmp_path: Path) -> None:
    write_part(page, "two", "more")
    assert page.read_text() == (f"{PAGE}\n<!-- two: begin -->\n\nmore\n<!-- two: end -->\n")
    write_part(page, "two", "other")
    assert page.read_text().count("two: begin") == 1
    assert "other" in page.read_text()
    write_part(tmp_path / "new.md", "two", "more")
    assert (tmp_path / "new.md").read_text().startswith("<!-- two: begin -->")


def test_a_new_text_keeps_the_parts_of_the_old_one(page: Path, tmp_path: Path) -> None:
    kept = keep_parts(page, "# New\n")
    assert kept == "# New\n\n<!-- one: begin -->\n\nold\n\n<!-- one: end -->\n"
    assert keep_parts(tmp_path / "absent.md", "# New\n") == "# New\n"


@pytest.mark.parametrize("mark", ["<!-- one: begin -->", "<!-- one: end -->"])
def test_one_mark_alone_is_an_error_and_nothing_is_written(page: Path, mark: str) -> None:
    page.write_text(PAGE.replace(mark, ""))
    before = page.read_text()
    with pytest.raises(OutputError, match="marks of the part 'one'"):
        write_part(page, "one", "new")
    assert page.read_text() == before


@pytest.mark.parametrize("text", [PAGE + PAGE, PAGE.replace("one: end", "one: begin")])
def test_a_part_twice_is_an_error(page: Path, text: str) -> None:
    page.write_text(text)
    with pytest.raises(OutputError, match=r"(2 and 2|2 and 0) times"):
        write_part(page, "one", "new")


def test_any_name_is_found_again(page: Path) -> None:
    for text in ("first", "second"):
        write_part(page, "verify a > b", text)
    assert page.read_text().count("a > b: begin") == 1
    assert "first" not in page.read_text()


def test_what_is_no_page_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    for page in (tmp_path, tmp_path / "latin.md"):
        with pytest.raises(OutputError, match="no page of UTF-8 text"):
            check_page(page, "one")
