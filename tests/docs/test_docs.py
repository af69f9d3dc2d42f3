"""The commands of docs/ run as they stand there: on drawn photographs, shortened to seconds."""

import shlex

import pytest
from hydra import compose, initialize_config_dir
from own_sets import draw_own_sets
from pages import DOCS, SHORTER, SLURM, TRAIN, blocks, in_a_shell, shortened

from unet_lightning.program import CONF

PAGES = sorted(path.name for path in DOCS.glob("*.md"))


def words_of(text):
    """The arguments of each line of a block that takes no shell, as all of it are programs of ours; else nothing."""
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    ours = all(words[:2] == ["python", "-m"] and words[2].startswith("unet_lightning.") for words in lines)
    shell = any(set("&|;<>*~$") & set(word) for words in lines for word in words)
    return [words[2:] for words in lines] if ours and not shell else []


def test_what_is_shortened_is_in_a_page():
    text = "".join((DOCS / page).read_text() for page in PAGES)
    assert all(long in text for long, _ in SHORTER)


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run_in_their_order(page, program, tiny_drive, tmp_path):
    draw_own_sets(tmp_path)
    for block in blocks(page, "sh"):
        if SLURM.search(block):
            continue
        text = "\n".join(map(shortened, block.splitlines()))
        if not words_of(text):
            in_a_shell(text, tmp_path, tiny_drive)
        for module, *arguments in words_of(text):
            name = module.removeprefix("unet_lightning.")
            done = program(name, *arguments, cwd=tmp_path, timeout=600, WANDB_MODE="offline", OMP_NUM_THREADS="1")
            assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.mark.parametrize("page", PAGES)
def test_commands_for_other_machines_compose(page):
    # What needs a GPU or an account is in console blocks.
    lines = [line for block in blocks(page, "console") for line in block.splitlines() if TRAIN in line]
    with initialize_config_dir(CONF, version_base="1.3"):
        for line in lines:
            words = shlex.split(line, comments=True)
            words = words[words.index("unet_lightning.train") + 1 :]
            compose("train", [word for word in words if "=" in word and not word.startswith(("resume=", "--"))])
