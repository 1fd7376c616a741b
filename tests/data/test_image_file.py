"""Image files of strangers: what a viewer shows, or an `ImageError`."""

import io
import os

import numpy as np
import pytest
from PIL import Image
from PIL import ImageOps

from nonlocal_keras import data
from nonlocal_keras.data import image_file

# Saved without loss in all of the formats that have such a mode.
LOSSLESS = {
    "a.bmp": {},
    "a.jp2": {},
    "a.png": {},
    "a.ppm": {},
    "a.tif": {},
    "a.webp": {"lossless": True},
}


def drawn(height=5, width=7):
    """Returns a picture no turn of which is the same, `(height, width, 3)`."""
    pixels = np.arange(height * width * 3).reshape(height, width, 3)
    return (pixels * 37 % 251).astype(np.uint8)


def with_orientation(number):
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


@pytest.mark.parametrize("name", LOSSLESS)
def test_pixels_are_those_that_were_saved(name, tmp_path):
    Image.fromarray(drawn()).save(tmp_path / name, **LOSSLESS[name])
    found = data.read_image(tmp_path / name)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, drawn())


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_a_photo_stands_as_its_exif_data_say(number, name, tmp_path):
    image = Image.fromarray(drawn())
    exif = with_orientation(number)
    image.save(tmp_path / name, exif=exif, **LOSSLESS[name])
    # Pillow's own function turns what lies in memory.
    image.getexif()[0x0112] = number
    expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(data.read_image(tmp_path / name), expected)


@pytest.mark.parametrize("exif", [with_orientation(99), b"Exif\0\0broken"])
def test_a_photo_with_senseless_exif_data_stands_as_it_is(exif, tmp_path):
    Image.fromarray(drawn()).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(data.read_image(tmp_path / "a.png"), drawn())


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_grey_and_palettes_become_color(mode, tmp_path):
    image = Image.fromarray(drawn()).convert(mode)
    image.save(tmp_path / "a.png")
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(data.read_image(tmp_path / "a.png"), expected)


def test_a_print_in_cmyk_becomes_color(tmp_path):
    red = np.full((16, 16, 3), (255, 0, 0), np.uint8)
    Image.fromarray(red).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    found = data.read_image(tmp_path / "a.jpg")
    np.testing.assert_allclose(found, red, atol=4)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_16_bits_become_8(name, tmp_path):
    grey = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / name)
    found = data.read_image(tmp_path / name)
    expected = np.array([0, 0, 1, 128, 255])
    np.testing.assert_array_equal(found, expected[None, :, None] * [1, 1, 1])


def test_numbers_of_32_bits_are_no_picture(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "a.tif")
    refused(tmp_path / "a.tif", "must be of 8 or 16 bits.*numbers of 32")


def test_what_is_transparent_is_white(tmp_path):
    color = np.dstack([drawn(), np.full((5, 7), 255, np.uint8)])
    color[0, 0], color[0, 1] = (10, 20, 30, 0), (0, 100, 255, 51)
    Image.fromarray(color).save(tmp_path / "a.png")
    found = data.read_image(tmp_path / "a.png")
    assert found[0, 0].tolist() == [255, 255, 255]
    # One part of color and four of white.
    assert found[0, 1].tolist() == [204, 224, 255]
    np.testing.assert_array_equal(found[1:], drawn()[1:])


def test_a_palette_with_a_transparent_color_is_laid_on_white(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([9, 9, 9, 50, 60, 70])
    image.save(tmp_path / "a.png", transparency=0)
    found = data.read_image(tmp_path / "a.png")
    assert found.tolist() == [[[255, 255, 255], [50, 60, 70]]]


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tif"])
def test_the_first_frame_of_an_animation_is_read(name, tmp_path):
    frames = [Image.new("RGB", (8, 6), c) for c in ("red", "blue", "lime")]
    options = {"save_all": True, "append_images": frames[1:]}
    frames[0].save(tmp_path / name, **LOSSLESS.get(name, {}), **options)
    found = data.read_image(tmp_path / name)
    np.testing.assert_array_equal(found, np.asarray(frames[0]))


def refused(path, message):
    with pytest.raises(data.ImageError, match=message) as caught:
        data.read_image(path)
    assert os.path.basename(path) in str(caught.value)


def test_a_file_without_bytes_is_refused(tmp_path):
    (tmp_path / "a.jpg").touch()
    refused(tmp_path / "a.jpg", "not a readable image")


def test_a_text_that_calls_itself_a_photo_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_text("not a photo\n" * 100)
    refused(tmp_path / "a.jpg", "none of AVIF, BMP, GIF, JPEG|none of BMP")


def test_what_runs_other_programs_is_not_opened(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.eps")
    refused(tmp_path / "a.eps", "not a readable image")


@pytest.mark.parametrize("name", ["a.jpg", *LOSSLESS])
def test_a_file_that_is_cut_is_refused(name, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / name, **LOSSLESS.get(name, {}))
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / name, "not a readable image")


def test_a_file_with_other_bytes_amid_is_refused_or_read(tmp_path):
    file = io.BytesIO()
    Image.fromarray(drawn(64, 64)).save(file, "PNG")
    whole, random = file.getvalue(), np.random.default_rng(0)
    outcomes = set()
    for position in random.integers(8, len(whole), 100):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        (tmp_path / "a.png").write_bytes(damaged)
        try:
            found = data.read_image(tmp_path / "a.png")
            assert found.dtype == np.uint8 and found.shape[2] == 3
            outcomes.add("read")
        except data.ImageError:
            outcomes.add("refused")
    assert "refused" in outcomes


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_small_file_with_too_many_pixels_is_not_decoded(tmp_path):
    Image.new("1", (30_000, 3_000)).save(tmp_path / "bomb.png")
    assert os.path.getsize(tmp_path / "bomb.png") < 100_000
    refused(tmp_path / "bomb.png", "30000 x 3000.* at most 89478485")
    assert 30_000 * 3_000 > image_file.MAX_PIXELS


def test_a_missing_file_a_folder_and_an_address_are_refused(tmp_path):
    refused(tmp_path / "gone.jpg", "No such file")
    refused(tmp_path, "not a regular file")
    refused("https://example.com/a.jpg", "Download the image")
