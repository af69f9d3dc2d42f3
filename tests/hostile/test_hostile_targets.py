"""Configs that name what is not theirs to call."""

import re
import shutil
import sys

import pytest
import yaml
from conftest import TINY_RUN

from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.errors import ConfigError, DataError, RunError
from unet_lightning.specs import SECTIONS, build, find
from unet_lightning.training.build import build_section
from unet_lightning.training.config import RUN_FOLDER, TRAINING, continued, read_config

DATA = {
    "_target_": "unet_lightning.data.datamodule.SegmentationDataModule",
    "dataset": {"_target_": "unet_lightning.data.drive.DriveDataset", "_partial_": True, "fov": "mask"},
    "root": "data/DRIVE",
    "augment": {
        "_target_": "torchvision.transforms.v2.Compose",
        "transforms": [{"_target_": "torchvision.transforms.v2.RandomHorizontalFlip", "p": 0.5}],
    },
}
CONFIG = {
    "seed": 0,
    "data": DATA,
    "model": {"_target_": "unet_lightning.models.unet.UNet", "base_c": 2},
    "loss": {"_target_": "unet_lightning.losses.dice.DiceLoss"},
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.001},
    "trainer": {"_target_": "lightning.Trainer"},
}


def written(folder, config):
    text = config if isinstance(config, str) else yaml.safe_dump(config)
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    return folder / "config.yaml"


def test_a_data_section_is_built_with_partials_and_lists():
    data = build(DATA, SECTIONS["data"])
    assert isinstance(data, SegmentationDataModule)
    with pytest.raises(DataError, match="No DRIVE in nowhere"):  # called now, with what is missing
        data.dataset(root="nowhere", split="train")
    assert data.augment.transforms[0].p == 0.5


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("data", "os.mkdir"),
        ("data", "torch.load"),
        ("data", "unet_lightning.models.unet.UNet"),  # each section has its own
        ("data", "unet_lightning.data.archive.import_drive"),  # functions may write
        ("data", "unet_lightning.data.synthetic.draw_dataset"),
        ("data", "unet_lightning.data.archive.TemporaryDirectory"),
        ("data", "torchvision.datasets.utils.download_url"),
        ("trainer", "lightning.Fabric"),
        ("trainer", "lightning.pytorch.callbacks.ModelCheckpoint"),
        ("trainer", "lightning.pytorch.profilers.SimpleProfiler"),  # writes where it is told
        ("trainer", "lightning.pytorch.trainer.trainer.Trainer.fit"),
        ("trainer", "lightning.seed_everything"),
        ("data", "/tmp/evil.Data"),
        ("data", "../evil.Data"),
        ("data", "evil"),
    ],
)
def test_what_is_not_of_its_section_is_refused_by_name(section, name):
    with pytest.raises(ConfigError, match=rf"^_target_ {name} is not trusted"):
        find(name, SECTIONS[section])


