"""`fer-edge bench`: accuracy and latency of models, side by side."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fer_edge.cli.options import (
    Data,
    Detect,
    FerPlus,
    Force,
    Json,
    Labels,
    OutFile,
    SplitOption,
    chosen_source,
)


def bench(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Run folders, shipped names, .tflite or .keras files.",
            metavar="MODEL…",
            show_default="with --device: base; small on ARM boards",
        ),
    ] = None,
    *,
    data: Data = None,
    detect: Detect = "",
    ferplus: FerPlus = "",
    labels: Labels = "fer2013",
    split: SplitOption = "validation",
    gate: Annotated[
        str | None,
        typer.Option(help="Exit 3 unless all hold, e.g. int8.top1>=0.65,int8.agreement>=0.98"),
    ] = None,
    input_range: Annotated[
        str | None,
        typer.Option(help="What 0 and 255 are for a stranger's float input, e.g. -1,1"),
    ] = None,
    rounds: Annotated[int, typer.Option(help="Latency samples a model.", min=5)] = 200,
    cold_start: Annotated[
        bool, typer.Option(help="Start a process for each model, for cold start and memory.")
    ] = True,
    device: Annotated[
        bool,
        typer.Option(
            "--device", help="Instead: the live loop's speed on this board, added to --out."
        ),
    ] = False,
    detector: Annotated[str, typer.Option(help="With --device: haar or yunet:PATH.")] = "haar",
    seconds: Annotated[float, typer.Option(help="With --device: how long.", min=0.1)] = 30.0,
    out: OutFile = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write the tables as Markdown as well.")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Write the scores into the models' manifests.")
    ] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Measure models side by side: accuracy with intervals, agreement, size, latency, memory.

    Raw samples are kept: in RUN/bench.json for a run, else where --out says.

    Example: `fer-edge bench runs/mine --data fer2013.csv --gate "int8.agreement>=0.98"`

    Example: `fer-edge bench --device --out boards.json`
    """
    if device:
        about_labels = (data, gate, markdown, record, detect, ferplus, input_range)
        if any(about_labels):
            raise typer.BadParameter(
                "measures time alone; leave out what is about data.", param_hint="--device"
            )
        bench_device(models or [], detector, seconds, out, as_json=as_json)
        return
    if not models:
        raise typer.BadParameter("name a model, or --device.", param_hint="MODEL…")
    from fer_edge import files, page, report
    from fer_edge.bench import Timer, run_bench
    from fer_edge.gates import check_gates, check_names, parse_gates, raise_missed
    from fer_edge.plan import make_plan, record_scores

    gates = parse_gates(gate or "")
    source = chosen_source(data, detect, ferplus, labels)
    with report.progress() as progress:
        plan = make_plan(
            models, data=source, split=split, input_range=input_range, progress=progress
        )
    report.say(plan.described)
    check_names(gates, [(c.name, c.variant) for c in plan.candidates])
    target = out or plan.default_output()
    for path in filter(None, (target, markdown)):
        files.refuse_existing(path, force=force)
    for name in plan.not_measured():
        report.say(f"{name}: float network not measured; that needs pip install 'fer-edge[train]'")
    with report.progress() as progress:
        done = run_bench(plan.candidates, plan.data, Timer(rounds, cold_start), progress=progress)
    if target:
        done.write(target)
    if record:
        record_scores(done, plan)
    if markdown:
        text = report.bench_markdown(done, sys.argv[1:])
        files.write_text(markdown, page.keep_parts(markdown, text))
    if as_json:
        report.print_text(done.to_json())
    else:
        report.show_bench(done, target)
    verdicts = check_gates(gates, done)
    report.show_gates(verdicts)
    raise_missed(verdicts)


def bench_device(
    models: list[str], detector: str, seconds: float, out: Path | None, *, as_json: bool
) -> None:
    """Measures the live loop with each model; results of other boards in `out` stay."""
    from fer_edge import files, report
    from fer_edge.board_bench import add_result, measure_board, read_results, to_json
    from fer_edge.catalog import default_model
    from fer_edge.predictor import model_file, open_predictor

    results = read_results(out) if out else []
    for name in models or [default_model()]:
        predictor = open_predictor(name, detector)
        file = model_file(name)
        with report.progress() as progress:
            found = measure_board(
                predictor,
                model=file.manifest.name if file.manifest else name,
                model_sha256=files.sha256_of(file.path),
                detector=detector.partition(":")[0],
                seconds=seconds,
                progress=progress,
            )
        results = add_result(out, found) if out else [*results, found]
    if as_json:
        report.print_text(to_json(results))
    else:
        report.show_boards(results, out)
