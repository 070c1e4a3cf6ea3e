"""Sink tokens: what they are is defined once, and ledgers, captions, pictures and terminals show them apart from the words."""

from __future__ import annotations

import json

import pytest
import torch

import pellucid as pl
from pellucid.explanation.ledger import Ledger
from pellucid.explanation.sinks import FEWEST, MULTIPLE, sinks
from pellucid.model.modality import Tokens
from pellucid.render import page
from pellucid.render.parts.map import prepare
from pellucid.render.svg import svg
from pellucid.render.terminal import text as terminal_text

TEXT = "the cat sat on a mat"


def made(values, *, special=1, signed=True, ledger=True, text=TEXT) -> pl.Explanation:
    """An explanation of a text with special tokens in front."""
    words = text.split()
    starts = [sum(len(word) + 1 for word in words[:n]) for n in range(len(words))]
    names = ("<bos>", "<turn>")[:special]
    spans = (*[(0, 0)] * special, *((start, start + len(word)) for start, word in zip(starts, words, strict=True)))
    kinds = ("special",) * special + ("text",) * len(words)
    tokens = Tokens((text,), ((*names, *words),), (spans,), (kinds,))
    values = torch.tensor([values])
    books = Ledger(values.sum(1), values.sum(1)) if ledger else None
    return pl.Explanation(values, values.sum(1), "token 7", "lrp", signed, ledger=books, subject=tokens, adds=ledger)


BOS = [-7.0, 0.2, 1.0, -0.5, 0.1, 0.0, 0.3]


def test_special_tokens_at_the_start_are_sinks_and_those_inside_are_not():
    kinds = ("special", "special", "text", "special", "text", "special")
    assert sinks(torch.tensor([0.1, 0.2, 1.0, 0.9, 1.0, 0.5]), kinds) == (0, 1)
    assert sinks(torch.tensor([0.0, 0.2, 1.0, 0.9, 1.0, 0.5]), kinds) == (1,), "one without a value is nothing to be shown"
    assert sinks(torch.tensor([1.0, 2.0]), ("special", "special")) == (), "special tokens alone are no start of a text"


def test_a_token_with_more_than_so_many_times_what_all_others_have_is_a_sink_wherever_it_stands():
    others = [1.0, -0.5, 0.25, 0.25]
    for place in range(len(others) + 1):
        for sign in (1, -1):
            row = [*others[:place], sign * (MULTIPLE * 2.0 + 0.1), *others[place:]]
            assert sinks(torch.tensor(row), ("text",) * 5) == (place,)
            row[place] = sign * (MULTIPLE * 2.0 - 0.1)
            assert sinks(torch.tensor(row), ("text",) * 5) == ()


def test_two_tokens_may_be_sinks_and_padding_counts_for_nothing():
    row = torch.tensor([100.0, 5000.0, 1.0, 1.0, 1.0, 1.0, 9999.0])
    assert sinks(row, ("text",) * 6 + ("padding",)) == (0, 1)


def test_in_a_short_text_or_beside_noise_a_word_that_decides_is_none():
    assert sinks(torch.tensor([100.0, 1.0, 1.0, 1.0]), ("text",) * FEWEST) == ()
    assert sinks(torch.tensor([100.0, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3]), ("text",) * 6) == ()
    assert sinks(torch.tensor([100.0, 0.0, 0.0, 0.0, 0.0, 0.0]), ("text",) * 6) == ()
    assert sinks(torch.tensor([float("nan"), 1.0, 1.0, 1.0, 1.0, 1.0]), ("text",) * 6) == ()


def test_the_scale_is_that_of_the_words():
    drawn = prepare(made(BOS))
    assert drawn.scale.limit == 1.0 and drawn.scaled.shape == (1, 6) and drawn.heat.shape == (1, 7)
    assert "nothing is clipped" in drawn.sentence()
    words = made(BOS[1:], special=0)
    assert prepare(words).scale.limit == 1.0 and not prepare(words).sinks


