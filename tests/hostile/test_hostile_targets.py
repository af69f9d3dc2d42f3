"""Configs that name what is not theirs to call."""

import shutil
import sys

import pytest
import yaml

from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.errors import ConfigError, DataError, RunError
from unet_lightning.specs import SECTIONS, build, build_all, find
from unet_lightning.training.untrusted import HERE, check_resumable, read_config

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
    "callbacks": {"history": {"_target_": "unet_lightning.training.callbacks.history.History", "folder": HERE}},
    "loss": {"_target_": "unet_lightning.losses.dice.DiceLoss"},
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.001},
    "trainer": {"_target_": "lightning.Trainer", "default_root_dir": HERE},
}


def changed(key, value):
    """CONFIG with the value of a dotted key."""
    config = section = yaml.safe_load(yaml.safe_dump(CONFIG))
    *parts, last = key.split(".")
    for part in parts:
        section = section.setdefault(part, {})
    section[last] = value
    return config


def written(folder, config, head=""):
    (folder / "config.yaml").write_text(head + (config if isinstance(config, str) else yaml.safe_dump(config)))
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
        ("callbacks", "unet_lightning.data.drive.DriveDataset"),
        ("callbacks", "lightning.pytorch.callbacks.ModelCheckpoint"),
        ("callbacks", "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint"),
        ("callbacks", "lightning.pytorch.callbacks.model_checkpoint.shutil"),
        ("logger", "lightning.pytorch.loggers.wandb.os"),
        ("trainer", "lightning.Fabric"),
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
    (tmp_path / "evil.py").write_text("import os\nos.mkdir('ran')\nclass Data: pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"evil\.Data is not trusted.*UNET_LIGHTNING_TRUSTED"):
        build(DATA | {"dataset": {"_target_": "evil.Data"}}, SECTIONS["data"])
    assert not (tmp_path / "ran").exists() and "evil" not in sys.modules
    monkeypatch.setenv("UNET_LIGHTNING_TRUSTED", "evil")
    build(DATA | {"dataset": {"_target_": "evil.Data", "_partial_": True}}, SECTIONS["data"])
    assert (tmp_path / "ran").exists()
    sys.modules.pop("evil")


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
        build_all(5, "callbacks")
    with pytest.raises(ConfigError, match="Expected a mapping with _target_, found 5"):
        build_all({"history": 5}, "callbacks")


def test_an_honest_config_passes(tmp_path):
    path = written(tmp_path, CONFIG)
    assert read_config(path) == CONFIG
    check_resumable(path)


def test_the_config_of_a_run_passes(tiny_run):
    check_resumable(tiny_run / "config.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is broken"),
        ("!!python/object/apply:os.mkdir [ran]", "is broken"),
        ("seed: !!timestamp 2026-99-99", "is broken"),
        ("seed: " + "9" * 5000, "is broken"),
        ("a: &a [x, x]\nb: [*a, *a]\nseed: 0", "line 2 refers to another"),
        ("[" * 60, "over 50 levels"),
        ("seed: 0\nname: " + "x" * 1_000_000, "over 1,000,000 bytes"),
        ("seed: 0\nmodel: {}\ndata: {root: '${oc.env:HOME}'}", r"data\.root refers to \$\{oc\.env:HOME\}"),
        ("seed: 0\nmodel: {}\ndata: {'${oc.env:HOME}': 1}", "where values stand"),
        ("seed: x\nmodel: {}\ndata: {}", "it lacks data, model or seed"),
        ("seed: 0\nmodel: {}\ndata: {}\ncallbacks: 5", "is not the config of a run"),
        ("\0", "is broken"),
        ("5", "is broken|is not the config of a run"),
    ],
)
def test_a_config_that_is_more_than_values_is_refused(tmp_path, text, said):
    with pytest.raises(RunError, match=said):
        read_config(written(tmp_path, text))