def test_a_module_that_lies_in_the_current_folder_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("import os\nos.mkdir('ran')\nclass Data: pass\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"evil\.Data is not trusted.*--config-dir"):
        build(DATA | {"dataset": {"_target_": "evil.Data"}}, SECTIONS["data"])
    assert not (tmp_path / "ran").exists() and "evil" not in sys.modules


def test_a_target_is_refused_within_lists_and_partials(tmp_path):
    spec = {"_target_": "os.mkdir", "path": str(tmp_path / "ran")}
    for nested in ({"transforms": [spec]}, {"transforms": [[{"a": spec}]]}, spec | {"_partial_": True}):
        with pytest.raises(ConfigError, match=r"os\.mkdir is not trusted"):
            build({"_target_": "torchvision.transforms.v2.Compose", "x": nested}, SECTIONS["data"])
    assert not (tmp_path / "ran").exists()


def test_endless_nesting_is_refused():
    endless: list = []
    endless.append(endless)
    with pytest.raises(ConfigError, match="at most 50 mappings and lists within one another"):
        build({"_target_": "torch.nn.ReLU", "x": endless})


def test_any_error_of_a_constructor_is_one_of_ours():
    with pytest.raises(ConfigError, match=r"torch\.nn\.Linear refuses its arguments"):
        build({"_target_": "torch.nn.Linear", "in_features": -1, "out_features": 2})  # a RuntimeError of torch's
    dataset = build(DATA["dataset"], SECTIONS["data"])
    with pytest.raises(ConfigError, match=r"DriveDataset refuses its arguments: unhashable type"):
        dataset(root="nowhere", split=["train"])
    with pytest.raises(ConfigError, match=r"ReLU refuses its arguments: keywords must be strings"):
        build({"_target_": "torch.nn.ReLU", 3: 4})
    with pytest.raises(ConfigError, match=r"callbacks must be a mapping .* found 5"):
        build_section(5, "callbacks")
    with pytest.raises(ConfigError, match="Expected a mapping with _target_, found 5"):
        build_section({"history": 5}, "callbacks")


def test_an_honest_config_passes(tmp_path):
    as_now = CONFIG | {"data": DATA | {"cache": "auto"}}
    assert read_config(written(tmp_path, CONFIG), TRAINING) == as_now


def test_the_config_of_a_run_passes(tiny_run):
    assert read_config(tiny_run / "config.yaml", TRAINING)["model"]["base_c"] == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is broken"),
        ("!!python/object/apply:os.mkdir [ran]", "is broken"),
        ("seed: !!timestamp 2026-99-99", "is broken"),
        ("seed: " + "9" * 5000, "is broken"),
        ("a: &a [x, x]\nb: [*a, *a]\nseed: 0", "line 2 refers to something else"),
        ("[" * 60, "over 50 levels"),
        ("seed: 0\nname: " + "x" * 1_000_000, "over 1,000,000 bytes"),
        ("seed: 0\nmodel: {}\ndata: {root: '${oc.env:HOME}'}", "line 3 refers to something else"),
        ('seed: 0\nmodel: {}\ndata: {root: "\\x24{oc.env:HOME}"}', "line 3 refers to something else"),
        ("seed: 0\nmodel: {}\ndata: {'${oc.env:HOME}': 1}", "line 3 refers to something else"),
        ("seed: x\nmodel: {}\ndata: {}", "it lacks seed"),
        ("seed: 0\nmodel: {}\ndata: {}\ncallbacks: 5", "is not the config of a run"),
        ("\0", "is broken"),
        ("5", "is broken|is not the config of a run"),
    ],
)
def test_a_config_that_is_more_than_values_is_refused(tmp_path, text, said):
    with pytest.raises(RunError, match=said):
        read_config(written(tmp_path, text))


def test_what_cannot_be_trained_says_what_it_lacks(tmp_path):
    with pytest.raises(RunError, match="it lacks trainer"):
        read_config(written(tmp_path, CONFIG | {"trainer": None}), TRAINING)


# What a present command has files for.
KNOWN = {
    "best": {"_target_": "RunCheckpoint", "filename": "best", "monitor": "val/dice_per_image"},
    "average": {"_target_": "RampedAverage", "decay": 0.99},
    "wandb": {"_target_": "WandbTracker", "project": "p", "settings": {"init_timeout": 30}},
    "mlflow": {"_target_": "MLflowTracker", "tracking_uri": "sqlite:///outputs/mlflow.db", "artifact_location": None},
}


@pytest.mark.parametrize(
    ("name", "recorded", "found"),
    [
        ("average", {"_target_": "RampedAverage", "decay": 0.5}, KNOWN["average"] | {"decay": 0.5}),
        ("average", {"_target_": "os.mkdir", "path": "ran"}, KNOWN["average"]),
        ("best", {"monitor": "val/loss"}, KNOWN["best"] | {"monitor": "val/loss"}),
        ("best", {"filename": "../../x"}, KNOWN["best"]),
        ("best", {"filename": "..\\x"}, KNOWN["best"]),
        ("best", {"filename": "/etc/x"}, KNOWN["best"]),
        ("best", {"dirpath": "/etc"}, KNOWN["best"]),
        ("best", {"dirpath": RUN_FOLDER + "/checkpoints"}, KNOWN["best"]),
        ("wandb", {"project": "mine"}, KNOWN["wandb"] | {"project": "mine"}),
        ("wandb", {"project": "https://evil.com"}, KNOWN["wandb"]),
        ("wandb", {"save_dir": "/etc", "dir": "elsewhere"}, KNOWN["wandb"]),
        ("wandb", {"settings": {"base_url": "evil.com", "x_executable": "evil"}}, KNOWN["wandb"]),
        ("wandb", {"settings": {"init_timeout": 3}}, KNOWN["wandb"] | {"settings": {"init_timeout": 3}}),
        ("wandb", {"settings": {"init_timeout": "http://evil.com"}}, KNOWN["wandb"]),
        ("mlflow", {"tracking_uri": "databricks", "artifact_location": "elsewhere"}, KNOWN["mlflow"]),
        ("mlflow", {"tracking_uri": "sqlite:////elsewhere/mlflow.db"}, KNOWN["mlflow"]),
    ],
)
def test_a_run_that_goes_on_says_neither_what_a_callback_is_nor_where_a_logger_sends(name, recorded, found):
    assert continued({name: recorded}, KNOWN, "logger") == {name: found}


