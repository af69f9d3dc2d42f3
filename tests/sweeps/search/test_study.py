import pytest
import yaml

from unet_lightning.errors import ConfigError, RunError
from unet_lightning.sweeps.search.settings import read
from unet_lightning.sweeps.search.space import parse
from unet_lightning.sweeps.search.study import Target, open_study, read_study, target_of

ARGUMENTS = ["experiment=quick", "x=interval(0,1)"]
DICE, LOSS = Target("val/dice_per_image", "maximize"), Target("val/loss", "minimize")


def opened(folder, arguments=ARGUMENTS, target=DICE, **changed):
    default = {"n_trials": 5, "n_jobs": 1, "sampler": "tpe", "seed": 0, "pruner": "median", "warmup": 0}
    settings = read(default | {"storage": None, "study": None, "params": {}} | changed)
    return open_study(settings, parse(arguments, {}), target, folder)


def folder(path):
    path.mkdir(parents=True)
    return path


def test_the_aim_is_that_of_the_best_checkpoint():
    assert target_of({"best": {"monitor": "val/dice_per_image", "mode": "max"}}) == DICE
    assert target_of({"best": {"monitor": "val/loss", "mode": "min"}}) == LOSS
    with pytest.raises(ConfigError, match="needs callbacks"):
        target_of({"best": None})


@pytest.mark.parametrize("storage", [None, "journal"])
def test_a_job_finds_the_study_also_where_the_folder_was_moved(storage, tmp_path):
    opened(folder(tmp_path / "a"), storage=storage, pruner="none").ask()
    (tmp_path / "a").rename(tmp_path / "b")
    study, monitor = read_study(tmp_path / "b")
    assert len(study.trials) == 1 and monitor == "val/dice_per_image"
    assert type(study.pruner).__name__ == "NopPruner"
    assert len(opened(tmp_path / "b", storage=storage).trials) == 1


def test_a_folder_without_a_search_has_no_study(tmp_path):
    assert read_study(tmp_path) is None


@pytest.mark.parametrize("named", [True, False])
def test_a_database_elsewhere_is_opened_where_the_sweep_was_told_so(tmp_path, named):
    url = f"sqlite:///{tmp_path}/all.db"
    sweep = folder(tmp_path / "sweep")
    opened(sweep, storage=url)
    overrides = [f"sweep.storage='{url}'"] if named else ["sweep=optuna"]
    (sweep / "sweep.yaml").write_text(yaml.safe_dump({"flags": [], "overrides": overrides}))
    if named:
        assert read_study(sweep) is not None
    else:
        with pytest.raises(RunError, match=r"all\.db, which is not in .* and not in its sweep\.yaml"):
            read_study(sweep)
    (sweep / "sweep.yaml").unlink()
    with pytest.raises(RunError, match=f"go on by resume={sweep}"):
        read_study(sweep)


@pytest.mark.parametrize("storage", [None, "journal"])
def test_a_job_begins_no_study_of_its_own(storage, tmp_path):
    opened(tmp_path, storage=storage)
    for file in tmp_path.glob("study.*"):
        file.unlink()
    with pytest.raises(RunError, match="There is no study"):
        read_study(tmp_path)
    assert not list(tmp_path.glob("study.*"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"arguments": ["experiment=quick", "x=interval(0,2)"]}, "another space: x changed"),
        ({"arguments": [*ARGUMENTS, "y=1,2"]}, "another space: y changed"),
        (
            {"arguments": ["experiment=demo", "x=interval(0,1)"]},
            "other values: experiment=quick, found experiment=demo",
        ),
        ({"target": LOSS}, "maximize val/dice_per_image, found minimize val/loss"),
        ({"target": Target("val/dice_pooled", "maximize")}, "found maximize val/dice_pooled"),
        ({"storage": "journal"}, "keeps its study in study.db"),
    ],
)
def test_what_would_not_be_comparable_is_refused(changed, said, tmp_path):
    opened(tmp_path)
    with pytest.raises(ConfigError, match=said):
        opened(tmp_path, **changed)


def test_two_searches_share_a_database_under_names_of_their_own(tmp_path):
    url = f"sqlite:///{tmp_path}/all.db"
    names = [opened(folder(tmp_path / "quick" / name), storage=url).study_name for name in ("monday", "tuesday")]
    assert names == ["quick/monday", "quick/tuesday"]


def test_a_study_belongs_to_one_folder_unless_that_is_gone(tmp_path):
    shared = {"storage": f"sqlite:///{tmp_path}/all.db", "study": "mine"}
    first, second = folder(tmp_path / "first"), folder(tmp_path / "second")
    opened(first, **shared)
    with pytest.raises(RunError, match=f"belongs to {first}: go on with it by resume={first}"):
        opened(second, **shared)
    (first / "search.json").unlink()
    first.rmdir()
    opened(second, **shared)
