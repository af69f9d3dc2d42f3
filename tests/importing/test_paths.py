import pytest

from unet_lightning.errors import DataError
from unet_lightning.importing.paths import files_in_table, is_table


@pytest.fixture
def table(tmp_path):
    """A table of paths, with empty files of the names that are in it."""

    def table(text, absent="", encoding="utf-8"):
        for name in (cell for line in text.split() for cell in line.strip('"').replace('","', ";").split(";")):
            for path in (tmp_path / one for one in name.split(",") if one.endswith(".png") and one != absent):
                path.parent.mkdir(exist_ok=True)
                path.touch()
        (tmp_path / "a.csv").write_text(text, encoding)
        return tmp_path / "a.csv"

    return table


def test_a_table_of_paths_says_everything(table, tmp_path):
    path = table("image,label,patient,split,class\nx/1.png,y/p.png,P1,train,disc\nx/1.png,y/q.png,P1,train,cup\n")
    (files,) = files_in_table(path)
    assert is_table(path)
    assert (files.image_id, files.photo, files.group, files.split) == ("1", tmp_path / "x/1.png", "P1", "train")
    assert files.labels == {tmp_path / "y/p.png": "disc", tmp_path / "y/q.png": "cup"}


@pytest.mark.parametrize(
    "text",
    ["\ufeffimage;label\r\na.png;b.png\r\n", "Image\tMask\na.png\tb.png\n", 'image,label\n"a.png","b.png"\n\n'],
    ids=["semicolons", "tabs", "quotes"],
)
def test_a_table_is_read_as_programs_write_it(table, tmp_path, text):
    path = table(text.replace("\t", ";"))
    path.write_text(text, newline="")
    (files,) = files_in_table(path)
    assert is_table(path)
    assert (files.photo, [*files.labels]) == (tmp_path / "a.png", [tmp_path / "b.png"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "photo,region\na.png,b.png\n",
            "has the columns photo, region and 1 lines: expected a line an image, with one",
        ),
        ("image,label\n", "has the columns image, label and 0 lines: expected a line an image"),
        ("image,label,label\na.png,b.png,c.png\n", "has two columns label: keep one"),
        (
            "image,label\na.png,b.png,c.png\n",
            r"more cells than columns \(image, label\) in a row: a\.png, b\.png, c\.png",
        ),
        ("image,label\na.png,\n", "Line 2 of .* lacks the path"),
        (
            "image,label\na.png,b.png\nc.png,none.png\n",
            r"Line 3 of .* names as label none\.png: looked for \S+none\.png",
        ),
        ("image,label\nnone.png,b.png\n", r"Line 2 of .* names as image none\.png: looked for"),
        ("image,label,fov\na.png,b.png,none.png\n", r"Line 2 of .* names as fov none\.png: looked for"),
        ("image,label,split\na.png,b.png,dev\n", "Line 2 of .* has the split dev"),
        ("image,label\na.png,b.png\nc/a.png,d.png\n", "Line 3 of .* gives image a another photograph"),
        ("image,label\na.png,b.png\na.png,b.png\n", r"Line 3 of .* gives the label b\.png once more"),
        (
            "image,label\na.png,b.png\nc.png,b.png\n",
            r"Line 3 of .* gives image c the label b\.png, which is that of image a",
        ),
        ("image,label\na.png,a.png\n", r"Line 2 of .* gives image a the label a\.png, which is its own photograph"),
    ],
)
def test_a_table_that_is_wrong_is_refused(table, text, message):
    with pytest.raises(DataError, match=message):
        files_in_table(table(text, absent="none.png"))


def test_a_table_in_another_encoding_says_how_to_save_it(table):
    path = table("image,label\nä.png,b.png\n", encoding="latin-1")
    assert is_table(path)
    with pytest.raises(DataError, match=r"is no text in UTF-8 .* Save it as `CSV UTF-8`"):
        files_in_table(path)