def test_a_callback_that_the_present_command_does_not_know_is_named():
    with pytest.raises(ConfigError, match=r"The run had callbacks\.mine, which no file of conf/callbacks here has"):
        continued({"mine": {"_target_": "grown.Mine"}, "gone": None}, KNOWN, "callbacks")
    assert continued({"gone": None}, KNOWN, "callbacks") == continued(None, KNOWN, "callbacks") == {}


def test_values_that_follow_another_are_left_to_follow_it(tmp_path):
    config = CONFIG | {"data": DATA | {"seed": 0}, "deterministic": True}
    config["trainer"] = {"deterministic": True, "default_root_dir": RUN_FOLDER}
    found = read_config(written(tmp_path, config))
    assert (found["data"]["seed"], found["trainer"]) == (None, {"deterministic": None})
    own = read_config(written(tmp_path, CONFIG | {"data": DATA | {"seed": 3}}))
    assert own["data"]["seed"] == 3


@pytest.fixture
def strangers_run(tiny_run, tmp_path):
    """A run folder whose config makes a folder called `ran` where it is built by any name."""
    run = shutil.copytree(tiny_run, tmp_path / "run")
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))

    def spoil(*keys):
        section = config
        for key in keys[:-1]:
            section = section[key]
        section[keys[-1]] = {"_target_": "os.mkdir", "path": str(tmp_path / "ran")}
        (run / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        return run

    return spoil


@pytest.mark.parametrize("keys", [("data",), ("data", "dataset"), ("data", "augment"), ("data", "root")], ids=".".join)
def test_evaluate_builds_nothing_of_a_strangers_run(in_process, strangers_run, tmp_path, keys):
    assert "os.mkdir is not trusted" in in_process("evaluate", f"run={strangers_run(*keys)}", "report=false")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (("callbacks", "x"), "The run had callbacks.x, which no file of conf/callbacks here has"),
        (("logger", "x"), "The run had logger.x, which no file of conf/logger here has"),
        (("trainer",), "os.mkdir is not trusted"),
        (("trainer", "strategy"), "os.mkdir is not trusted"),
        (("loss",), "os.mkdir is not trusted"),
    ],
)
def test_resume_builds_nothing_of_a_strangers_run(in_process, strangers_run, tmp_path, keys, said):
    assert said in in_process("train", f"resume={strangers_run(*keys)}")
    assert not (tmp_path / "ran").exists()


def test_hydra_is_given_nothing_of_a_run_folder(program, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    with (run / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(f"hydra: {{callbacks: {{x: {{_target_: os.mkdir, path: {tmp_path / 'ran'}}}}}}}\n")
        file.write("defaults: [/evil]\n")
    done = program("train", f"resume={run}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists()


MINE = """
import os
from lightning.pytorch.callbacks import Callback
from unet_lightning.models.unet import UNet

os.makedirs("ran", exist_ok=True)

class Net(UNet):
    pass

class Mine(Callback):
    def __init__(self, every):
        self.every = every
"""


def test_a_class_of_ones_own_costs_one_python_and_one_yaml_file(program, tmp_path):
    (tmp_path / "grown.py").write_text(MINE, encoding="utf-8")
    conf = {"model/mine.yaml": {"_target_": "grown.Net", "base_c": 2, "weights": None}}
    conf["callbacks/mine.yaml"] = {"defaults": ["default"], "mine": {"_target_": "grown.Mine", "every": 3}}
    for name, content in conf.items():
        (tmp_path / "my_conf" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "my_conf" / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    own, tiny = "--config-dir=my_conf", [word for word in TINY_RUN if not word.startswith("model.")]
    given = [*tiny, "model=mine", "callbacks=mine", "trainer.max_epochs=1", "scheduler=none", "hydra.run.dir=run"]
    for arguments in ([own, *given], [own, "resume=run", "trainer.max_epochs=2"]):
        done = program("train", *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    shutil.rmtree(tmp_path / "ran")
    for name, arguments in (("train", ["resume=run"]), ("evaluate", ["run=run", "report=false"])):
        done = program(name, *arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert re.search(r"grown\.Net is not trusted.*--config-dir|callbacks\.mine, which no file", done.stderr)
    assert not (tmp_path / "ran").exists()
    done = program("evaluate", own, "run=run", "report=false", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
