from pathlib import Path

import pytest
import yaml
from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner, PatientPruner, PercentilePruner
from optuna.samplers import NSGAIISampler, QMCSampler, RandomSampler, TPESampler

from unet_lightning.errors import ConfigError
from unet_lightning.program import CONF
from unet_lightning.sweeps.search.settings import read

DEFAULT = yaml.safe_load(Path(CONF, "sweep/optuna.yaml").read_text())["sweep"] | {"seed": 0}


def changed(**values):
    return read(DEFAULT | values)


def test_the_default_is_tpe_with_the_median_rule():
    settings = read(DEFAULT)
    assert type(settings.build_sampler(0)) is TPESampler and type(settings.build_pruner()) is MedianPruner


@pytest.mark.parametrize(
    ("sampler", "kind"),
    [
        ("random", RandomSampler),
        ({"_target_": "optuna.samplers.NSGAIISampler", "population_size": 8}, NSGAIISampler),
        ({"_target_": "optuna.samplers.QMCSampler", "seed": 3}, QMCSampler),  # experimental, which its user has chosen
    ],
)
def test_a_sampler_is_a_name_or_a_class_of_optunas(sampler, kind):
    assert type(changed(sampler=sampler).build_sampler(0)) is kind


@pytest.mark.parametrize(
    ("pruner", "kind"),
    [
        ("none", NopPruner),
        ("hyperband", HyperbandPruner),
        ({"_target_": "optuna.pruners.PercentilePruner", "percentile": 25.0}, PercentilePruner),
    ],
)
def test_a_pruner_is_a_name_or_a_class_of_optunas(pruner, kind):
    assert type(changed(pruner=pruner).build_pruner()) is kind


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"n_trials": 0}, "sweep.n_trials must be a whole number from 1, found 0"),
        ({"n_trials": 2.5}, "n_trials"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"n_trials": True}, "n_trials"),
        ({"warmup": -1}, "warmup"),
        ({"seed": -1}, "seed"),
        ({"sampler": "tpa"}, "one of tpe, random, grid"),
        ({"sampler": {"_target_": "os.system", "command": "true"}}, "found os.system"),
        ({"sampler": {"_target_": "optuna.samplers.TPESampler", "sed": 1}}, "refuses its arguments"),
        ({"sampler": {"_target_": "optuna.samplers.GridSampler"}}, "sweep.sampler=grid"),
        ({"sampler": {"_target_": "optuna.samplers.BaseSampler"}}, "one of tpe, random, grid"),
        ({"sampler": {"_target_": "optuna.samplers.CmaEsSampler"}}, "keeps pickled code"),
        ({"pruner": "medain"}, "one of median, hyperband, none"),
        ({"pruner": {"_target_": "optuna.samplers.TPESampler"}}, "found optuna.samplers.TPESampler"),
        ({"pruner": {"_target_": f"optuna.pruners.{PatientPruner.__name__}"}}, "refuses its arguments"),
    ],
)
def test_a_wrong_setting_is_one_clear_error(values, said):
    with pytest.raises(ConfigError, match=said):
        changed(**values)


def proposed(settings, present):
    return settings.build_sampler(present)._random_sampler._rng.rng.random()


def test_the_seed_of_the_sampler_depends_on_the_trials_present():
    assert proposed(changed(seed=1), 3) == proposed(changed(seed=1), 3)
    assert len({proposed(changed(seed=seed), present) for seed in (1, 2) for present in (0, 1, 2)}) == 6
    assert proposed(changed(seed=None), 0) != proposed(changed(seed=None), 0)
