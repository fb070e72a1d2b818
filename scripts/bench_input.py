"""Times a batch of training input beside a training step: `python scripts/bench_input.py`.

The input is augmented on a second thread while the step runs; its cost is what it takes alone.
"""

import time

import numpy as np

from fer_edge.data.sample import sample_dataset
from fer_edge.recipe import read_recipe
from fer_edge.trainer import Trainer

N = 30


def main() -> None:
    """Prints both medians and their ratio."""
    recipe = read_recipe("small")
    trainer = Trainer(sample_dataset(), recipe)
    rows = np.arange(recipe.batch_size)
    inputs, steps = [], []
    for number in range(N + 3):
        started = time.perf_counter()
        batch = trainer._batch(rows, np.random.default_rng(number))
        made = time.perf_counter()
        trainer.model.train_on_batch(*batch)
        inputs.append(made - started)
        steps.append(time.perf_counter() - made)
    input_ms, step_ms = (1000 * float(np.median(times[3:])) for times in (inputs, steps))
    print(
        f"{recipe.arch}, batch {recipe.batch_size}, median of {N}: input {input_ms:.1f} ms, "
        f"step {step_ms:.1f} ms, input / step {100 * input_ms / step_ms:.1f}%"
    )


if __name__ == "__main__":
    main()
