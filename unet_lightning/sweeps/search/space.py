"""Search spaces in Hydra's override syntax, as Optuna's distributions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Sweep, Transformer
from hydra.errors import HydraException
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from unet_lightning.errors import ConfigError

# What a choice may be in Optuna; anything else is kept as the text of its override.
PLAIN = (bool, int, float)
HINT = "A search understands a,b or choice(a,b), range(2,10), interval(0,1), tag(log, interval(1e-4, 1e-2))"


@dataclass(frozen=True)
class Space:
    """What is searched, and what all trials have in common.

    Attributes:
        swept: the distribution of each override, by its left side, such as `optimizer.lr`.
        fixed: overrides of every trial.
    """

    swept: dict[str, BaseDistribution]
    fixed: tuple[str, ...]

    def overrides(self, values: dict[str, Any]) -> list[str]:
        """The command line of a trial."""
        return [*self.fixed, *(f"{name}={_text(values[name])}" for name in self.swept)]


def parse(arguments: Sequence[str], params: dict[str, Any], loader: ConfigLoader | None = None) -> Space:
    """The space of a command line.

    Args:
        arguments: overrides; those of `sweep.*` say how to search and are no part of a trial.
        params: `sweep.params`, which the command line goes before.
        loader: finds the files of a group, for `model=glob(*)`.

    Raises:
        ConfigError: nothing to search, or a value that is no space.
    """
    swept: dict[str, BaseDistribution] = {}
    fixed: dict[str, str] = {}
    parser = OverridesParser.create(config_loader=loader)
    for argument in [*(f"{name}={_written(value)}" for name, value in params.items()), *arguments]:
        try:
            (override,) = parser.parse_overrides([argument])
        except HydraException as error:
            raise ConfigError(f"{' '.join(str(error).split())} {HINT}.") from error
        name = override.get_key_element()
        if override.key_or_group.startswith("sweep."):
            if override.is_sweep_override():
                raise ConfigError(f"{argument}: how to search cannot be searched itself, give one value.")
            continue
        swept.pop(name, None)
        fixed.pop(name, None)
        if override.is_sweep_override():
            swept[name] = distribution(override)
        else:
            fixed[name] = argument
    if not swept:
        raise ConfigError(
            "Nothing to search: give at least one value as a space, such as 'optimizer.lr=tag(log, interval(1e-4, "
            f"1e-2))' or model.base_c=8,16, or fill sweep.params. {HINT}."
        )
    return Space(swept, tuple(fixed.values()))


def distribution(override: Override) -> BaseDistribution:
    """Optuna's distribution of one swept override.

    Raises:
        ConfigError: it is empty, of another kind, or logarithmic from 0 or below.
    """
    sweep = override.value()
    tags = sweep.tags if isinstance(sweep, Sweep) else set()
    if tags - {"log"}:
        raise ConfigError(f"{override.input_line}: no tag but log means anything here, found {', '.join(tags)}.")
    try:
        if isinstance(sweep, IntervalSweep):
            return _interval(sweep, "log" in tags)
        if isinstance(sweep, RangeSweep):
            return _range(sweep, "log" in tags)
        if tags:
            raise ValueError("a choice has no scale: tag(log, ...) needs an interval or a range")
        return CategoricalDistribution(_choices(override))
    except (ValueError, HydraException) as error:
        raise ConfigError(f"{override.input_line} is no space to search: {error}. {HINT}.") from error


def points(space: Space) -> list[dict[str, Any]]:
    """Every value of each space at least once, the ends of those that are not counted: to see that they compose."""
    values = {name: ends(distribution) for name, distribution in space.swept.items()}
    longest = max(map(len, values.values()))
    return [{name: some[min(i, len(some) - 1)] for name, some in values.items()} for i in range(longest)]


def ends(distribution: BaseDistribution) -> list[Any]:
    """The choices, or the lowest and the highest number."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return list(dict.fromkeys((distribution.low, distribution.high)))


def members(distribution: BaseDistribution, name: str) -> list[Any]:
    """All values, in their order.

    Raises:
        ConfigError: there is no end of them.
    """
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    assert isinstance(distribution, FloatDistribution)
    if distribution.step is None:
        raise ConfigError(f"A grid needs values that can be counted: write {name} as a choice (a,b) or a range.")
    low, step = Decimal(str(distribution.low)), Decimal(str(distribution.step))
    count = int((Decimal(str(distribution.high)) - low) / step) + 1
    return [float(low + i * step) for i in range(count)]


def _interval(sweep: IntervalSweep, log: bool) -> BaseDistribution:
    low, high = sweep.start, sweep.end
    assert low is not None and high is not None
    if isinstance(low, int) and isinstance(high, int):  # int(interval(1, 64))
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _range(sweep: RangeSweep, log: bool) -> BaseDistribution:
    """Hydra leaves the end of a range out, Optuna does not."""
    numbers = (sweep.start, sweep.stop, sweep.step)
    start, stop, step = (Decimal(str(number)) for number in numbers)  # 0.1 as it is written
    count = math.ceil((stop - start) / step) if step else 0
    if count < 1:
        raise ValueError("the range is empty, as its end is left out")
    low, high = sorted((start, start + (count - 1) * step))
    if all(isinstance(number, int) for number in numbers):
        return IntDistribution(int(low), int(high), log=log, step=int(abs(step)))
    if log:
        raise ValueError("a logarithmic scale has no steps: write tag(log, interval(...))")
    return FloatDistribution(float(low), float(high), step=float(abs(step)))


def _choices(override: Override) -> list[Any]:
    """Numbers and truth values as they are, the rest as the text of an override; each once."""
    values = override.sweep_iterator(Transformer.identity)
    plain = [value if isinstance(value, PLAIN) else Transformer.str(value) for value in values]
    if not plain:
        raise ValueError("there is nothing to choose from")
    return list({repr(value): value for value in plain}.values())


def _written(value: Any) -> str:
    """A value of YAML as the right side of an override; a list is a choice."""
    if isinstance(value, list):
        written = ",".join(_written(one) for one in value)
        return written if len(value) > 1 else f"choice({written})"  # which takes no null
    return "null" if value is None else _text(value)


def _text(value: Any) -> str:
    """The right side of an override."""
    return str(value).lower() if isinstance(value, bool) else str(value)
