"""The choices of a sweep: what its jobs differ in, each with the values that were tried."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from unet_lightning.results.leaderboard.entries import Entry
from unet_lightning.results.leaderboard.settings import NOT_THE_METHOD, differing, method, shortened

MANY = 8  # numbers beyond which a choice is a range searched, and no list of values tried
LONGEST = 24  # characters of a value


@dataclass(frozen=True)
class Choice:
    """A choice that entries of a leaderboard differ in.

    Attributes:
        name: its key in the config, or several keys that always changed together.
        values: as text, by the entry's place in the leaderboard; entries that it does not concern are left out, as
            those without momentum from the choice of the momentum.
    """

    name: str
    values: Mapping[int, str]

    @property
    def numbers(self) -> dict[int, float] | None:
        """The values as numbers; None where one is none."""
        read = {place: _number(text) for place, text in self.values.items()}
        known = {place: number for place, number in read.items() if number is not None}
        return known if len(known) == len(read) else None

    @property
    def searched(self) -> bool:
        """Whether these are so many numbers that each says little by itself."""
        return self.numbers is not None and len({*self.values.values()}) > MANY

    @property
    def levels(self) -> list[str]:
        """The values, each once: numbers ascending, others in the order of their names."""
        numbers = self.numbers
        if numbers is None:
            return sorted({*self.values.values()}, key=str.casefold)
        return list(dict.fromkeys(self.values[place] for place in sorted(numbers, key=lambda place: numbers[place])))

    def shown(self, value: str) -> str:
        """A value in few characters; different values stay different."""
        shorts = [brief(one) for one in self.levels]
        return brief(value) if shorts.count(brief(value)) == 1 else value


def brief(value: str) -> str:
    """A value in few characters; a long number by its first four digits."""
    number = _number(value)
    if number is not None:
        return value if len(value) <= 7 else f"{number:.4g}"
    return shortened(value, LONGEST)


def _number(text: str) -> float | None:
    """The number that a text is; None where it is none, as `true`."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known else None


def find_choices(entries: Sequence[Entry]) -> list[Choice]:
    """The choices that entries differ in; none for a single entry.

    They are named as the command line of the sweep named them, where every run kept it and it says all: `loss=dice`
    rather than each value that follows from it. Else they are the differences of the configs.

    Args:
        entries: of trained runs.
    """
    configs = [method(entry.runs[0].config) for entry in entries]
    rows = _overrides(entries, configs) or differing(configs)
    by_key: dict[str, dict[int, str]] = {}
    for place, row in enumerate(rows):
        for key, value in row.items():
            by_key.setdefault(key, {})[place] = value
    choices = [Choice(key, values) for key, values in by_key.items() if len({*values.values()}) > 1]
    return _together(choices)


def _overrides(entries: Sequence[Entry], configs: Sequence[Mapping[str, Any]]) -> list[dict[str, str]] | None:
    """What the command lines changed, by key; None where they do not tell the entries apart."""
    rows = []
    for entry in entries:
        overrides = entry.runs[0].overrides
        if overrides is None:
            return None
        pairs = [override.partition("=") for override in overrides]
        row = {key.lstrip("+"): value.strip("'\"") for key, _, value in pairs if not key.startswith("~")}
        rows.append({key: value for key, value in row.items() if key not in NOT_THE_METHOD})
    changed = [json.dumps(row, sort_keys=True) for row in rows]
    trained = [json.dumps(config, sort_keys=True, default=str) for config in configs]
    alike = all(row.keys() == rows[0].keys() for row in rows)
    return rows if alike and len({*changed}) == len({*trained}) == len({*zip(changed, trained, strict=True)}) else None


def _together(choices: Sequence[Choice]) -> list[Choice]:
    """Makes one of the choices that always changed together: what each did cannot be told."""
    groups: dict[tuple[Any, ...], list[Choice]] = {}
    for number, choice in enumerate(choices):
        if choice.searched:  # every job has a value of its own, in each such choice
            groups[(number,)] = [choice]
            continue
        seen: dict[str, int] = {}
        split = tuple((place, seen.setdefault(value, len(seen))) for place, value in sorted(choice.values.items()))
        groups.setdefault(split, []).append(choice)
    return [
        Choice(
            ", ".join(one.name for one in group),
            {place: ", ".join(one.values[place] for one in group) for place in group[0].values},
        )
        for group in groups.values()
    ]


def is_balanced(choices: Sequence[Choice], entries: int) -> bool:
    """Whether every value of a choice met the values of each other choice equally often, as in a full grid.

    A range that was searched is no grid, also alone: chance chose its numbers.

    Args:
        choices: of `find_choices`.
        entries: their number.
    """
    if any(choice.searched for choice in choices):
        return False
    for one, other in combinations(choices, 2):
        rows = [one.values.get(place) for place in range(entries)]
        columns = [other.values.get(place) for place in range(entries)]
        met, first, second = Counter(zip(rows, columns, strict=True)), Counter(rows), Counter(columns)
        if any(met[row, column] * entries != first[row] * second[column] for row in first for column in second):
            return False
    return True