@pytest.mark.parametrize(
    ("config", "head", "said"),
    [
        (changed("hydra.callbacks.x._target_", "os.mkdir"), "", "section for Hydra"),
        (changed("defaults", ["/evil"]), "", "section for Hydra"),
        (changed("trainer", None), "", "it lacks trainer"),
        (CONFIG, "# @package hydra.callbacks\n", "section for Hydra"),
        (CONFIG, "\n  #@package _global_\n", "section for Hydra"),
        (changed("callbacks.history.folder", "/etc"), "", r"callbacks\.history\.folder is /etc, outside"),
        (changed("callbacks.history.folder", HERE + "/../x"), "", "outside its run folder"),
        (changed("callbacks.history.folder", HERE + "x"), "", "outside its run folder"),
        (changed("callbacks.history.folder", "checkpoints"), "", "outside its run folder"),
        (changed("callbacks.best.filename", "../../x"), "", "outside its run folder"),
        (changed("callbacks.best.filename", "/etc/x"), "", "outside its run folder"),
        (changed("trainer.default_root_dir", "/"), "", "outside its run folder"),
        (changed("logger.wandb.save_dir", "/etc"), "", r"logger\.wandb\.save_dir is /etc, outside"),
        (changed("logger.wandb.dir", "elsewhere"), "", "outside its run folder"),
        (changed("logger.tensorboard.name", "/etc/x"), "", "outside its run folder"),
        (changed("logger.tensorboard.version", "../../x"), "", "outside its run folder"),
        (changed("logger.mlflow.artifact_location", "elsewhere"), "", "outside its run folder"),
        (changed("logger.mlflow.artifact_location", "s3://evil"), "", "somebody else's server"),
        (changed("logger.mlflow.tracking_uri", "https://evil.com"), "", "somebody else's server"),
        (changed("logger.mlflow.tracking_uri", "databricks"), "", "somebody else's server"),
        (changed("logger.wandb.settings.base_url", "evil.com"), "", "somebody else's server"),
        (changed("logger.comet.host", "evil.com"), "", "somebody else's server"),
        (changed("logger.wandb.settings.https_proxy", "http://evil.com"), "", "somebody else's server"),
        (changed("logger.wandb.settings.x_executable", "evil"), "", "none of the settings"),
    ],
)
def test_a_config_that_hydra_would_run_or_that_writes_elsewhere_is_not_gone_on_with(tmp_path, config, head, said):
    with pytest.raises(RunError, match=said):
        check_resumable(written(tmp_path, config, head))


LOGGERS = {
    "mlflow": {"tracking_uri": "sqlite:///outputs/mlflow.db", "artifact_location": None},
    "wandb": {"save_dir": HERE, "settings": {"init_timeout": 30, "finish_timeout": 600}, "notes": "as https://a.b/c"},
    "tensorboard": {"save_dir": HERE, "name": "tensorboard", "version": ""},
}


def test_a_run_with_the_loggers_of_this_project_is_gone_on_with(tmp_path, monkeypatch):
    check_resumable(written(tmp_path, CONFIG | {"logger": LOGGERS}))
    elsewhere = written(tmp_path, changed("logger.mlflow.tracking_uri", "sqlite:////elsewhere/mlflow.db"))
    check_resumable(elsewhere, ["logger.mlflow.tracking_uri=sqlite:////elsewhere/mlflow.db"])
    with pytest.raises(RunError, match="a file outside of here"):
        check_resumable(elsewhere)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mine.com")
    check_resumable(written(tmp_path, changed("logger.mlflow.tracking_uri", "https://mine.com")))


def test_a_server_that_the_command_line_names_is_the_users_own(tmp_path):
    path = written(tmp_path, changed("logger.mlflow.tracking_uri", "https://evil.com"))
    check_resumable(path, ["logger.mlflow.tracking_uri=https://mine.com"])
    with pytest.raises(RunError, match="somebody else's server"):
        check_resumable(path, ["logger.mlflow={run_name: x}"])


@pytest.fixture
def strangers_run(tiny_run, tmp_path):
    """A run folder whose config makes a folder called `ran` where it is built by any name."""
    run = shutil.copytree(tiny_run, tmp_path / "run")
    config = yaml.safe_load((run / "config.yaml").read_text())

    def spoil(*keys):
        section = config
        for key in keys[:-1]:
            section = section[key]
        section[keys[-1]] = {"_target_": "os.mkdir", "path": str(tmp_path / "ran")}
        (run / "config.yaml").write_text(yaml.safe_dump(config))
        return run

    return spoil


@pytest.mark.parametrize("keys", [("data",), ("data", "dataset"), ("data", "augment"), ("data", "root")], ids=".".join)
def test_evaluate_builds_nothing_of_a_strangers_run(in_process, strangers_run, tmp_path, keys):
    assert "os.mkdir is not trusted" in in_process("evaluate", f"run={strangers_run(*keys)}", "report=false")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "keys", [("callbacks", "x"), ("logger", "x"), ("trainer",), ("trainer", "strategy"), ("loss",)]
)
def test_resume_builds_nothing_of_a_strangers_run(in_process, strangers_run, tmp_path, keys):
    message = in_process("train", f"resume={strangers_run(*keys)}")
    assert ("outside its run folder" if "logger" in keys else "os.mkdir is not trusted") in message
    assert not (tmp_path / "ran").exists()


def test_resume_gives_hydra_nothing_to_run(in_process, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    with (run / "config.yaml").open("a") as file:
        file.write(f"hydra: {{callbacks: {{x: {{_target_: os.mkdir, path: {tmp_path / 'ran'}}}}}}}\n")
    assert "it has a section for Hydra" in in_process("train", f"resume={run}")
    assert not (tmp_path / "ran").exists()


def test_the_users_own_callback_needs_to_be_named(in_process, tmp_path, monkeypatch):
    (tmp_path / "grown_callback.py").write_text("import os\nos.mkdir('ran')\n")
    monkeypatch.syspath_prepend(tmp_path)
    message = in_process("train", "+callbacks.mine._target_=grown_callback.Mine", "trainer=cpu", "model.base_c=2")
    assert "grown_callback.Mine is not trusted" in message and "UNET_LIGHTNING_TRUSTED" in message
    assert not (tmp_path / "ran").exists()
