import sqlite3
from pathlib import Path

import pytest
import yaml
from hydra.errors import HydraException
from omegaconf import OmegaConf
from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner, PercentilePruner
from optuna.samplers import BruteForceSampler, NSGAIISampler, QMCSampler, RandomSampler, TPESampler

from unet_lightning.errors import ConfigError, OtherRun, RunError
from unet_lightning.program import CONF
from unet_lightning.sweeps.record import Record, read
from unet_lightning.sweeps.search.space import parse
from unet_lightning.sweeps.search.study import begin_study, one_line_faults, open_study, pruner_of, sampler_of
from unet_lightning.sweeps.search.sweeper import description, known, wanted

SPACE = parse(["x=interval(0,1)"], {})
TPE, MEDIAN = {"_target_": "optuna.samplers.TPESampler"}, {"_target_": "optuna.pruners.MedianPruner"}
SETTINGS = {"n_trials": 5, "n_jobs": 1, "seed": 0, "warmup": 3, "storage": None, "study": None}
SETTINGS |= {"sampler": TPE, "pruner": MEDIAN}


def about(folder, best=("val/dice_per_image", "max"), space=SPACE, **changed):
    config = OmegaConf.create({"callbacks": {"best": dict(zip(("monitor", "mode"), best, strict=True))}})
    return description(config, SETTINGS | changed, space, folder)


def begun(folder, **changed):
    search = about(folder, **changed)
    study = begin_study(search, folder)
    folder.mkdir(parents=True, exist_ok=True)
    Record("quick", ".", "train", overrides=["x=interval(0,1)"], search=search).write(folder)
    return study


def choice(group, name):
    return yaml.safe_load(Path(CONF, f"sweep/{group}/{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        (choice("sampler", "tpe"), TPESampler),
        (choice("sampler", "random"), RandomSampler),
        (choice("sampler", "grid"), BruteForceSampler),
        ({"_target_": "optuna.samplers.NSGAIISampler", "population_size": 8}, NSGAIISampler),
        ({"_target_": "optuna.samplers.QMCSampler", "seed": 3}, QMCSampler),  # experimental, which its user has chosen
    ],
)
def test_a_sampler_is_any_class_of_optunas(spec, kind):
    assert type(sampler_of(spec, 0, 0)) is kind


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        (choice("pruner", "median"), MedianPruner),
        (choice("pruner", "hyperband"), HyperbandPruner),
        (choice("pruner", "none"), NopPruner),
        ({"_target_": "optuna.pruners.PercentilePruner", "percentile": 25.0}, PercentilePruner),
    ],
)
def test_a_pruner_is_any_class_of_optunas(spec, kind):
    assert type(pruner_of(spec, 3)) is kind


def test_nothing_is_pruned_before_the_end_of_the_warmup():
    assert pruner_of(MEDIAN, 3)._n_warmup_steps == 3
    assert pruner_of(MEDIAN | {"n_warmup_steps": 7}, 3)._n_warmup_steps == 7


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"n_trials": 0}, "sweep.n_trials must be a whole number from 1, found 0"),
        ({"n_trials": 2.5}, "n_trials"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"n_trials": True}, "n_trials"),
        ({"warmup": -1}, "warmup"),
        ({"seed": -1}, "seed"),
        ({"sampler": "tpe"}, "sweep.sampler must be a mapping with the _target_ of a BaseSampler, found tpe"),
        ({"sampler": MEDIAN}, "the _target_ of a BaseSampler, found .*MedianPruner"),
        ({"sampler": TPE | {"sed": 1}}, "unexpected keyword argument 'sed'"),
        ({"sampler": {"_target_": "optuna.samplers.TPA"}}, "TPA"),
        ({"pruner": {"_target_": "optuna.pruners.PatientPruner"}}, "missing"),
    ],
)
def test_a_wrong_setting_is_one_clear_error(values, said):
    with pytest.raises((ConfigError, HydraException), match=said):
        wanted(SETTINGS | values, SPACE)


