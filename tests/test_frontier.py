"""The frontier's picture: what is published has a source, what is ours has its split and n."""

import dataclasses
import itertools
import json
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from fer_edge.bench import Timer, run_bench
from fer_edge.catalog import SHIPPED
from fer_edge.errors import ConfigError
from fer_edge.plan import make_plan
from tests.load_script import load_script

PUBLISHED = Path(__file__).parents[1] / "docs" / "published.toml"
ROW = {
    "name": '"a net"',
    "accuracy_percent": "70.5",
    "split": '"PrivateTest"',
    "parameters": "60_000",
    "by": '"authors"',
    "source": '"arXiv:1"',
}


@pytest.fixture(scope="module")
def frontier() -> ModuleType:
    return load_script("frontier")


@pytest.fixture(scope="module")
def frontier_data() -> ModuleType:
    return load_script("frontier_data")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of the shipped int8 file, and of its bytes as a stranger's."""
    folder = tmp_path_factory.mktemp("bench")
    ours = SHIPPED / "small" / "int8.tflite"
    shutil.copyfile(ours, folder / "stranger.tflite")
    names = [str(ours), str(folder / "stranger.tflite")]
    plan = make_plan(names, data="sample", split="validation")
    done = run_bench(plan.candidates, plan.data, Timer(rounds=5, cold_start=False))
    done.write(folder / "bench.json")
    return folder / "bench.json"


def toml_row(**changes: str | None) -> str:
    fields = {key: value for key, value in (ROW | changes).items() if value is not None}
    return "[[system]]\n" + "\n".join(f"{key} = {value}" for key, value in fields.items())


def written_in(svg: Path) -> list[str]:
    """Returns the texts of a picture: matplotlib draws them as paths, and notes each beside it."""
    return re.findall(r"<!-- (.*?) -->", svg.read_text())


def test_every_published_row_has_a_source_and_a_split(frontier_data: ModuleType) -> None:
    systems = frontier_data.parse_published(PUBLISHED.read_text())
    assert len({system.name for system in systems}) == len(systems) >= 15
    for system in systems:
        assert system.source.strip(), system.name
        assert system.split == "PrivateTest", system.name
        assert system.by in ("authors", "measured"), system.name
        assert 50 < system.accuracy_percent < 77, system.name  # above, it is disputed or leaks
    known = {system.name: system for system in systems}
    assert known["EmoNeXt-XL"].accuracy_percent == 76.12
    assert known["EmoNeXt-XL"].source == "arXiv:2501.08199"
    assert known["EmoNeXt-XL"].parameters is None
    assert known["big-XCEPTION"].parameters == 209_000
    assert [s.name for s in systems if s.by == "measured"][-1] == "face-api 1.7.15"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(toml_row(source=None), id="no source"),
        pytest.param(toml_row(source='""'), id="an empty source"),
        pytest.param(toml_row(split=None), id="no split"),
        pytest.param(toml_row(split='"test"'), id="a split of other words"),
        pytest.param(toml_row(accuracy_percent="0"), id="nothing"),
        pytest.param(toml_row(accuracy_percent="170.5"), id="over a hundred"),
        pytest.param(toml_row(accuracy_percent='"70"'), id="text for a number"),
        pytest.param(toml_row(parameters='"many"'), id="a word for a number"),
        pytest.param(toml_row(parameters="0"), id="no parameters"),
        pytest.param(toml_row(flops="3"), id="an unknown field"),
        pytest.param(toml_row(label='"behind"'), id="a side of other words"),
        pytest.param(toml_row(by='"a friend"'), id="an unknown reporter"),
        pytest.param("title = 1", id="no system"),
        pytest.param("system = 1", id="a number for a system"),
        pytest.param("[[system", id="no TOML"),
    ],
)
def test_a_row_that_cannot_be_traced_is_refused(text: str, frontier_data: ModuleType) -> None:
    with pytest.raises(ConfigError):
        frontier_data.parse_published(text)


def test_a_row_may_leave_out_what_is_not_known(frontier_data: ModuleType) -> None:
    [whole] = frontier_data.parse_published(toml_row())
    assert (whole.accuracy_percent, whole.parameters) == (70.5, 60_000)
    [bare] = frontier_data.parse_published(toml_row(parameters=None))
    assert (bare.parameters, bare.note) == (None, "")


