"""Work done on a second thread, a few steps ahead of the reader, in order."""

import collections
import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextlib.contextmanager
def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, depth: int = 4
) -> Iterator[Iterator[Result]]:
    """Gives an iterator of `function(item)` for each item in order; at most `depth` wait unread.

    The items are drawn on the caller's thread and the function runs on another, so that reading
    and computing overlap where either releases the interpreter's lock. The thread ends with the
    `with`: left to an iterator that nobody finishes, it would be joined by whatever thread the
    garbage collector runs on, which may hold a lock that ending needs.
    """
    waiting: collections.deque[Future[Result]] = collections.deque()
    with ThreadPoolExecutor(1) as pool:
        try:
            yield _in_order(pool, function, items, waiting, depth)
        finally:
            for future in waiting:
                future.cancel()


def _in_order(
    pool: ThreadPoolExecutor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    waiting: collections.deque[Future[Result]],
    depth: int,
) -> Iterator[Result]:
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