def test_the_seed_of_the_sampler_depends_on_the_trials_present():
    def proposed(seed, present):
        return sampler_of(TPE, seed, present)._random_sampler._rng.rng.random()

    assert proposed(1, 3) == proposed(1, 3)
    assert len({proposed(seed, present) for seed in (1, 2) for present in (0, 1, 2)}) == 6
    assert proposed(None, 0) != proposed(None, 0)


def test_the_aim_is_that_of_the_best_checkpoint(tmp_path):
    found = about(tmp_path, best=("val/loss", "min"))
    assert (found["monitor"], found["direction"]) == ("val/loss", "minimize")
    with pytest.raises(ConfigError, match="needs callbacks"):
        about(tmp_path, best=(None, "max"))


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_job_finds_the_study_also_where_the_folder_was_moved(elsewhere, tmp_path):
    begun(tmp_path / "a", storage=f"sqlite:///{tmp_path}/all.db" if elsewhere else None).ask()
    (tmp_path / "a").rename(tmp_path / "b")
    study = open_study(read(tmp_path / "b").search, tmp_path / "b")
    assert len(study.trials) == 1 and type(study.pruner) is MedianPruner
    storage = read(tmp_path / "b").search["storage"]
    assert known(tmp_path / "b", ["x=interval(0,1)"], about(tmp_path / "b", storage=storage)).search["study"]


def test_a_job_begins_no_study_of_its_own(tmp_path):
    begun(tmp_path)
    (tmp_path / "study.journal").unlink()
    with pytest.raises(RunError, match="There is no study"):
        open_study(read(tmp_path).search, tmp_path)
    assert not (tmp_path / "study.journal").exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"space": parse(["x=interval(0,2)"], {})}, "another space"),
        ({"best": ("val/dice_per_image", "min")}, "another direction: maximize, found minimize"),
        ({"best": ("val/dice_pooled", "max")}, "another monitor"),
        ({"storage": "sqlite:///x.db"}, "another storage: None, found sqlite:///x.db"),
    ],
)
def test_what_would_not_be_comparable_is_refused(changed, said, tmp_path):
    begun(tmp_path)
    with pytest.raises(ConfigError, match=said):
        known(tmp_path, ["x=interval(0,1)"], about(tmp_path, **changed))


def test_other_values_of_all_trials_are_another_sweep(tmp_path):
    begun(tmp_path)
    with pytest.raises(OtherRun, match="holds another sweep"):
        known(tmp_path, ["x=interval(0,1)", "experiment=demo"], about(tmp_path))


def test_two_searches_share_a_database_under_names_of_their_own(tmp_path):
    url = f"sqlite:///{tmp_path}/all.db"
    names = [begun(tmp_path / "quick" / name, storage=url).study_name for name in ("monday", "tuesday")]
    assert names == ["quick/monday", "quick/tuesday"]


def test_a_study_belongs_to_one_folder(tmp_path):
    shared = {"storage": f"sqlite:///{tmp_path}/all.db", "study": "mine"}
    begun(tmp_path / "first", **shared)
    with pytest.raises(ConfigError, match=r"There is a study mine in sweep.storage already: .*sweep.study="):
        begun(tmp_path / "second", **shared)
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize(
    "storage",
    [
        "studies",
        "sqlite:////no/such/folder/study.db",
        "nosuchbase://host/base",
        "postgresql+nosuchdriver://u:secret@host/base",
    ],
)
def test_a_storage_that_is_not_there_is_one_clear_error_and_leaves_nothing(storage, tmp_path):
    with pytest.raises(RunError, match=r"sweep.storage cannot be opened: \w+") as raised:
        begun(tmp_path / "sweep", storage=storage)
    assert "secret" not in str(raised.value) and "\n" not in str(raised.value)
    assert not (tmp_path / "sweep").exists()


def test_a_broken_file_is_one_clear_error(tmp_path):
    begun(tmp_path)
    (tmp_path / "study.journal").write_text("not a journal\nat all\n")
    with pytest.raises(RunError, match=f"The study of {tmp_path} cannot be read"):
        open_study(read(tmp_path).search, tmp_path)


def test_a_database_that_locks_in_the_middle_is_one_error():
    with pytest.raises(RunError, match="cannot be written: OperationalError: database is locked"):
        with one_line_faults("The study cannot be written"):
            raise sqlite3.OperationalError("database is locked")
