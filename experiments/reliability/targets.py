"""What the fuzzer feeds: each target has inputs made from real files, and a function of the package that reads them."""

import csv
import io
import json
import os
import random
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import drawn
import drawn_annotations
import drawn_maps
import drawn_photographs
import mutations
import numpy as np
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from mutations import odd, spoil, spoil_png, spoil_tiff, spoil_value
from PIL import Image

from unet_lightning.data.archive import import_drive
from unet_lightning.data.drive import expected_files
from unet_lightning.data.photograph import read_photo
from unet_lightning.data.reading import read_binary, read_classes
from unet_lightning.inference.maps import read_probability
from unet_lightning.models.unet import UNet
from unet_lightning.models.weights import load_weights
from unet_lightning.predict import find_photographs, parse, threshold_of
from unet_lightning.program import CONF, from_composition, plain
from unet_lightning.results.leaderboard.entries import Run, make_entries
from unet_lightning.results.stored import read_stored
from unet_lightning.specs import build, trust
from unet_lightning.sweeps.record import read as read_sweep
from unet_lightning.training.build import build_data, build_section
from unet_lightning.training.callbacks.checkpoint import RunCheckpoint
from unet_lightning.training.checks import check_checkpoint
from unet_lightning.training.config import TRAINING, continued
from unet_lightning.training.folder import RunFolder
from unet_lightning.training.state import read_state

SUFFIXES = (".tif", ".png", ".gif", ".jpg", ".bmp", ".ppm", ".webp", ".ppm.gz", ".npy", ".eps", "")
CROP = 48  # pixels


class Refused(Exception):
    """Hydra's own word on a command line, which the programs say in one line."""


