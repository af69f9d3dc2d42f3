import pytest

from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.found import Found, Reader
from unet_lightning.importing.readers import read


def reader(name, ending, **options):
    return Reader(name, lambda path: path.suffix in ending, lambda path, given: Found((), (name, *given)), **options)


READERS = [reader("one", (".a", ".c"), takes=frozenset({"window"})), reader("two", (".b", ".c"))]


def test_the_reader_that_recognises_an_input_reads_it(tmp_path):
    for ending, name in ((".a", "one"), (".b", "two")):
        (tmp_path / f"x{ending}").touch()
        assert read(tmp_path / f"x{ending}", {}, readers=READERS).classes == (name,)


def test_what_several_readers_or_none_recognise_is_asked_about(tmp_path):
    for ending, message in (
        (".c", "looks like one and two: say"),
        (".d", "No images with labels in .* looked for images/ with"),
    ):
        path = tmp_path / f"x{ending}"
        path.touch()
        with pytest.raises(DataError, match=message):
            read(path, {}, readers=READERS)
        assert read(path, {}, "two", READERS).classes == ("two",)
    with pytest.raises(ConfigError, match="--format must be one of one, two, found three"):
        read(path, {}, "three", READERS)


def test_an_option_that_means_nothing_is_refused(tmp_path):
    (tmp_path / "x.a").touch()
    (tmp_path / "x.b").touch()
    assert read(tmp_path / "x.a", {"window": 1}, readers=READERS).classes == ("one", "window")
    with pytest.raises(ConfigError, match=r"--window means nothing for \S+x\.b, which is read as two"):
        read(tmp_path / "x.b", {"window": 1}, readers=READERS)


def test_an_input_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="No input: looked for"):
        read(tmp_path / "none", {}, readers=READERS)
