"""Search spaces in Hydra's override syntax, as Optuna's distributions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Sweep, Transformer
from hydra.errors import HydraException
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from unet_lightning.errors import ConfigError

Distribution = CategoricalDistribution | FloatDistribution | IntDistribution
HINT = "A search understands a,b or choice(a,b), range(2,10), interval(0,1), tag(log, interval(1e-4, 1e-2))"


@dataclass(frozen=True)
class Space:
    """What is searched, and what all trials have in common."""

    swept: dict[str, Distribution]  # by the left side of its override, such as `optimizer.lr`
    fixed: tuple[str, ...]  # overrides of every trial

    def overrides(self, values: Mapping[str, Any]) -> list[str]:
        """The command line of a trial."""
        return [*self.fixed, *(f"{name}={values[name]}" for name in self.swept)]

    def corners(self) -> list[dict[str, Any]]:
        """Every choice at least once, and the ends of what is not counted: to see that all of it composes."""
        ends = {
            name: one.choices if isinstance(one, CategoricalDistribution) else (one.low, one.high)
            for name, one in self.swept.items()
        }
        longest = max(map(len, ends.values()))
        return [{name: some[min(i, len(some) - 1)] for name, some in ends.items()} for i in range(longest)]

    def size(self) -> int:
        """The number of its points; ConfigError where there is no end of them."""
        count = 1
        for name, one in self.swept.items():
            if isinstance(one, CategoricalDistribution):
                count *= len(one.choices)
            elif one.step is None:
                raise ConfigError(f"A grid needs values that can be counted: write {name} as a choice or a range.")
            else:
                count *= round((one.high - one.low) / one.step) + 1
        return count


def parse(arguments: Sequence[str], params: Mapping[str, Any], loader: ConfigLoader | None = None) -> Space:
    """The space of a command line, which goes before `params`; ConfigError where there is none.

    The `loader` finds the files of a group, for `model=glob(*)`.
    """
    try:
        given = [*(f"{name}={value}" for name, value in params.items()), *arguments]
        overrides = OverridesParser.create(config_loader=loader).parse_overrides(given)
    except HydraException as error:
        raise ConfigError(f"{' '.join(str(error).split())} {HINT}.") from error
    of_trials: dict[str, Override] = {}  # the last of each name
    for override in overrides:
        if not override.key_or_group.startswith(("sweep.", "sweep/")):
            of_trials.pop(override.get_key_element(), None)
            of_trials[override.get_key_element()] = override
        elif override.is_sweep_override():  # how to search is no part of a trial
            raise ConfigError(f"{override.input_line}: how to search cannot be searched itself, give one value.")
    swept = {name: distribution_of(one) for name, one in of_trials.items() if one.is_sweep_override()}
    fixed = tuple(str(one.input_line) for one in of_trials.values() if not one.is_sweep_override())
    if not swept:
        raise ConfigError(
            "Nothing to search: give at least one value as a space, such as 'optimizer.lr=tag(log, interval(1e-4, "
            f"1e-2))' or model.base_c=8,16, or fill sweep.params. {HINT}."
        )
    return Space(swept, fixed)


def distribution_of(override: Override) -> Distribution:
    """Optuna's distribution of one swept override; ConfigError where it has none."""
    sweep = override.value()
    tags = sweep.tags if isinstance(sweep, Sweep) else set()
    if tags - {"log"}:
        raise ConfigError(f"{override.input_line}: no tag but log means anything here, found {', '.join(tags)}.")
    try:
        if isinstance(sweep, IntervalSweep):
            low, high = sweep.start, sweep.end
            assert low is not None and high is not None
            if isinstance(low, int) and isinstance(high, int):  # int(interval(1, 64))
                return IntDistribution(low, high, log="log" in tags)
            return FloatDistribution(low, high, log="log" in tags)
        if isinstance(sweep, RangeSweep):
            return distribution_of_range(sweep, "log" in tags)
        if tags:
            raise ValueError("a choice has no scale: tag(log, ...) needs an interval or a range")
        choices = [
            value if isinstance(value, bool | int | float) else Transformer.str(value)  # as an override has it
            for value in override.sweep_iterator(Transformer.identity)
        ]
        return CategoricalDistribution(list({repr(value): value for value in choices}.values()))  # each once
    except (ValueError, HydraException) as error:
        raise ConfigError(f"{override.input_line} is no space to search: {error}. {HINT}.") from error


def distribution_of_range(sweep: RangeSweep, log: bool) -> Distribution:
    """Optuna's distribution of a range, whose end Hydra leaves out; ValueError where it has none."""
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