@dataclass(frozen=True)
class Material:
    """What inputs are made from.

    Attributes:
        drive: a data set in DRIVE's layout, best the real one.
        chase: the folder of CHASE_DB1, or None.
        run: the folder of a trained and evaluated run.
        work: a folder for inputs; what is in it is removed.
    """

    drive: Path
    chase: Path | None
    run: Path
    work: Path
    kept: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` gives, made at the first call."""
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]


def pictures(material: Material) -> dict[str, list[bytes]]:
    """Real photographs, labels and masks by format: a few as they are, and crops in every form that is met with."""
    files = sorted(material.drive.glob("t*/*/*.tif"))[:2] + sorted(material.drive.glob("t*/*/*.gif"))[:6:2]
    if material.chase is not None:
        files += sorted(material.chase.glob("Image_01L*"))
    whole = {suffix: [path.read_bytes() for path in files if path.suffix == suffix] for suffix in SUFFIXES}
    made: dict[str, list[bytes]] = {"tiff": [], "gif": [], "jpeg": [], "png": [], "others": []}
    for path in files:
        with Image.open(path) as image:
            left, top = image.width // 2 - CROP // 2, image.height // 2 - CROP // 2
            crop = image.crop((left, top, left + CROP, top + CROP))
        grey, colour = crop.convert("L"), crop.convert("RGB")
        deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        packings = [{}, {"compression": "tiff_lzw"}, {"compression": "tiff_deflate"}, {"compression": "jpeg"}]
        made["tiff"] += [_encoded(one, "TIFF", **how) for one in (colour, grey) for how in packings]
        made["tiff"] += [_encoded(deep, "TIFF"), _encoded(grey.convert("1"), "TIFF", compression="group4")]
        made["gif"] += [_encoded(grey, "GIF"), _encoded(crop.convert("P"), "GIF", transparency=1)]
        made["jpeg"] += [_encoded(colour, "JPEG"), _encoded(grey, "JPEG", progressive=True)]
        made["png"] += [_encoded(one, "PNG") for one in (colour, grey, deep, grey.convert("1"), crop.convert("RGBA"))]
        made["png"] += [_encoded(colour.convert("P"), "PNG", transparency=bytes(range(99)))]
        made["others"] += [_encoded(colour, form) for form in ("BMP", "PPM", "WEBP")]
    for kind, suffix in (("tiff", ".tif"), ("gif", ".gif"), ("jpeg", ".jpg"), ("png", ".png")):
        made[kind] = [one for one in made[kind] for _ in range(2)] + whole[suffix]
    return made


def _encoded(image: Image.Image, form: str, **how: Any) -> bytes:
    """A picture as a file."""
    image.save(buffer := io.BytesIO(), form, **how)
    return buffer.getvalue()


def _picture(kind: str) -> "Target":
    """Reads a spoilt picture as a photograph, a mask or an index image, whatever its suffix says."""

    def feed(material: Material, rng: random.Random) -> Callable[[], object]:
        made = material.once("pictures", lambda: pictures(material))
        every = material.once("every", lambda: [one for several in made.values() for one in several])
        data = rng.choice(made[kind])
        aware = {"png": spoil_png, "tiff": spoil_tiff}.get(kind, spoil)
        data = (aware if rng.random() < 0.5 else spoil)(data, every, rng)
        path = material.work / f"input{rng.choice(SUFFIXES)}"
        path.write_bytes(data)
        return rng.choice(
            (
                lambda: read_photo(path),
                lambda: read_binary(path, "mask"),
                lambda: read_classes(path, "label", ["background", "artery", "vein"]),
            )
        )

    return feed


def maps(material: Material, rng: random.Random) -> Callable[[], object]:
    """A spoilt probability map."""

    def make() -> list[bytes]:
        soft = np.random.default_rng(0).random((CROP, CROP))
        found = [_encoded(Image.fromarray((soft * 65535).astype(np.uint16)), "PNG")]
        for array in (soft.astype(np.float32), soft.astype(">f8"), soft[None].astype(np.float16)):
            np.save(buffer := io.BytesIO(), array)
            found.append(buffer.getvalue())
        return found

    every = material.once("maps", make)
    data = rng.choice(every)
    drawn = data[1:4] == b"PNG"
    aware = spoil_png if drawn and rng.random() < 0.5 else spoil
    path = material.work / f"input{rng.choice(('.png', '.png', '.npy') if drawn else ('.npy', '.npy', '.png'))}"
    path.write_bytes(aware(data, every, rng))
    return lambda: read_probability(path)


def archives(material: Material, rng: random.Random) -> Callable[[], object]:
    """A spoilt official archive, one of sixteen with all its files; nothing may be left of one that is refused."""

    def make() -> list[bytes]:
        made = material.once("pictures", lambda: pictures(material))
        names = ["training/images/21_training.tif", "training/mask/21_training_mask.gif", "test/images/01_test.tif"]
        files = {name: made["tiff" if name.endswith("tif") else "gif"][0] for name in names}
        found = [_zip(files, zipfile.ZIP_STORED), _zip(files, zipfile.ZIP_DEFLATED)]
        return [*found, _zip({"drive/training.zip": found[1], "note.txt": b"x"}, zipfile.ZIP_STORED)]

    every = material.once("archives", make)
    path, out = material.work / "input.zip", material.work / "out"
    if rng.random() < 1 / 16:
        path.write_bytes(complete(material, rng))
    else:
        path.write_bytes(spoil(rng.choice(every), every, rng))

    def run() -> None:
        before = set(material.work.rglob("*"))
        try:
            import_drive([path], out)
        finally:
            left = set(material.work.rglob("*")) - before
            assert not left or (out / "DRIVE").exists(), f"left behind: {left}"

    return run


def complete(material: Material, rng: random.Random) -> bytes:
    """An archive of the whole data set, in which one file is spoilt, or the zip around them."""
    files = {name: material.drive / name for number in range(1, 41) for name in expected_files(number).values()}
    every = material.once("complete", lambda: {name: path.read_bytes() for name, path in files.items()})
    name = rng.choice(list(every))
    if rng.random() < 0.5:
        return _zip(every | {name: spoil(every[name], [every[name]], rng)}, zipfile.ZIP_STORED)
    return spoil(_zip(every, zipfile.ZIP_STORED), [every[name]], rng)


def _zip(files: dict[str, bytes], packing: int) -> bytes:
    """A zip."""
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", packing) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def configs(material: Material, rng: random.Random) -> Callable[[], object]:
    """A spoilt config.yaml: what evaluate and predict build of it, and what going on with the run builds."""
    text = material.once("config", lambda: (material.run / "config.yaml").read_bytes())
    folder = material.work / "run"
    folder.mkdir()
    if rng.random() < 0.6:
        data = yaml.safe_dump(spoil_value(yaml.safe_load(text), rng)).encode("utf-8", "surrogatepass")
    else:
        data = spoil(text, [text], rng)
    (folder / "config.yaml").write_bytes(data)

    def run() -> None:
        config = RunFolder(folder).read_config()
        build_data(config).photographs("train")
        config = RunFolder(folder).read_config(TRAINING)
        for group in ("callbacks", "logger"):
            build_section(continued(config.get(group), KNOWN[group], group), group)

    return run


# What a command that goes on with a run has files for.
CALLBACKS = yaml.safe_load(Path(CONF, "callbacks/default.yaml").read_text(encoding="utf-8"))
KNOWN = {"callbacks": CALLBACKS, "logger": {}}
trust(entry["_target_"] for entry in CALLBACKS.values())

# Values that a command line may hold, good ones: the faults come from `spoil`.
OVERRIDES = [
    "model.bilinear=false", "model.base_c=16", "data=drive", "data.val_ids=[21,22]", "loss.weights.dice=0.5",
    "+trainer.fast_dev_run=true", "~scheduler", "optimizer={_target_: torch.optim.SGD, lr: 0.1}", "name='a b'",
    "trainer.max_time=00:08:00:00", "data.normalize={mean: [0.5,0.5,0.5], std: [0.1,0.1,0.1]}", "seed=${seed}",
    "hydra.run.dir=x", "experiment=quick", "data.augment.crop=32", "logger=many", "scheduler=null",
    "model.weights=last.ckpt",
]  # fmt: skip


def overrides(material: Material, rng: random.Random) -> Callable[[], object]:
    """A spoilt command line of train: composed, resolved, and the sections built that are quick to build."""
    others = [one.encode() for one in OVERRIDES]
    given = [_argument(spoil(one, others, rng)) for one in rng.sample(others, rng.choice((1, 1, 2)))]

    def run() -> None:
        with _hydras_word(), initialize_config_dir(CONF, version_base="1.3"):
            cfg = compose("train", [*given, f"hydra.runtime.output_dir={material.work}"], return_hydra_config=True)
            HydraConfig.instance().set_config(cfg)
            del cfg.hydra
            config = plain(cfg)
        build_data(config)
        build_section(config["callbacks"], "callbacks")
        with torch.device("meta"):
            build(config["loss"])

    return run


def photographs(material: Material, rng: random.Random) -> Callable[[], object]:
    """A spoilt list of photographs for predict: files, folders, or words for a data set."""
    photo = next(iter(sorted(material.drive.glob("test/images/*"))))
    folder = material.work / "photos"
    folder.mkdir()
    shutil.copyfile(photo, folder / photo.name)
    words = ["data=drive", "split=test", f"data.root={material.drive}", str(folder / photo.name), str(folder)]
    others = [word.encode() for word in words]
    given = rng.sample(words, rng.choice((1, 1, 2, 3)))
    given[0] = _argument(spoil(given[0].encode(), others, rng))
    if os.path.isdir(given[0]) and not Path(given[0]).resolve().is_relative_to(material.work):
        given[0] = str(folder)  # to look for photographs in all of / takes its time
    fov = rng.choice(("auto", "none", str(folder), given[0]))
    return lambda: [photograph.name for photograph in find_photographs(given, fov)[0]]


@contextmanager
def _hydras_word() -> Iterator[None]:
    """What Hydra says of a command line is an error of ours: the programs show it in one line."""
    try:
        yield
    except Exception as error:
        if not from_composition(error):
            raise
        raise Refused(str(error)) from error


def _argument(data: bytes) -> str:
    """Bytes as an argument of a command: the system lets no zero through."""
    return os.fsdecode(data.replace(b"\0", b""))[:20_000]


def evaluations(material: Material, rng: random.Random) -> Callable[[], object]:
    """A spoilt evaluation folder beside a good one, as a leaderboard reads them."""
    source = material.once(
        "evaluation", lambda: next(iter(sorted(material.run.glob("evaluation/*/metrics.json")))).parent
    )
    metrics, rows = (source / "metrics.json").read_bytes(), (source / "per_image.csv").read_bytes()
    if rng.random() < 0.5:
        metrics = json.dumps(spoil_value(json.loads(metrics), rng)).encode()
    elif rng.random() < 0.5:
        metrics = spoil(metrics, [metrics, rows], rng)
    else:
        rows = spoil(rows, [metrics, rows], rng) if rng.random() < 0.5 else _spoil_table(rows, rng)
    folder = material.work / "evaluation"
    folder.mkdir()
    (folder / "metrics.json").write_bytes(metrics)
    (folder / "per_image.csv").write_bytes(rows)
    config = material.once("config values", lambda: RunFolder(material.run).read_config())

    def run() -> None:
        runs = [Run("a", config, read_stored(source)), Run("b", config | {"seed": 1}, read_stored(folder))]
        make_entries(runs)

    return run


def _spoil_table(data: bytes, rng: random.Random) -> bytes:
    """A CSV with odd cells."""
    table = list(csv.reader(io.StringIO(data.decode())))
    for _ in range(rng.randint(1, 4)):
        row = rng.choice(table)
        if row:
            row[rng.randrange(len(row))] = str(rng.choice([odd(rng), "nan", "inf", "1e999", "-5"]))[:50_000]
    buffer = io.StringIO()
    csv.writer(buffer).writerows(table)
    return buffer.getvalue().encode("utf-8", "surrogatepass")


def manifests(material: Material, rng: random.Random) -> Callable[[], object]:
    """A spoilt state.json, sweep.yaml or threshold.json."""
    made_for = {"networks": ["0" * 64], "tta": "none", "scale": "auto"}
    state = {"state": "failed", "exit_code": 1, "seconds": 3.5, "attempts": 2, "overrides": ["a=b"], "pid": 7}
    sweep = {"config_name": "train", "overrides": ["model.base_c=8,16"], "jobs": {"0": ["model.base_c=8"]}}
    name, good = rng.choice(
        (("state.json", state), ("sweep.yaml", sweep), ("threshold.json", {"threshold": 0.4} | made_for))
    )
    data = json.dumps(spoil_value(good, rng) if rng.random() < 0.5 else good).encode()  # JSON is YAML
    (material.work / name).write_bytes(data if rng.random() < 0.5 else spoil(data, [data], rng))
    if name == "state.json":
        return lambda: read_state(material.work)
    if name == "sweep.yaml":
        return lambda: read_sweep(material.work)
    args = parse(["photo.tif", "--run", str(material.work), "--out", "x", "--threshold", "val"])
    return lambda: threshold_of(args, 2, made_for)


def checkpoints(material: Material, rng: random.Random) -> Callable[[], object]:
    """A spoilt checkpoint: bytes, or values in a file that is whole; as evaluate, as `model.weights`, as a resume."""
    data = material.once("checkpoint", lambda: (material.run / "checkpoints/last.ckpt").read_bytes())
    values = material.once("values", lambda: torch.load(io.BytesIO(data), weights_only=True))
    state = next(iter(state for key, state in values["callbacks"].items() if "best" in key or "Checkpoint" in key))
    if rng.random() < 0.2:
        spoilt, home = spoil_value(state, rng), state["dirpath"]
        return lambda: RunCheckpoint(dirpath=home).load_state_dict(spoilt)
    folder = material.work / "run"
    (folder / "checkpoints").mkdir(parents=True)
    shutil.copyfile(material.run / "config.yaml", folder / "config.yaml")
    path = folder / "checkpoints/last.ckpt"
    if rng.random() < 0.5:
        torch.save(spoil_value(values, rng, tensors=True), path)
    else:
        path.write_bytes(spoil(data, [data], rng))
    if rng.random() < 0.2:
        return lambda: check_checkpoint(path, -1)
    if rng.random() < 0.3:
        return lambda: load_weights(UNet(base_c=2), path)
    return lambda: RunFolder(folder).load("last")


Target = Callable[[Material, random.Random], Callable[[], object]]
# Each with its share of the inputs.
TARGETS: dict[str, tuple[Target, int]] = {
    "photographs, masks, labels: TIFF": (_picture("tiff"), 16),
    "photographs, masks, labels: GIF": (_picture("gif"), 8),
    "photographs, masks, labels: JPEG": (_picture("jpeg"), 8),
    "photographs, masks, labels: PNG": (_picture("png"), 12),
    "photographs, masks, labels: BMP, PPM, WebP": (_picture("others"), 6),
    "probability maps: PNG, npy": (maps, 8),
    "official archives": (archives, 8),
    "config.yaml of a run": (configs, 9),
    "command line of train": (overrides, 5),
    "command line of predict": (photographs, 4),
    "evaluation folders": (evaluations, 8),
    "state, sweep and threshold files": (manifests, 6),
    "checkpoints": (checkpoints, 12),
    "photographs of N channels and depths, drawn": (drawn_photographs.photographs, 14),
    "labels of two classes, drawn": (drawn.masks, 14),
    "labels of several classes, drawn": (drawn.classes, 10),
    "photographs and labels by name and turn, drawn": (drawn.pairs, 8),
    "groups of images, drawn": (drawn.groups, 4),
    "maps of other programs, drawn": (drawn_maps.maps, 8),
    "annotations of other tools, drawn": (drawn_annotations.annotations, 12),
    "annotations of other tools": (drawn_annotations.spoilt, 12),
    "volumes and DICOM": (drawn_annotations.scans, 8),
}


def one_input(material: Material, target: str, seed: int) -> Callable[[], object]:
    """What reads input number `seed` of a target; the input is in `material.work` by then."""
    for path in material.work.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return TARGETS[target][0](material, random.Random(f"{target} {seed}"))


def canary() -> Path:
    """The folder that hostile values try to make in the current one."""
    return Path.cwd() / mutations.CANARY
