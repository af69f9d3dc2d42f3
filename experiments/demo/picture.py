"""Draws prediction.png from what `make demo` left: photograph, label, vessel probability, overlay."""

from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DATA = ROOT / "data/synthetic/seed-0-584x565/test"
PANELS = (
    DATA / "images/01_test.tif",
    DATA / "1st_manual/01_manual1.gif",
    ROOT / "predictions/01_test_probability.png",
    ROOT / "predictions/01_test_overlay.png",
)
GAP = 8  # pixels


def panel(path: Path) -> Image.Image:
    """A picture as RGB; 16-bit probabilities are brought to 8."""
    with Image.open(path) as image:
        if image.mode.startswith("I"):
            return image.point(lambda value: value / 257).convert("L").convert("RGB")
        return image.convert("RGB")


pictures = [panel(path) for path in PANELS]
width, height = pictures[0].size
sheet = Image.new("RGB", (len(pictures) * (width + GAP) - GAP, height), "white")
for column, picture in enumerate(pictures):
    sheet.paste(picture, (column * (width + GAP), 0))
sheet = sheet.resize((sheet.width // 2, sheet.height // 2), Image.Resampling.LANCZOS)
sheet.quantize(128).save(HERE / "prediction.png", optimize=True)
print(HERE / "prediction.png")
