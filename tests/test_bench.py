"""Benchmarks: figures from known answers, real timings, gates, and the documents they end in."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from fer_edge.bench import Bench, Timer, run_bench
from fer_edge.candidates import InputRange, TfliteRunner, parse_input_range, scale_pixels
from fer_edge.catalog import find_model
from fer_edge.contract import EMOTIONS, TensorSpec, read_manifest
from fer_edge.data.split import Dataset, Source
from fer_edge.errors import ConfigError, DataError, GateError, ModelFormatError
from fer_edge.evaluate import EvaluationSet, evaluate, evaluation_set
from fer_edge.gates import check_gates, parse_gates, raise_missed
from fer_edge.plan import make_plan, record_scores
from fer_edge.report import bench_markdown
from fer_edge.runs import Run
from fer_edge.runtime import Interpreter
from fer_edge.tables import bench_tables
from tests.conftest import SHARED


@pytest.fixture(scope="module")
def bench(exported: Run) -> Bench:
    plan = make_plan([str(exported.folder)], data="sample", split="test")
    return run_bench(plan.candidates, plan.data, Timer(rounds=12))


def test_evaluation_of_known_answers(drawn: Dataset) -> None:
    split = drawn.split("validation")  # ten an emotion
    leaked = np.arange(70) < 20
    data = EvaluationSet("validation", split, EMOTIONS, leaked, "made", "")
    order = np.argsort(split.labels, kind="stable")
    answers = np.eye(7)[split.labels]
    wrong = order[:5]  # five angry faces are called happy
    answers[wrong] = np.eye(7)[3]
    found = evaluate(answers, data, reference=np.eye(7)[split.labels])
    assert found.top1.value == pytest.approx(65 / 70)
    assert found.ece.value == pytest.approx(5 / 70)  # sure of all 70, right in 65
    assert found.ece.low < 5 / 70 < found.ece.high
    clean_wrong = int((~leaked[wrong]).sum())
    assert found.leak_free_top1 is not None
    assert found.leak_free_top1.value == pytest.approx((50 - clean_wrong) / 50)
    assert found.per_emotion["angry"].recall == 0.5
    assert found.per_emotion["happy"].precision == pytest.approx(10 / 15)
    assert found.confusion[0] == [5, 0, 0, 5, 0, 0, 0]
    assert found.against_float is not None
    assert found.against_float.agreement.value == pytest.approx(65 / 70)
    assert found.against_float.mcnemar_p == pytest.approx(2 / 2**5)
    with pytest.raises(DataError, match="made for other labels"):
        evaluate(answers[:, :6], data)


def test_leaks_are_looked_for_in_training_as_published(drawn: Dataset) -> None:
    splits = {**drawn.splits, "test": drawn.split("train").take(np.arange(5))}
    leaky = Dataset(Source("made"), "", EMOTIONS, splits)
    assert np.all(evaluation_set(leaky, "test").leaked)
    assert not np.any(evaluation_set(drawn, "test").leaked)
    alone = Dataset(Source("made"), "", EMOTIONS, {"test": drawn.split("test")})
    unknown = evaluation_set(alone, "test")
    assert unknown.leaked is None
    assert evaluate(np.eye(7)[alone.split("test").labels], unknown).leak_free_top1 is None


def test_every_variant_is_measured(bench: Bench) -> None:
    names = [result.name for result in bench.results]
    assert names == ["keras", "float32", "float16", "dynamic", "int8"]
    by_name = {result.name: result for result in bench.results}
    assert by_name["int8"].size_bytes < by_name["float32"].size_bytes / 2
    assert by_name["int8"].macs == by_name["keras"].macs
    against = by_name["float32"].evaluation.against_float
    assert against is not None
    assert against.agreement.value == 1.0
    assert by_name["keras"].evaluation.against_float is None


def test_raw_samples_are_kept_and_interleaved_over_threads(bench: Bench) -> None:
    int8 = bench.results[-1]
    kinds = {(latency.what, latency.n_threads) for latency in int8.latency}
    assert kinds == {(what, n) for what in ("invoke", "with preprocessing") for n in (1, 2)}
    for latency in int8.latency:
        assert len(latency.samples_ns) == 12
        assert latency.p50_ms.value == pytest.approx(np.median(latency.samples_ns) / 1e6, rel=1e-3)
        assert latency.p99_ms is None  # of twelve samples
        assert latency.calls_per_sample >= 1


def test_cold_start_is_a_process_of_its_own(bench: Bench) -> None:
    by_name = {result.name: result.cold_start for result in bench.results}
    int8, keras = by_name["int8"], by_name["keras"]
    assert int8 is not None
    assert keras is not None
    assert keras.peak_memory_bytes > 3 * int8.peak_memory_bytes  # TensorFlow, and none of it


def test_the_document_says_how_it_was_measured(bench: Bench, tmp_path: Path) -> None:
    bench.write(tmp_path / "bench.json")
    document = json.loads((tmp_path / "bench.json").read_text())
    assert document["schema_version"] == 1
    assert document["data"]["split"] == "test"
    assert document["data"]["n"] == sum(map(sum, document["results"][0]["evaluation"]["confusion"]))
    assert not document["machine"]["cpu"].isdigit()
    assert len(document["machine"]["cpu"]) > 4
    assert document["machine"]["versions"]["tensorflow"]


def test_tables_hold_split_n_and_interval(bench: Bench) -> None:
    for table in bench_tables(bench):
        assert all(len(row) == len(table.columns) for row in table.rows)
    first = bench_tables(bench)[0]
    assert f"n = {bench.data['n']}" in first.title
    assert "test split" in first.title
    assert "–" in first.rows[-1][1]
    ece = bench.results[-1].evaluation.ece
    column = first.columns.index("ECE %")
    assert first.rows[-1][column].startswith(f"{100 * ece.value:.1f} ({100 * ece.low:.1f}–")
    assert first.to_markdown().count("\n") == len(first.rows) + 4


def test_a_page_names_its_command_and_what_its_split_chose(bench: Bench) -> None:
    asked = ["bench", "a model", "--split", "test"]
    assert "```sh\nfer-edge bench 'a model' --split test\n```" in bench_markdown(bench, asked)
    assert "chooses its epoch" not in bench_markdown(bench, asked)
    chosen_on = dataclasses.replace(bench, data={**bench.data, "split": "validation"})
    assert "chooses its epoch and fits its temperature" in bench_markdown(chosen_on, asked)


def test_emotions_are_told_of_int8_and_of_strangers(bench: Bench) -> None:
    """Of float only where there is nothing else: there they hardly differ."""
    *floats, int8 = bench.results
    stranger = dataclasses.replace(int8, name="found", variant="found")
    for results, told in (
        (bench.results, ["int8"]),
        ([*bench.results, stranger], ["int8", "found"]),
        (floats, ["keras", "float32", "float16", "dynamic"]),
    ):
        titles = [t.title for t in bench_tables(dataclasses.replace(bench, results=results))]
        found = [title.partition(":")[0] for title in titles if ": confusion" in title]
        assert found == told


def test_gates_pass_and_miss(bench: Bench) -> None:
    top1 = bench.results[-1].evaluation.top1.value
    good = check_gates(parse_gates(f"int8.top1>={top1 - 0.001:.4f},int8.size_kib<=100"), bench)
    assert [verdict.passed for verdict in good] == [True, True]
    raise_missed(good)
    ece = bench.results[-1].evaluation.ece.value
    sure = check_gates(parse_gates(f"int8.ece<={ece + 1e-3:.4f},int8.ece<={ece / 2:.4f}"), bench)
    assert [verdict.passed for verdict in sure] == [True, False]
    bad = check_gates(parse_gates("int8.top1>=1.01, int8.agreement>=0.1"), bench)
    assert [verdict.passed for verdict in bad] == [False, True]
    with pytest.raises(GateError, match=r"int8\.top1>=1\.01 \(found 0\."):
        raise_missed(bad)


def test_a_figure_that_does_not_exist_is_never_passed(bench: Bench) -> None:
    verdicts = check_gates(parse_gates("keras.agreement>=0.0,keras.agreement<=1.0"), bench)
    assert [verdict.passed for verdict in verdicts] == [False, False]


@pytest.mark.parametrize(
    "text", ["int8.top1", "int8.top2>=1", "int8.top1>0.5", "top1>=0.5", "int8.top1>=high"]
)
def test_malformed_gates(text: str) -> None:
    with pytest.raises(ConfigError, match="Expected a gate such as"):
        parse_gates(text)


def test_a_gate_on_a_model_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="expected one of the models keras"):
        check_gates(parse_gates("int4.top1>=0.5"), bench)


def test_scores_go_into_the_manifest(exported: Run, bench: Bench) -> None:
    plan = make_plan([str(exported.folder)], data="sample", split="test")
    record_scores(bench, plan)
    scores = read_manifest(exported.export).scores
    assert scores["int8"]["top1"]["value"] == bench.results[-1].evaluation.top1.value
    assert scores["int8"]["split"] == "test"


def test_a_strangers_float_model_needs_its_range() -> None:
    content = float_input_model()
    with pytest.raises(ModelFormatError, match="--input-range"):
        TfliteRunner(Interpreter(content), None)
    runner = TfliteRunner(Interpreter(content), InputRange(-1, 1))
    image = np.zeros((48, 48), np.uint8)
    image[0, 0] = 255
    prepared = runner.prepare(image)
    assert prepared.dtype == np.float32
    assert [prepared.min(), prepared.max()] == [-1, 1]


def float_input_model() -> bytes:
    """A real `.tflite` of a stranger: float32 (1, 48, 48, 1) in, seven probabilities out."""
    import keras
    import tensorflow as tf

    image = keras.Input(batch_shape=(1, 48, 48, 1))
    pooled = keras.layers.AveragePooling2D(8)(image)
    answers = keras.layers.Dense(7, activation="softmax")(keras.layers.Flatten()(pooled))
    model = keras.Model(image, answers)
    function = tf.function(lambda x: model(x)).get_concrete_function(
        tf.TensorSpec((1, 48, 48, 1), tf.float32)
    )
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([function], model).convert())


@pytest.mark.parametrize(
    ("spec", "scaling", "expected"),
    [
        pytest.param(("uint8", 1.0, 0), None, [0, 100, 255], id="ours"),
        pytest.param(("uint8", 0.0, 0), InputRange(-1, 1), [0, 100, 255], id="unscaled bytes"),
        pytest.param(("int8", 1.0, -128), None, [-128, -28, 127], id="int8 of bytes"),
        pytest.param(("int8", 1 / 128, 0), InputRange(-1, 1), [-128, -28, 127], id="int8 of -1,1"),
        pytest.param(("uint8", 1 / 255, 0), InputRange(0, 1), [0, 100, 255], id="uint8 of 0,1"),
    ],
)
def test_quantized_inputs_get_steps_of_their_own_scale(
    spec: tuple[str, float, int], scaling: InputRange | None, expected: list[int]
) -> None:
    dtype, scale, zero_point = spec
    pixels = np.array([0, 100, 255], np.uint8)
    prepared = scale_pixels(pixels, TensorSpec((3,), dtype, scale, zero_point), scaling)
    assert prepared.dtype == dtype
    assert prepared.tolist() == expected


@pytest.mark.parametrize("text", ["1", "a,b", "1,-1", "0,0", "0,1,2"])
def test_malformed_ranges(text: str) -> None:
    with pytest.raises(ConfigError, match="LOW,HIGH"):
        parse_input_range(text)


def test_other_labels_and_doubles_are_refused(exported: Run) -> None:
    with pytest.raises(ConfigError, match="Expected each model once"):
        make_plan([str(exported.folder)] * 2, data="sample", split="test")
    with pytest.raises(ModelFormatError, match="There is no model"):
        make_plan(["absent"], data="sample", split="test")


def test_peers_stand_beside_ours(exported: Run) -> None:
    """Strangers of 48 and of 64 pixels, in one benchmark with ours."""
    peers = sorted((SHARED / "peers").glob("*.tflite"))
    if not peers:
        pytest.skip(f"the peers' models are not here ({SHARED / 'peers'})")
    plan = make_plan(
        [str(exported.folder), *map(str, peers)], data="sample", split="test", input_range="-1,1"
    )
    bench = run_bench(plan.candidates, plan.data, Timer(rounds=5, cold_start=False))
    names = [result.name for result in bench.results]
    assert names[-2:] == ["big_xception_64_f32", "mini_xception_48_f32"]
    assert bench.results[-1].evaluation.against_float is None
    assert bench.results[-1].n_parameters > 50_000


def test_the_catalogue_names_what_there_is(exported: Run, tmp_path: Path) -> None:
    model = find_model(str(exported.folder))
    assert model.file("int8").path.name == "int8.tflite"
    with pytest.raises(ModelFormatError, match="has no int4 model; it has: float32"):
        model.file("int4")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ModelFormatError, match="is no model"):
        find_model(str(tmp_path / "notes.txt"))
