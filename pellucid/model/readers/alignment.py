"""Where tokens stand in a text, by their names alone: for tokenizers that do not say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache

from ..modality.tokens import Span, trim, words

BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")  # as sentencepiece writes a byte of a letter that it does not know
FAR = 40  # characters that one unknown token may stand for


def spans_by_name(text: str, names: Sequence[str]) -> list[Span]:
    """Where tokens with these names stand, from the first to the last; bytes of one letter all stand at that letter.

    A name that is not found, such as that of an unknown word, stands for what lies between its neighbours.

    Example:
        >>> spans_by_name("Zoë bad", ["Zo", "Ã", "«", "Ġbad"]), spans_by_name("not 🎉 bad", ["not", "[UNK]", "bad"])
        ([(0, 2), (2, 3), (2, 3), (3, 7)], [(0, 3), (4, 5), (6, 9)])
    """
    for spell in (latin_bytes, visible_bytes):
        spelled = [spell(name) for name in names]
        found = by_bytes(text, [part for part in spelled if part is not None]) if None not in spelled else None
        if found is not None:
            return found
    return by_letters(text, names)


def latin_bytes(name: str) -> bytes | None:
    """The bytes that a name writes as letters of the same number, as ByT5's do."""
    return bytes(map(ord, name)) if all(ord(letter) < 256 for letter in name) else None


def visible_bytes(name: str) -> bytes | None:
    """The bytes that a name writes as letters that can be seen, as GPT-2's do: "Ġ" is a blank."""
    letters = byte_letters()
    return bytes(letters[letter] for letter in name) if all(letter in letters for letter in name) else None


@cache
def byte_letters() -> dict[str, int]:
    """GPT-2's letter for every byte: itself where it can be seen, else the next one from 256 on."""
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in set(seen)]
    return {chr(byte): byte for byte in seen} | {chr(256 + place): byte for place, byte in enumerate(others)}


def by_bytes(text: str, parts: Sequence[bytes]) -> list[Span] | None:
    """Where byte strings stand that make up the text, or the text after a blank; None where they do not."""
    whole, own = b"".join(parts), text.encode("utf-8", "surrogatepass")
    if whole not in (own, b" " + own):
        return None
    letters = [place for place, letter in enumerate(text) for _ in letter.encode("utf-8", "surrogatepass")]
    done, spans = len(own) - len(whole), []
    for part in parts:
        inside = letters[max(done, 0) : max(done + len(part), 0)]
        done += len(part)
        spans.append((inside[0], inside[-1] + 1) if inside else (0, 0))
    return spans


def by_letters(text: str, names: Sequence[str]) -> list[Span]:
    """Where names stand, whatever the tokenizer did to case and accents: letters are compared without these, blanks skipped."""
    letters = [(plain, place) for place, letter in enumerate(text) for plain in plainly(letter)]
    line, places = "".join(plain for plain, _ in letters), [place for _, place in letters]
    begins = {start for start, _ in words(text)}
    starts = {n for n, place in enumerate(places) if place in begins and (not n or places[n - 1] != place)}
    spans: list[Span] = [(0, 0)] * len(names)
    done = 0  # how far the text is done
    open_: list[tuple[int, ...]] = []  # tokens since then that were not found

    def close(upto: int) -> None:
        gap = trim(text, (places[done], places[upto - 1] + 1)) if upto > done else (_end(text, places, done),) * 2
        inside = [(gap[0] + a, gap[0] + b) for a, b in words(text[slice(*gap)])]
        for number, members in enumerate(open_):
            for token in members:
                spans[token] = inside[number] if len(inside) == len(open_) else gap

    for name, members in units(names):
        forms = [form for form in dict.fromkeys(map(plainly, written(name))) if form]
        at = _find(line, forms, done, len(open_), starts)
        if at is None:
            open_.append(members)
            continue
        close(at[0])
        open_ = []
        done = at[1]
        for token in members:
            spans[token] = places[at[0]], _end(text, places, done)
    close(len(line))
    return spans


def plainly(text: str) -> str:
    """Without case, accents and blanks, and letters of other forms as their plain ones.

    Example:
        >>> plainly("▁É ﬁ"), plainly("##Ⅳ")
        ('▁efi', '##iv')
    """
    parts = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in parts if not letter.isspace() and not unicodedata.combining(letter))


def written(name: str) -> Iterator[str]:
    """A name, and the name without the marks that tell where words begin and end."""
    yield name
    bare = name.removeprefix("##").lstrip("▁Ġ")
    yield bare
    yield bare.removesuffix("</w>").removesuffix("@@")


def units(names: Sequence[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names, and the tokens that have each: of several bytes that make one letter, that letter."""
    done = 0
    while done < len(names):
        stop, got = done, b""
        while stop < len(names) and len(got) < 4 and (byte := BYTE.fullmatch(names[stop])):
            got, stop = got + bytes([int(byte[1], 16)]), stop + 1
            try:
                yield got.decode("utf-8"), tuple(range(done, stop))
            except UnicodeDecodeError:
                continue
            break
        else:
            yield names[done], (done,)
            stop = done + 1
        done = stop


def _find(line: str, forms: Sequence[str], done: int, open_: int, starts: set[int]) -> Span | None:
    """Where one of some names stands: right here, or behind what the tokens before it stand for, at a word if it can be."""
    last = len(line) if open_ else done
    places = range(done + open_, min(last, done + FAR * open_) + 1)
    for chosen in ((place for place in places if place in starts), places):
        for place in chosen:
            found = next((form for form in forms if line.startswith(form, place)), None)
            if found is not None:
                return place, place + len(found)
    return None


def _end(text: str, places: Sequence[int], done: int) -> int:
    """Where the last plain letter before `done` ends, with its accents."""
    end = places[done - 1] + 1 if done else 0
    while end < len(text) and unicodedata.combining(text[end]):
        end += 1
    return end
