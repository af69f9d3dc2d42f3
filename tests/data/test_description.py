import pytest

from unet_lightning.data.description import Description, read_description, write_description
from unet_lightning.errors import ConfigError

WHOLE = Description("cells", ["background", "é"], "(P[0-9]+)_", ("green", "nir"), (0, 4095), "regions")


def test_a_description_comes_back_as_it_was_written(tmp_path):
    write_description(tmp_path, WHOLE)
    assert read_description(tmp_path) == WHOLE
    assert (tmp_path / "dataset.yaml").read_text(encoding="utf-8").startswith("# ")


def test_a_folder_without_a_description_says_nothing(tmp_path):
    assert read_description(tmp_path) == Description()
    (tmp_path / "dataset.yaml").write_text("# nothing yet\nname: null\n")
    assert read_description(tmp_path) == Description()


def test_a_table_of_groups_lies_in_the_folder(tmp_path):
    write_description(tmp_path, Description(groups="split.csv"))
    assert read_description(tmp_path).groups == str(tmp_path / "split.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classses: [a, b]", r"dataset\.yaml may have the keys name, classes, .* ignore, found classses"),
        ("[a, b]", "may have the keys .* found a list"),
        ("name: [", r"dataset\.yaml cannot be read as YAML: "),
        ("name: a/b", r"name in \S+dataset\.yaml must be a name without"),
        ("classes: [a]", "classes in .* must be a list of 2 to 255"),
        ("classes: [a, cat, 'Cat ']", "classes in .* must be a list of 2 to 255 different names"),
        ("classes: {a: b}", "classes in .* must be a list of 2 to 255"),
        ("groups: 3", "groups in .* must be a pattern as text"),
        ("channels: 0", "channels in .* must be auto, a number from 1 to 64"),
        ("channels: true", "channels in .* must be auto, a number from 1 to 64"),
        ("channels: [a, a]", "list of different names"),
        ("value_range: [1, 1]", "value_range in .* must be auto, or two numbers, the lower first"),
        ("value_range: [.nan, 1]", "value_range in .* two numbers"),
        ("task: cells", "task in .* must be vessels or regions, found cells"),
    ],
    ids=str,
)
def test_what_means_nothing_is_refused(tmp_path, text, message):
    (tmp_path / "dataset.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_description(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "dataset.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read as YAML"):
        read_description(tmp_path)
