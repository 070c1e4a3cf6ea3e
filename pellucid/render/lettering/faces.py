"""Faces: the fonts that letters are drawn in: Pillow's own for Latin letters, one that comes along, then those of the system.

`PELLUCID_FONTS` in the environment names files and folders that are searched instead of those of the system; "bundled" stands
for none, so that pictures are the same on every machine.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from PIL import ImageFont, features

from .cmap import coverage, fonts_in

SETTING, BUNDLED = "PELLUCID_FONTS", "bundled"
GLYPHS = frozenset({*map(chr, range(32, 127)), *"©«°±·»“”…™"})  # what Pillow's own font has
STRIKES = (109, 160, 136, 128, 96, 64)  # pixels: sizes of fonts that hold pictures of emoji
ENDINGS = (".ttf", ".otf", ".ttc", ".otc")
MOST_FILES = 4000
PALE = (
    "bold italic oblique light thin black heavy condensed extra semi medium lastresort".split()
)  # not what plain text is set in
OTHER = "mono serif naskh kufi nastaliq math symbol display looped ui- rashi".split()
HAN = {"ja": " JP", "ko": " KR", "zh": " SC"}  # how the fonts of a collection for Chinese letters are told apart
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Face:
    """One font.

    Arguments:
        path: Its file; "" is the font that comes with Pillow.
        index: Which font of the file.
        scale: Of letters, against Pillow's font, so that they look alike in size.
        colour: Whether its letters are small pictures in colour.
    """

    path: str = ""
    index: int = 0
    scale: float = 1.0
    colour: bool = False

    def has(self, letters: str) -> bool:
        """Whether it has all of them."""
        if not self.path:
            return GLYPHS.issuperset(letters)
        return all(map(coverage(self.path, self.index).has, letters))

    def font(self, size: int) -> Font:
        """The font, `size` pixels high."""
        return _loaded(self, size)

    @property
    def strike(self) -> int:
        """The size in pixels that its pictures have; 0 of a font of outlines."""
        return _strike(self)


OWN = Face()
ALONG = Face(str(Path(__file__).with_name("DejaVuSans.woff")), scale=0.93)


@cache
def shapes() -> bool:
    """Whether Pillow comes with what shapes texts of scripts whose letters join or change places."""
    return bool(features.check("raqm"))


@cache
def _loaded(face: Face, size: int) -> Font:
    if not face.path:
        return ImageFont.load_default(size=size)
    engine = ImageFont.Layout.RAQM if shapes() else ImageFont.Layout.BASIC
    return ImageFont.truetype(face.path, face.strike or face.scale * size, face.index, layout_engine=engine)


@cache
def _strike(face: Face) -> int:
    if not face.colour:
        return 0
    for size in (20, *STRIKES):
        try:
            ImageFont.truetype(face.path, size, face.index)
        except OSError:
            continue
        return size
    return STRIKES[0]


def face_of(letters: str, language: str = "zh", *, emoji: bool = False) -> Face | None:
    """The face that has all of these letters; None where no font has.

    Arguments:
        language: Which forms Chinese letters have: of "zh", "ja" or "ko".
        emoji: Whether they are an emoji: a font of such comes first.
    """
    if OWN.has(letters):
        return OWN
    setting = os.environ.get(SETTING, "")
    if emoji:
        found = _elsewhere(letters, language, setting, emoji=True)
        if found is not None:
            return found
    return ALONG if ALONG.has(letters) else _elsewhere(letters, language, setting, emoji=False)


@lru_cache(maxsize=4096)
def _elsewhere(letters: str, language: str, setting: str, *, emoji: bool) -> Face | None:
    """The first face of the system that has these letters."""
    return next((face for face in _faces(setting, language) if face.colour >= emoji and face.has(letters)), None)


@cache
def _faces(setting: str, language: str) -> tuple[Face, ...]:
    """All faces of the system, those that plain text is set in first."""
    made = []
    for path in _files(setting):
        colour = "emoji" in path.lower() and ("color" in path.lower() or "emj" in path.lower())
        faces = [Face(path, index, 0.95, colour or "seguiemj" in path.lower()) for index in range(fonts_in(path))]
        made += sorted(faces, key=lambda face: not _family(face).endswith(HAN[language])) if len(faces) > 1 else faces
    return tuple(made)


def _family(face: Face) -> str:
    try:
        return str(ImageFont.truetype(face.path, 20, face.index).getname()[0])
    except OSError:
        return ""


@cache
def _files(setting: str) -> tuple[str, ...]:
    """Files of fonts, in the order in which they are asked; none where only what comes along is wanted."""
    if setting == BUNDLED:
        return ()
    found: list[str] = []
    for place in setting.split(os.pathsep) if setting else folders():
        if os.path.isfile(place):
            found.append(place)
        for folder, _, names in os.walk(place):
            found += [os.path.join(folder, name) for name in names if name.lower().endswith(ENDINGS)]
        if len(found) > MOST_FILES:
            break
    plain = [path for path in dict.fromkeys(found) if not any(word in os.path.basename(path).lower() for word in PALE)]
    return tuple(sorted(plain, key=_order))


def _order(path: str) -> tuple[int, str, str]:
    """Fonts for all kinds of text first, those without serifs before others."""
    name = os.path.basename(path).lower()
    other = any(word in name for word in OTHER)
    return (2 if other else 0 if "sans" in name else 1), name, path


def folders() -> list[str]:
    """Where systems keep fonts."""
    home = Path.home()
    if sys.platform == "win32":
        local = Path(os.environ.get("LOCALAPPDATA", str(home))) / "Microsoft/Windows/Fonts"
        return [os.path.join(os.environ.get("WINDIR", r"C:\Windows"), "Fonts"), str(local)]
    if sys.platform == "darwin":
        return ["/System/Library/Fonts", "/Library/Fonts", str(home / "Library/Fonts")]
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share:/run/current-system/sw/share/X11"
    own = os.environ.get("XDG_DATA_HOME") or str(home / ".local/share")
    return [*(os.path.join(place, "fonts") for place in (*shared.split(":"), own)), str(home / ".fonts")]
