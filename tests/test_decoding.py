"""How pictures are decoded: depth, transparency, orientation, colours and frames, against Pillow and NumPy."""

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageCms, ImageOps
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from scalectl.trainer.data.decoding import Decoding
from scalectl.trainer.data.endings import ENDINGS, FORMATS
from scalectl.trainer.data.headers import BadImage, opened
from scalectl.trainer.data.pictures import crop, middle

VALUES = np.array([[0, 255, 256, 4095], [4096, 30000, 65279, 65535]] * 2, np.uint16)
HIGHEST = VALUES >> 8  # the 8 bits that are kept of 16
TWELVE = np.array([[0, 1, 16, 255], [256, 2049, 4080, 4095]] * 2, np.uint16)


def encoded(image: Image.Image | np.ndarray, kind: str, tags: dict[int, int] | None = None, **options: Any) -> bytes:
    """A picture in a format, with these tags of TIFF."""
    if tags:
        options["tiffinfo"] = ImageFileDirectory_v2()
        for tag, value in tags.items():
            options["tiffinfo"][tag] = value
    stream = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(stream, kind, **options)
    return stream.getvalue()


Chunk = tuple[bytes, bytes]  # its name and content


def png(values: np.ndarray, *chunks: Chunk, after: Sequence[Chunk] = (), colour_type: int = 0) -> bytes:
    """A PNG of 16 bits, written here: Pillow writes none in colour, with sBIT, or with EXIF data after the pixels."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour_type, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for name, body in [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), *after, (b"IEND", b"")]:
        content += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return content


def whole(content: bytes, **how: Any) -> np.ndarray:
    """A square picture (side, side, 3) as it is decoded, without resizing."""
    picture = opened(content, Decoding(**how))
    return middle(picture, picture.size[0], picture.size[0])


def grey(content: bytes, **how: Any) -> list[list[int]]:
    """The levels of a square picture, which are the same in all channels."""
    seen = whole(content, **how)
    assert (seen == seen[..., :1]).all()
    return seen[..., 0].tolist()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG2000", "PPM"])
def test_grey_of_16_bits_keeps_its_highest_8(kind):
    assert grey(encoded(VALUES, kind)) == HIGHEST.tolist()


def test_colours_of_16_bits_do_the_same():
    assert grey(png(VALUES[..., None].repeat(3, axis=2), colour_type=2)) == HIGHEST.tolist()


def test_big_endian_tiff_is_as_little_endian():
    little = encoded(VALUES, "TIFF")
    big = Image.frombytes("I;16B", (4, 4), VALUES.astype(">u2").tobytes())
    assert grey(encoded(big, "TIFF")) == grey(little)


def test_12_bits_are_scaled_as_their_file_declares_them():
    expected = (TWELVE >> 4).tolist()
    assert grey(encoded(TWELVE, "TIFF", {281: 4095})) == expected
    pgm = b"P5 4 4 4095\n" + TWELVE.astype(">u2").tobytes()
    np.testing.assert_allclose(grey(pgm), expected, atol=1)  # Pillow rounds where we cut
    assert grey(png(TWELVE, (b"sBIT", b"\x0c"))) == expected
    for shifted in (TWELVE << 4, (TWELVE << 4) | (TWELVE >> 8)):  # the two ways in which PNG has them scaled up
        assert grey(png(shifted, (b"sBIT", b"\x0c"))) == expected
    dark = TWELVE // 16  # which fit into 12 bits when they are scaled up, too
    assert grey(png(dark << 4, (b"sBIT", b"\x0c"))) == (dark >> 4).tolist()


def test_white_is_0_in_a_tiff_that_says_so():
    assert grey(encoded(VALUES, "TIFF", {262: 0})) == (255 - HIGHEST.astype(int)).tolist()


def test_what_declares_no_white_needs_a_range():
    floats, signed = VALUES / np.float32(65535), VALUES.astype(np.int32) - 32768
    for content, mode in ((encoded(floats, "TIFF"), "F"), (encoded(signed, "TIFF"), "I")):
        with pytest.raises(BadImage, match=rf"mode {mode}.*give data\.range"):
            whole(content)
    expected = np.rint(255 * np.clip(floats * 2, 0, 1)).tolist()
    assert grey(encoded(floats, "TIFF"), black=0, white=0.5) == expected
    assert (
        grey(encoded(signed, "TIFF"), black=-32768, white=-1) == np.rint(255 * np.clip(VALUES / 32767, 0, 1)).tolist()
    )
    assert grey(encoded(floats, "TIFF"), black=1, white=0)[0][0] == 255
    with pytest.raises(BadImage, match="not a number"):
        whole(encoded(np.full((2, 2), np.nan, np.float32), "TIFF"), black=0, white=1)


def test_a_range_is_in_the_values_of_the_file():
    expected = np.rint(255 * np.clip(TWELVE / 2000, 0, 1)).tolist()
    assert grey(encoded(TWELVE, "PNG"), black=0, white=2000) == expected
    assert grey(b"P5 4 4 4095\n" + TWELVE.astype(">u2").tobytes(), black=0, white=2000) == expected


def test_a_range_of_a_tiff_in_which_white_is_0_begins_with_white():
    ends = np.array([[0, 4095], [0, 4095]], np.uint16)
    for tags, black, white, shown in (
        ({}, 0, 4095, [0, 255]),
        ({262: 0}, 0, 4095, [255, 0]),
        ({262: 0}, 4095, 0, [0, 255]),
    ):
        assert grey(encoded(ends, "TIFF", tags), black=black, white=white) == [shown, shown]


def test_colours_of_fewer_bits_in_16_are_refused():
    # one pixel: its tags in order (tag, type short, count, value), then the three values of two of them, then itself
    after = 8 + 2 + 12 * 10 + 4
    tags = [(256, 1, 1), (257, 1, 1), (258, 3, after), (259, 1, 1), (262, 1, 2), (273, 1, after + 12), (277, 1, 3)]
    tags += [(278, 1, 1), (279, 1, 6), (281, 3, after + 6)]
    directory = struct.pack("<H", 10) + b"".join(struct.pack("<HHII", tag, 3, *rest) for tag, *rest in tags) + bytes(4)
    values = struct.pack("<9H", 16, 16, 16, 4095, 4095, 4095, 0, 2048, 4095)
    content = b"II*\0" + struct.pack("<I", 8) + directory + values
    assert Image.open(io.BytesIO(content)).mode == "RGB"
    with pytest.raises(BadImage, match="colours up to 4,095 in 16 bits"):
        whole(content)


def test_transparent_pictures_lie_on_the_background():
    see_through = np.zeros((2, 2, 4), np.uint8)
    see_through[0, 0], see_through[0, 1], see_through[1, 0] = (9, 99, 199, 255), (200, 100, 0, 51), (50, 60, 70, 0)
    palette = Image.new("P", (2, 2))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((0, 0), 1)
    for background, level in (("white", 255), ("black", 0), ("grey", 128)):
        for kind in ("PNG", "TIFF"):
            colours = whole(encoded(see_through, kind), background=background)
            share = see_through[..., 3:] / 255
            np.testing.assert_allclose(colours, see_through[..., :3] * share + level * (1 - share), atol=1)
        for kind in ("PNG", "GIF"):
            assert whole(encoded(palette, kind, transparency=0), background=background)[..., 0].tolist() == [
                [40, level],
                [level, level],
            ]
        keyed = png(VALUES, (b"tRNS", struct.pack(">H", 4095)))
        assert grey(keyed, background=background)[0] == [0, 0, 1, level]
    assert whole(encoded(see_through, "PNG"), background="none")[1, 0].tolist() == [50, 60, 70]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_pillow_turns_them(kind, orientation):
    pixels = np.random.default_rng(37).integers(0, 256, (40, 60, 3), np.uint8)
    exif = Image.Exif()
    exif[274] = orientation
    content = encoded(pixels, kind, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    turned, plain = opened(content), opened(encoded(upright, "PNG"))
    assert turned.size == upright.size
    np.testing.assert_array_equal(middle(turned, 32, 40), middle(plain, 32, 40))
    np.testing.assert_array_equal(crop(opened(content), (3, 5, 33, 37), 16), crop(plain, (3, 5, 33, 37), 16))
    assert opened(content, Decoding("kept")).size == (60, 40)


def test_a_large_jpeg_that_is_turned_is_decoded_in_less_detail():
    pixels = (127 + 120 * np.sin(np.add.outer(np.arange(768) / 70, np.arange(1024) / 50))).astype(np.uint8)
    exif = Image.Exif()
    exif[274] = 6
    content = encoded(Image.fromarray(pixels).convert("RGB"), "JPEG", exif=exif, quality=95)
    upright = Image.fromarray(np.rot90(pixels, -1)).resize((64, 64), Image.Resampling.BILINEAR, box=(100, 50, 700, 900))
    picture = opened(content)
    assert np.abs(crop(picture, (100, 50, 700, 900), 64)[..., 0] - np.asarray(upright, float)).mean() < 2
    assert picture.image.size[0] < 1024


def test_exif_data_after_the_pixels_of_a_png_count():
    exif = Image.Exif()
    exif[274] = 3
    content = png(VALUES, after=((b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")),))
    assert grey(content) == HIGHEST[::-1, ::-1].tolist()


def test_tiff_is_turned_by_pillow_itself():
    assert grey(encoded(VALUES, "TIFF", {274: 3}), orientation="kept") == HIGHEST[::-1, ::-1].tolist()


def test_cmyk_is_converted_by_pillow_and_colour_profiles_are_ignored():
    pixels = np.random.default_rng(3).integers(0, 256, (8, 8, 3), np.uint8)
    cmyk = Image.fromarray(pixels).convert("CMYK")
    np.testing.assert_array_equal(whole(encoded(cmyk, "TIFF")), cmyk.convert("RGB"))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    np.testing.assert_array_equal(whole(encoded(pixels, "PNG", icc_profile=profile)), pixels)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(kind):
    frames = [Image.new("RGB", (4, 4), (level, level, level)) for level in (40, 120, 240)]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
    assert Image.open(io.BytesIO(content)).n_frames == 3
    assert grey(content) == [[40] * 4] * 4


def test_no_format_that_starts_a_program_is_opened(monkeypatch):
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", None)
    with pytest.raises(BadImage, match="not a picture of a format that is read"):
        opened(encoded(Image.new("RGB", (4, 4)), "EPS"))
    Image.init()
    assert not {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "IPTC", "FITS", "MPEG"} & set(FORMATS)


def test_endings_are_those_that_pillow_has_for_the_formats():
    Image.init()
    assert {ending for ending, kind in Image.registered_extensions().items() if kind in FORMATS} == ENDINGS


@pytest.mark.parametrize("kind", ["AVIF", "BMP", "DDS", "ICO", "JPEG2000", "PCX", "QOI", "SGI", "TGA", "WEBP", "XBM"])
def test_every_other_format_is_opened(kind):
    mode = "1" if kind == "XBM" else "RGB"
    picture = opened(encoded(Image.new(mode, (16, 16), 1), kind))
    assert picture.image.format == kind and middle(picture, 16, 16).shape == (16, 16, 3)


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded():
    content = encoded(Image.new("1", (20_000, 10_000)), "PNG")
    with pytest.raises(BadImage, match=r"20,000 x 10,000 pixels are more than data\.max_pixels, 100,000,000"):
        opened(content)
    assert opened(content, Decoding(max_pixels=200_000_000)).size == (20_000, 10_000)  # Pillow's own bound is lower
    assert Image.MAX_IMAGE_PIXELS is not None


def test_an_encoded_picture_of_too_many_bytes_is_refused(monkeypatch):
    monkeypatch.setattr("scalectl.trainer.data.headers.MAX_ENCODED", 70)
    with pytest.raises(BadImage, match="bytes are more than the 70"):
        opened(encoded(Image.new("RGB", (99, 99)), "PNG"))


def test_a_disk_without_room_is_named_before_parquet_is_unpacked(tmp_path, monkeypatch):
    from pictures import greys

    from scalectl.trainer.data.facts import Unreadable
    from scalectl.trainer.data.registry import Part

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("scalectl.trainer.cache.free", lambda file: 100)
    file = greys(tmp_path / "train.parquet", range(9))
    part = Part("parquet", str(file))
    with pytest.raises(Unreadable, match=r"train\.parquet: unpacking takes .* set XDG_CACHE_HOME"):
        part.store(part.contents().digest)
    assert not list(Path(tmp_path / "cache").rglob("*.arrow"))


LEFT_OPEN = ("orientation", "background")


def test_a_turned_picture_that_planning_saw_none_of_is_refused():
    picture = Image.new("RGB", (4, 4))
    picture.getexif()[274] = 6
    turned = encoded(picture, "JPEG", exif=picture.getexif())
    with pytest.raises(BadImage, match=r"set data\.orientation"):
        opened(turned, Decoding("kept", "none", left_open=LEFT_OPEN))


def test_a_transparent_picture_that_planning_saw_none_of_is_refused_and_an_opaque_one_is_not():
    left_open = {"orientation": "kept", "background": "none", "left_open": LEFT_OPEN}
    with pytest.raises(BadImage, match=r"set data\.background"):
        whole(encoded(Image.new("RGBA", (4, 4), (9, 8, 7, 254)), "PNG"), **left_open)
    opaque = encoded(Image.new("RGBA", (4, 4), (9, 8, 7, 255)), "PNG")
    assert (whole(opaque, **left_open) == (9, 8, 7)).all()
