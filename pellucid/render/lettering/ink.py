"""Pieces of text measured and drawn: outlines, emoji in colour, and boxes with a code for letters that no font has."""

from __future__ import annotations

from PIL import Image, ImageDraw

from .faces import OWN, shapes
from .joining import joined
from .pieces import Piece, clusters, pieces, unseen

MIRROR = str.maketrans("()[]{}<>«»", ")(][}{><»«")
DIGIT, LEAST = 0.56, 7  # size of the digits in a box, against that of letters, and in pixels
EMOJI = 0.9  # of the size of letters

Colour = tuple[int, int, int]


def total(text: str, size: int, base: bool | None = None) -> float:
    """How wide a line is, in pixels."""
    return sum(width(piece, size) for piece in pieces(text, base))


def width(piece: Piece, size: int) -> float:
    """How wide a piece is, in pixels."""
    if piece.face is None:
        return sum(box_width(letter, size) for letter in piece.text if not unseen(letter))
    text, direction = _written(piece)
    across: float = piece.face.font(size).getlength(text, direction=direction)
    return across * EMOJI * size / piece.face.strike if piece.face.strike else across


def draw(image: Image.Image, piece: Piece, left: float, base: float, size: int, colour: Colour | int) -> None:
    """A piece with its base line at `base`."""
    if piece.face is None:
        for letter in (letter for letter in piece.text if not unseen(letter)):
            _draw_box(image, letter, left, base, size, colour)
            left += box_width(letter, size)
    elif piece.face.strike:
        _draw_emoji(image, piece, left, base, size)
    else:
        text, direction = _written(piece)
        ImageDraw.Draw(image).text((left, base), text, colour, piece.face.font(size), anchor="ls", direction=direction)


def _written(piece: Piece) -> tuple[str, str | None]:
    """The letters as Pillow gets them, and their direction for Raqm; without it joined, turned, and in the order of the eye.

    Pillow sets its own font without Raqm.
    """
    if shapes() and piece.face != OWN:
        return piece.text, "rtl" if piece.leftward else None
    units = list(clusters(joined(piece.text).translate(MIRROR)))[::-1] if piece.leftward else [piece.text]
    return "".join(letter for unit in units for letter in unit if not unseen(letter)), None


def _draw_emoji(image: Image.Image, piece: Piece, left: float, base: float, size: int) -> None:
    """Pictures in colour, made smaller from the one size that their font has."""
    assert piece.face is not None
    font, strike = piece.face.font(size), piece.face.strike
    zoom = EMOJI * size / strike
    large = Image.new("RGBA", (max(1, round(font.getlength(piece.text))), round(1.3 * strike)))
    ImageDraw.Draw(large).text((0, strike), piece.text, (0, 0, 0), font, anchor="ls", embedded_color=True)
    small = large.resize((max(1, round(large.width * zoom)), max(1, round(large.height * zoom))), Image.Resampling.LANCZOS)
    seen: Image.Image | int = 255 if image.mode == "L" else small.convert("RGB")
    image.paste(seen, (round(left), round(base - strike * zoom)), small.getchannel("A"))


def box_width(letter: str, size: int) -> float:
    """How wide the box of a letter is that no font has."""
    return len(_code(letter)) // 2 * _digit(size)[1] + 6.0


def _code(letter: str) -> str:
    """The code in an even number of digits."""
    digits = f"{ord(letter):04X}"
    return digits.zfill(len(digits) + len(digits) % 2)


def _digit(size: int) -> tuple[int, float]:
    """Size and width of the digits in a box."""
    small = max(LEAST, round(DIGIT * size))
    return small, max(OWN.font(small).getlength(digit) for digit in "0123456789ABCDEF")


def _draw_box(image: Image.Image, letter: str, left: float, base: float, size: int, colour: Colour | int) -> None:
    """A box with the code of a letter in two rows, as browsers draw it."""
    code, (small, wide), ink = _code(letter), _digit(size), ImageDraw.Draw(image)
    top, bottom, half = base - 0.95 * size, base + 0.3 * size, len(code) // 2
    ink.rectangle((left + 1, top, left + box_width(letter, size) - 2, bottom), outline=colour)
    for place, digit in enumerate(code):
        row, column = divmod(place, half)
        at = left + 2.5 + (column + 0.5) * wide, top + (row + 0.5) * (bottom - top) / 2 + 0.37 * small
        ink.text(at, digit, colour, OWN.font(small), anchor="ms")
