"""What the entries of a leaderboard cost to train, and which give the most for that."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from unet_lightning.results.leaderboard.entries import Entry


@dataclass(frozen=True)
class Cost:
    """Something that training takes.

    Attributes:
        name: heading of its column.
        unit: below it.
        of: how much an entry took; NaN where unknown.
    """

    name: str
    unit: str
    of: Callable[[Entry], float]


TIME = Cost("seconds", "a job", lambda entry: entry.seconds)
MEMORY = Cost("peak MB", "of training", lambda entry: entry.peak_memory_mb)
COSTS = (TIME, MEMORY)


def pareto_front(costs: Sequence[float], means: Sequence[float], lower_is_better: bool = False) -> list[int]:
    """Where no other is at least as cheap and at least as good, and better in one of the two; the cheapest first.

    Args:
        costs: lower is better; NaN where unknown: such a place is on no front.
        means: the figure.
        lower_is_better: of the figure.
    """
    merit = [-mean if lower_is_better else mean for mean in means]
    known = [place for place, pair in enumerate(zip(costs, merit, strict=True)) if not any(map(math.isnan, pair))]
    front: list[int] = []
    for place in sorted(known, key=lambda place: (costs[place], -merit[place])):
        last = front[-1] if front else None
        same = last is not None and (costs[place], merit[place]) == (costs[last], merit[last])
        if last is None or same or merit[place] > merit[last]:
            front.append(place)
    return front
