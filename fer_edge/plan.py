"""What to measure on what: names from the user to candidates and a split, and scores back."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_edge.bench import Bench, Result
from fer_edge.candidates import Candidate, candidates_of, has_keras, parse_input_range
from fer_edge.catalog import Model, find_model, network_emotions
from fer_edge.contract import write_manifest
from fer_edge.data.sources import load_dataset
from fer_edge.data.split import Dataset, Source, SplitName
from fer_edge.errors import ConfigError, ModelFormatError
from fer_edge.evaluate import EvaluationSet, evaluation_set

THREADS = (1, 2)


@dataclass(frozen=True)
class BenchPlan:
    """Everything that a benchmark needs, checked before it begins.

    Attributes:
        models: As they were found.
        candidates: Their files, in order, named for tables.
        data: The split.
        described: How the data set was read, in words.
    """

    models: tuple[Model, ...]
    candidates: tuple[Candidate, ...]
    data: EvaluationSet
    described: str

    def not_measured(self) -> list[str]:
        """Returns the names of models whose float network is left out, for want of Keras."""
        return [model.name for model in self.models if model.network and not has_keras()]

    def default_output(self) -> Path | None:
        """Returns the run's bench.json when exactly one run is measured, else None."""
        runs = [model.run for model in self.models if model.run]
        return runs[0].bench if len(runs) == 1 else None


def make_plan(
    names: Sequence[str],
    *,
    data: Source | str | None,
    split: SplitName,
    input_range: str | None = None,
    progress: Callable[[str, float], None] = lambda _what, _share: None,
) -> BenchPlan:
    """Returns the plan for models by name.

    Args:
        names: As `find_model` takes them.
        data: What to measure on; by default what the first run among them was trained on, else
            the drawn sample.
        split: Of the data.
        input_range: `LOW,HIGH` for strangers' float inputs.
        progress: Gets what is being done and the share that is done, while data are read.

    Raises:
        ModelFormatError: A model is absent, damaged, or made for other emotions than the data.
        DataError: The data cannot be read, or has no such split.
        ConfigError: A model is named twice, or the input range is malformed.
    """
    scaling = parse_input_range(input_range) if input_range else None
    models = tuple(find_model(name) for name in names)
    source = data or next((model.run.data for model in models if model.run), "sample")
    dataset = load_dataset(source, progress=progress)
    evaluated = evaluation_set(dataset, split)
    ours = [model for model in models if model.manifest or model.network]
    candidates = []
    for model in models:
        known = _emotions_of(model)
        if known and known != evaluated.emotions:
            raise ModelFormatError(
                f"{model.name} answers {', '.join(known)}, and "
                f"{dataset.source.name} is labelled {', '.join(evaluated.emotions)}. "
                "Expected the same, in the same order."
            )
        prefix = f"{model.name}/" if len(ours) > 1 and model in ours else ""
        candidates += candidates_of(model, threads=THREADS, input_range=scaling, prefix=prefix)
    titles = [candidate.name for candidate in candidates]
    if twice := {name for name in titles if titles.count(name) > 1}:
        raise ConfigError(f"Expected each model once, found {', '.join(sorted(twice))} twice.")
    described = "\n".join([dataset.describe(), *_warnings(models, dataset)])
    return BenchPlan(models, tuple(candidates), evaluated, described)


def _emotions_of(model: Model) -> tuple[str, ...]:
    """Returns what a model's answers mean; () where nothing says."""
    if model.manifest:
        return model.manifest.emotions
    return network_emotions(model.network) if model.network else ()


def _warnings(models: Sequence[Model], dataset: Dataset) -> list[str]:
    """Returns a warning for each run whose own data are no longer what it was trained on."""
    return [
        f"  warning: {dataset.source.name} has changed since {model.name} was trained on it. Where "
        "splits are drawn they were drawn anew, and images measured here may have been trained on."
        for model in models
        if model.run
        and model.run.data.title == dataset.source.title
        and model.run.read_config().get("data", {}).get("sha256") != dataset.sha256
    ]


def record_scores(bench: Bench, plan: BenchPlan) -> None:
    """Writes the accuracy of each measured file into its model's manifest."""
    for model in plan.models:
        if model.manifest is None or not model.files:
            continue
        own = [c.name for c in plan.candidates if c.family == model.name]
        scores = {r.variant: score(r, bench) for r in bench.results if r.name in own}
        recorded = dataclasses.replace(model.manifest, scores={**model.manifest.scores, **scores})
        write_manifest(model.files[0].path.parent, recorded)


def score(result: Result, bench: Bench) -> dict[str, Any]:
    """Returns what a manifest says of a variant's accuracy: figures with split, n and interval."""
    evaluation = dataclasses.asdict(result.evaluation)
    kept = ("split", "n", "top1", "macro_f1", "ece", "leak_free_top1", "against_float")
    return {"data": bench.data, **{name: evaluation[name] for name in kept}}