def test_a_benchmark_is_read(frontier_data: ModuleType, bench: Path) -> None:
    document = json.loads(bench.read_text())
    found = frontier_data.read_benchmark(f"small={bench}")
    assert dict(found.split) == {
        "source": "sample",
        "sha256": document["data"]["sha256"],
        "split": "validation",
        "n": 280,
    }
    ours, stranger = found.results
    assert (ours.name, ours.group, stranger.name, stranger.group) == (
        "small int8",
        "ours",
        "stranger",
        "peer",
    )
    top1 = document["results"][0]["evaluation"]["top1"]
    assert ours.percent == 100 * top1["value"]
    assert ours.percent_range == (100 * top1["low"], 100 * top1["high"])
    invoke = document["results"][0]["latency"][0]
    assert (invoke["what"], invoke["n_threads"]) == ("invoke", 1)
    assert ours.timing.p50_ms == invoke["p50_ms"]["value"]
    assert ours.size_bytes == (SHIPPED / "small" / "int8.tflite").stat().st_size
    assert frontier_data.read_benchmark(str(bench)).results[0].name == "fer-edge int8"


def test_of_several_models_each_keeps_its_name(frontier_data: ModuleType, bench: Path) -> None:
    document = json.loads(bench.read_text())
    row = document["results"][0]
    variants = ("keras", "float32", "float16", "dynamic", "int8")
    document["results"] = [{**row, "name": f"nano/{v}", "variant": v} for v in variants]
    found = frontier_data.parse_benchmark(json.dumps(document), name="unused").results
    assert [(r.name, r.group) for r in found] == [
        ("nano float32", "ours in float32"),
        ("nano int8", "ours"),
    ]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 2}', '{"schema_version": 1}'])
def test_what_is_no_benchmark_is_refused(text: str, frontier_data: ModuleType) -> None:
    with pytest.raises(ConfigError, match="Cannot read the benchmark"):
        frontier_data.parse_benchmark(text)


def test_a_benchmark_with_nothing_to_draw_is_refused(
    frontier_data: ModuleType, bench: Path
) -> None:
    document = json.loads(bench.read_text()) | {"results": []}
    with pytest.raises(ConfigError, match="nothing to draw"):
        frontier_data.parse_benchmark(json.dumps(document))


def test_a_benchmark_without_ours_is_refused(
    frontier: ModuleType, frontier_data: ModuleType, bench: Path
) -> None:
    one = frontier_data.read_benchmark(str(bench))
    strangers = dataclasses.replace(one, results=one.results[1:])
    with pytest.raises(ConfigError, match="no int8 model of ours"):
        frontier.make_panels([strangers], frontier_data.parse_published(toml_row()))


def test_times_of_other_runs_are_not_shown(
    frontier: ModuleType, frontier_data: ModuleType, bench: Path
) -> None:
    first, second = (frontier_data.read_benchmark(f"{name}={bench}") for name in ("nano", "small"))
    slower = dataclasses.replace(
        second.results[0], timing=dataclasses.replace(second.results[0].timing, p50_ms=99.0)
    )
    second = dataclasses.replace(second, results=(slower,))
    panel, _ = frontier.make_panels([first, second], frontier_data.parse_published(toml_row()))
    assert [" ms" in mark.label for mark in panel.marks[:2]] == [True, False]


def test_figures_of_different_splits_are_not_put_together(
    frontier: ModuleType, frontier_data: ModuleType, bench: Path
) -> None:
    published = frontier_data.parse_published(toml_row())
    one = frontier_data.read_benchmark(str(bench))
    other = dataclasses.replace(one, split={**one.split, "split": "test"})
    with pytest.raises(ConfigError, match="benchmarks of one split"):
        frontier.make_panels([one, other], published)
    mixed = [*published, dataclasses.replace(published[0], split="PublicTest")]
    with pytest.raises(ConfigError, match="published figures of one split"):
        frontier.make_panels([one], mixed)


def test_the_picture_holds_every_label_and_says_what_it_shows(
    frontier: ModuleType, frontier_data: ModuleType, bench: Path, tmp_path: Path
) -> None:
    out = tmp_path / "frontier.svg"
    frontier.main([f"small={bench}", "--published", str(PUBLISHED), "--out", str(out)])
    written = written_in(out)
    for system in frontier_data.parse_published(PUBLISHED.read_text()):
        label = f"{system.name} ({system.note})" if system.note else system.name
        assert written.count(label) == 1, label
    [ours, stranger] = frontier_data.read_benchmark(f"small={bench}").results
    for timed in (ours, stranger):
        assert timed.name + timed.timing.star in written
    kib = f"{(SHIPPED / 'small' / 'int8.tflite').stat().st_size / 1024:.0f}"
    assert f"{kib} KiB · {ours.timing.p50_ms:.3g} ms{ours.timing.star}" in written
    everything = "\n".join(written)
    assert "fer-edge, int8: PublicTest (validation), n = 280, single crop" in everything
    assert "published: PrivateTest, as their authors report" in everything
    assert "parameters (log scale)" in everything
    assert "not stated" in everything


