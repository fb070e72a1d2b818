"""Work ahead of the reader: in order, bounded, overlapping, and over when the reader is."""

import threading
from collections.abc import Iterator

import pytest

from fer_edge.lookahead import map_ahead


def test_results_come_in_order_from_one_other_thread() -> None:
    with map_ahead(lambda n: (n * n, threading.get_ident()), range(20)) as results:
        squares, threads = zip(*results, strict=True)
    assert squares == tuple(n * n for n in range(20))
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


def test_it_runs_ahead_and_only_so_far() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for n in range(100):
            drawn.append(n)
            yield n

    with map_ahead(lambda n: n, items(), depth=3) as results:
        assert next(results) == 0
        assert drawn == [0, 1, 2, 3]
        assert next(results) == 1
        assert drawn == [0, 1, 2, 3, 4]


def test_an_error_reaches_the_reader_at_its_place() -> None:
    def fail_at_two(n: int) -> int:
        if n == 2:
            raise ValueError("two")
        return n

    with map_ahead(fail_at_two, range(9)) as results:
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(ValueError, match="two"):
            next(results)


def test_a_reader_that_gives_up_leaves_no_thread_and_no_waiting_work() -> None:
    before = threading.active_count()
    started, go_on = threading.Event(), threading.Event()
    timer = threading.Timer(0.2, go_on.set)
    done: list[int] = []

    def work(n: int) -> None:
        if n:
            started.set()
            go_on.wait(10)
        done.append(n)

    def read_one() -> None:
        with map_ahead(work, range(9), depth=4) as results:
            next(results)
            started.wait(10)
            timer.start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        read_one()
    timer.join()
    assert caught.value.__traceback__ is not None
    assert done == [0, 1]  # what ran was waited for, what waited was not begun
    assert threading.active_count() == before
