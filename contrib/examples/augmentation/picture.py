# SPDX-License-Identifier: Apache-2.0
"""Draws fields side by side as a PNG, with nothing but numpy and the standard library."""

import struct
import zlib

import numpy

# From low to high; dark to bright also in grey and for the colour-blind.
COLOURS = numpy.array([(13, 14, 40), (38, 58, 122), (28, 118, 150), (52, 172, 140),
                       (166, 210, 90), (252, 232, 120)], dtype=float)
INK, PAPER = (30, 30, 34), (255, 255, 255)

# Five columns, rows from the top; a bit a pixel, the highest of five at the left.
# Seven rows stand on the line, the eighth and ninth hang below it.
GLYPHS = {
    " ": (0, 0, 0, 0, 0, 0, 0), "0": (14, 17, 19, 21, 25, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14), "2": (14, 17, 1, 6, 8, 16, 31),
    "3": (30, 1, 1, 14, 1, 1, 30), "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14), "6": (14, 16, 16, 30, 17, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8), "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 1, 14), ".": (0, 0, 0, 0, 0, 12, 12),
    ",": (0, 0, 0, 0, 12, 4, 8), "-": (0, 0, 0, 14, 0, 0, 0),
    "=": (0, 0, 31, 0, 31, 0, 0), "%": (25, 25, 2, 4, 8, 19, 19),
    ":": (0, 12, 12, 0, 12, 12, 0), "|": (4, 4, 4, 4, 4, 4, 4),
    "/": (1, 1, 2, 4, 8, 16, 16), "a": (0, 0, 14, 1, 15, 17, 15),
    "b": (16, 16, 30, 17, 17, 17, 30), "c": (0, 0, 14, 17, 16, 17, 14),
    "d": (1, 1, 15, 17, 17, 17, 15), "e": (0, 0, 14, 17, 31, 16, 14),
    "f": (6, 9, 8, 28, 8, 8, 8), "g": (0, 0, 15, 17, 17, 17, 15, 1, 14),
    "h": (16, 16, 30, 17, 17, 17, 17), "i": (4, 0, 12, 4, 4, 4, 14),
    "j": (2, 0, 6, 2, 2, 2, 2, 18, 12), "k": (16, 16, 18, 20, 24, 20, 18),
    "l": (12, 4, 4, 4, 4, 4, 14), "m": (0, 0, 26, 21, 21, 21, 21),
    "n": (0, 0, 30, 17, 17, 17, 17), "o": (0, 0, 14, 17, 17, 17, 14),
    "p": (0, 0, 30, 17, 17, 17, 30, 16, 16), "q": (0, 0, 15, 17, 17, 17, 15, 1, 1),
    "r": (0, 0, 22, 25, 16, 16, 16), "s": (0, 0, 15, 16, 14, 1, 30),
    "t": (8, 8, 28, 8, 8, 9, 6), "u": (0, 0, 17, 17, 17, 17, 15),
    "v": (0, 0, 17, 17, 17, 10, 4), "w": (0, 0, 17, 17, 21, 21, 10),
    "x": (0, 0, 17, 10, 4, 10, 17), "y": (0, 0, 17, 17, 17, 17, 15, 1, 14),
    "z": (0, 0, 31, 2, 4, 8, 31),
}
GAP, SCALE, TITLE, BAR = 16, 3, 30, 48  # pixels; SCALE of a cell and of a bar's pixel


def size(cells, panels):
    """(width, height) of a picture of that many panels of cells x cells."""
    return (GAP + panels * (cells * SCALE + GAP), TITLE + cells * SCALE + BAR)


def colour(values):
    """Values from 0 to 1 as red, green and blue."""
    at = numpy.clip(values, 0, 1) * (len(COLOURS) - 1)
    low = numpy.minimum(at.astype(int), len(COLOURS) - 2)
    part = (at - low)[..., None]
    return (COLOURS[low] * (1 - part) + COLOURS[low + 1] * part + 0.5).astype("u1")


def text(image, x, y, words, right=False):
    """Writes at (x, y), the upper left corner, or the upper right one."""
    if right:
        x -= 12 * len(words) - 2
    for letter in words.lower():
        rows = GLYPHS.get(letter, GLYPHS["-"])
        bits = numpy.array([[row >> (4 - i) & 1 for i in range(5)] for row in rows])
        bits = bits.repeat(2, 0).repeat(2, 1).astype(bool)
        part = image[y : y + len(bits), x : x + 10]
        part[bits[: part.shape[0], : part.shape[1]]] = INK
        x += 12


def png(image):
    """An array of height x width x 3 bytes as a PNG file."""
    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    height, width, _ = image.shape
    rows = numpy.zeros((height, 1 + 3 * width), "u1")  # each begins with "no filter"
    rows[:, 1:] = image.reshape(height, 3 * width)
    return (b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)) + chunk(b"IEND", b""))


def draw(panels):
    """panels: (title, note, field, top) each; colours run from 0 to top."""
    cells = panels[0][2].shape[0]
    width, height = size(cells, len(panels))
    image = numpy.full((height, width, 3), PAPER, "u1")
    side = cells * SCALE
    for i, (title, note, field, top) in enumerate(panels):
        x, under = GAP + i * (side + GAP), TITLE + side
        text(image, x, 8, title)
        text(image, x + side, 8, note, right=True)
        big = colour(field / top).repeat(SCALE, 0).repeat(SCALE, 1)
        image[TITLE:under, x : x + side] = big
        image[under + 8 : under + 20, x : x + side] = colour(
            numpy.linspace(0, 1, side)[None, :])
        text(image, x, under + 26, "0")
        text(image, x + side, under + 26, f"v = {top:.3g}", right=True)
    return png(image)
