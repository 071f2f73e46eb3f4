"""Pictures of pages. The only module that knows Pillow."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageOps

from core.errors import UnreadableDocument
from ingest.reasons import damaged

_MARK = (255, 236, 110)
_INK_CONTRAST = 40
_BLANK_INK_SHARE = 0.0003


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels, counted from the top left corner."""

    left: int
    top: int
    right: int
    bottom: int

    def joined(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def scaled(self, factor: float) -> Box:
        """The same place on a picture `factor` times as large."""
        return Box(*(round(side * factor) for side in (self.left, self.top, self.right, self.bottom)))


class Raster:
    """One picture of a page."""

    def __init__(self, image: Image.Image) -> None:
        self._image = image

    @property
    def width(self) -> int:
        """In pixels."""
        return self._image.width

    @property
    def height(self) -> int:
        """In pixels."""
        return self._image.height

    @property
    def is_blank(self) -> bool:
        """Nothing but paper and a few specks: almost every pixel is near the most frequent shade."""
        histogram = self._image.convert("L").histogram()
        paper = max(range(256), key=histogram.__getitem__)
        near = sum(histogram[max(0, paper - _INK_CONTRAST) : paper + _INK_CONTRAST + 1])
        return 1 - near / max(1, sum(histogram)) < _BLANK_INK_SHARE

    def has_ink(self, box: Box) -> bool:
        """Whether anything but paper is within `box`."""
        part = self._image.convert("L").crop((box.left, box.top, box.right + 1, box.bottom + 1))
        shades = [shade for shade, count in enumerate(part.histogram()) if count]
        return shades[-1] - shades[0] > _INK_CONTRAST

    def scaled(self, factor: float) -> Raster:
        """The same picture, `factor` times as wide and as high."""
        size = max(1, round(self.width * factor)), max(1, round(self.height * factor))
        return Raster(self._image.resize(size, Image.Resampling.LANCZOS))

    def marked(self, boxes: Iterable[Box]) -> Raster:
        """The same picture with `boxes` gone over with a yellow marker: paper turns yellow, ink stays."""
        marker = Image.new("RGB", self._image.size, (255, 255, 255))
        draw = ImageDraw.Draw(marker)
        for box in boxes:
            draw.rectangle((box.left, box.top, box.right, box.bottom), fill=_MARK)
        return Raster(ImageChops.multiply(self._image.convert("RGB"), marker))

    def png(self) -> bytes:
        """The picture as a PNG file."""
        buffer = io.BytesIO()
        self._image.save(buffer, "PNG")
        return buffer.getvalue()

    def pnm(self) -> bytes:
        """The picture in shades of grey as an uncompressed PGM file."""
        buffer = io.BytesIO()
        self._image.convert("L").save(buffer, "PPM")
        return buffer.getvalue()


class ImageFile:
    """An open image file; iterating draws its frames upright, as the camera noted, with transparency on white."""

    def __init__(self, image: Image.Image, max_pixels: int) -> None:
        self._image = image
        self._max_pixels = max_pixels
        self.frame_count: int = getattr(image, "n_frames", 1)

    def __iter__(self) -> Iterator[Raster]:
        return (self.frame(index) for index in range(self.frame_count))

    def frame(self, index: int) -> Raster:
        """Draw a frame, counted from 0; raises `UnreadableDocument` when it is too large."""
        self._image.seek(index)
        width, height = self._image.size
        if width * height > self._max_pixels:
            detail = f"Изображение {width}×{height} слишком велико. Уменьшите его и загрузите снова."
            raise UnreadableDocument("image_too_large", detail)
        return Raster(_on_white(ImageOps.exif_transpose(self._image)))


@contextmanager
def open_image(path: Path, *, max_pixels: int) -> Iterator[ImageFile]:
    """Open an image file of any kind that Pillow knows.

    Raises `UnreadableDocument`, here or from within the context, for what is no image, is damaged or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what is odd or large; sizes are checked here
            with Image.open(path) as image:
                yield ImageFile(image, max_pixels)
    except Image.DecompressionBombError as exc:
        raise UnreadableDocument("image_too_large", "Изображение слишком велико. Уменьшите его.") from exc
    except (OSError, SyntaxError, ValueError, EOFError) as exc:
        raise damaged("изображение") from exc


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("L" if image.mode in ("1", "L", "I", "I;16", "F") else "RGB")
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