def test_labels_of_the_picture_do_not_overlap(
    frontier: ModuleType, frontier_data: ModuleType, bench: Path, tmp_path: Path
) -> None:
    published = frontier_data.parse_published(PUBLISHED.read_text())
    panels = frontier.make_panels([frontier_data.read_benchmark(f"small={bench}")], published)
    boxes = [
        text.get_window_extent() for text in frontier.draw_frontier(panels, tmp_path / "f.svg")[0]
    ]
    assert len(boxes) == len(panels[0].marks)
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)


def test_close_points_have_labels_that_lie_on_nothing(frontier: ModuleType, tmp_path: Path) -> None:
    from matplotlib.transforms import Bbox

    plot = sys.modules["frontier_plot"]
    marks = [
        plot.Mark("small int8", "ours", 68.2, 0.62, (66, 70)),
        plot.Mark("small float32", "ours in float32", 68.3, 0.58, (66, 70)),
        plot.Mark("large int8", "ours", 68.2, 0.8, (66, 70)),
        plot.Mark("at the edge", "peer", 69.9, 2.0, side="above"),
        plot.Mark("on its own interval", "ours", 67.5, 1.3, (66, 69), side="below"),
    ]
    panel = plot.Panel("A title", "ms", {"ours": "ours"}, marks)
    texts = frontier.draw_frontier([panel], tmp_path / "f.svg")[0]
    axis = texts[0].axes
    boxes = [text.get_window_extent() for text in texts]
    ends = [[(m.x, y) for y in m.percent_range or (m.percent, m.percent)] for m in marks]
    drawn = [Bbox(axis.transData.transform(pair)).padded(1) for pair in ends]
    for one, other in [*itertools.combinations(boxes, 2), *itertools.product(boxes, drawn)]:
        assert not one.overlaps(other)
    frame = axis.get_window_extent()
    assert all(frame.x0 <= box.x0 and box.y1 <= frame.y1 for box in boxes)
    assert {text.get_text() for text in texts} == {mark.label for mark in marks}


def test_in_a_crowd_labels_stand_farther_away_with_a_line(
    frontier: ModuleType, tmp_path: Path
) -> None:
    plot = sys.modules["frontier_plot"]
    crowd = [
        plot.Mark(f"a crowded network {i}", "ours", 68.2 + i / 20, 1 + i / 100) for i in range(6)
    ]
    panel = plot.Panel("A title", "ms", {"ours": "ours"}, [*crowd, plot.Mark("", "peer", 60, 9.0)])
    texts = frontier.draw_frontier([panel], tmp_path / "f.svg")[0]
    far = [text for text in texts if text.get_position() in {offset for offset, *_ in plot.FAR}]
    lines = [text for text in texts[0].axes.texts if getattr(text, "arrow_patch", None)]
    assert 0 < len(far) == len(lines) < len(texts)
    for one, other in itertools.combinations([text.get_window_extent() for text in far], 2):
        assert not one.overlaps(other)


def test_the_same_panels_give_the_same_bytes(frontier: ModuleType, tmp_path: Path) -> None:
    plot = sys.modules["frontier_plot"]
    marks = [
        plot.Mark("one", "ours", 65.0, 1e5, (63.0, 67.0)),
        plot.Mark("two", "published", 66.0, 2e6),
        plot.Mark("three", "published", 70.0, None),
    ]
    panel = plot.Panel("A title", "parameters", {"ours": "ours"}, marks, "not stated")
    for name in ("first", "second"):
        frontier.draw_frontier([panel], tmp_path / f"{name}.svg")
    first = (tmp_path / "first.svg").read_bytes()
    assert first == (tmp_path / "second.svg").read_bytes()
    assert b"<dc:date>" not in first


@pytest.mark.usefixtures("frontier")
def test_groups_are_told_apart_without_colours() -> None:
    styles = sys.modules["frontier_plot"].STYLES.values()
    assert len({(style.marker, style.is_filled) for style in styles}) == len(styles)