def test_a_batch_shares_the_scale_of_its_words():
    one, other = made(BOS), made([9.0, 2.0, 0.1, 0.1, 0.1, 0.1, 0.1])
    both = pl.Explanation(
        torch.cat([one.values, other.values]), torch.zeros(2), "token 7", "lrp", True,
        subject=Tokens(*(getattr(one.subject, name) * 2 for name in ("texts", "pieces", "spans", "kinds"))),
    )  # fmt: skip
    assert prepare(both, scale="shared").scale.limit == 2.0


def test_captions_tell_sinks_and_what_is_left_and_the_figures_add_up():
    e = made(BOS)
    assert [(piece.text, piece.kind, piece.positions) for piece in e.sinks()] == [("<bos>", "special", (0,))]
    assert "Kept apart from the scale: <bos> -7.00, the other tokens together 1.10." in e.caption()
    assert "together" not in made([7.0, *BOS[1:]], signed=False).caption(), "sizes do not add up"
    assert "Kept apart" not in made(BOS[1:], special=0).caption()


def test_ledgers_have_a_line_for_each_sink_and_one_for_the_rest():
    lines = terminal_text(made(BOS)).splitlines()
    rows = {line.split("  ")[0]: line.split()[-1] for line in lines if "of that" in line or line.startswith("input")}
    assert rows == {"input": "-5.90", "sink <bos>": "-7.00", "other tokens": "1.10"}


@pytest.mark.parametrize("colour", [True, False])
def test_a_terminal_shows_them_in_a_row_of_their_own(colour):
    lines = pl.render.terminal(made(BOS), colour=colour).splitlines()
    aside = next(line for line in lines if "apart" in line)
    assert "<bos>" in aside and "-7.00" in aside
    if not colour:
        assert lines[0] == "<bos>(*)the(+) cat(++) sat(-) on a mat(+)"


def test_pages_and_drawings_show_them_in_a_row_of_their_own_and_not_among_the_words_that_say_most():
    e = made(BOS)
    assert "Kept apart: " in page(e) and "-7.00" in page(e) and "sink &lt;bos&gt;" in page(e)
    strongest = page(e).split("The words that say most")[1]
    assert "&lt;bos&gt;" not in strongest.split("</table>")[0] and "cat" in strongest
    assert ">-7.00</text>" in svg(e) and ">apart:</text>" in svg(e)


def test_a_picture_paints_a_sink_as_paper_and_the_words_as_if_it_were_not_there():
    import numpy as np

    from pellucid.render.modality.tokens.image import image

    with_sink, without = (image(e, prepare(e), 600) for e in (made(BOS), made(BOS[1:], special=0)))
    full = np.array(prepare(made(BOS)).on_paper(1.0))
    for one in (with_sink, without):
        assert (np.asarray(one)[:26] == full).all(-1).sum() > 500, "cat is painted in the full colour"
    assert with_sink.height > without.height


def test_a_word_that_is_a_sink_is_shown_by_its_name():
    e = made([-70.0, 1.0, -0.5, 0.25, 0.25, 0.5], special=0)
    assert 'Kept apart from the scale: "the" -70.00, the other tokens together 1.50.' in e.caption()
    assert pl.render.terminal(e, colour=False).startswith("the(*) cat(++) sat(-) on(+) a(+) mat(+)")


def test_json_has_them_and_files_come_back_with_them(tmp_path):
    e = made(BOS)
    assert json.loads(e.save(tmp_path / "e.json").read_text())["sinks"] == [
        [{"text": "<bos>", "value": -7.0, "start": 0, "end": 0, "kind": "special", "positions": [0]}]
    ]
    assert "sinks" not in json.loads(made(BOS[1:], special=0).save(tmp_path / "n.json").read_text())
    assert pl.Explanation.load(e.save(tmp_path / "e.safetensors")).sinks() == e.sinks()


def test_other_inputs_have_none():
    assert pl.explain(torch.nn.Linear(6, 2).eval(), torch.ones(1, 6), 0, "gradient_x_input").sinks() == ()
