"""Work done on a second thread, a few steps ahead of the reader, in order."""

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, depth: int = 4
) -> Iterator[Result]:
    """Yields `function(item)` for each item in order; at most `depth` results wait unread.

    The items are drawn on the caller's thread and the function runs on another, so that reading
    and computing overlap where either releases the interpreter's lock.
    """
    waiting: collections.deque[Future[Result]] = collections.deque()
    with ThreadPoolExecutor(1) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
