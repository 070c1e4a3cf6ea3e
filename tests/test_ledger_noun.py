"""The ledger: sums per cause, what is missing, and how it reads."""

from __future__ import annotations

import pytest
import torch

from pellucid.core.numbers import decimals, figure
from pellucid.explanation.ledger import CAUSES, Ledger, Row


def one(*values: float) -> torch.Tensor:
    return torch.tensor(values)


def ledger(seed: float = 11.42, arrived: float = 9.87, **booked: float) -> Ledger:
    rows = [
        Row(f"layer{place}", "convolution", cause.replace("_", " "), one(amount))
        for place, (cause, amount) in enumerate(booked.items())
    ]
    return Ledger(one(seed), one(arrived), tuple(rows))


def test_absorbed_is_the_sum_of_the_rows() -> None:
    rows = Row("a", "add", "bias", one(1.0, 2.0)), Row("b", "linear", "dropped", one(0.5, -2.0))
    books = Ledger(one(4.0, 1.0), one(2.5, 1.0), rows)
    assert torch.equal(books.absorbed, one(1.5, 0.0))
    assert torch.equal(books.error, one(0.0, 0.0))
    assert torch.equal(books.volume, one(5.5, 5.0))


def test_a_ledger_without_rows_absorbed_nothing() -> None:
    books = Ledger(one(1.0, 2.0), one(1.0, 2.0))
    assert torch.equal(books.absorbed, torch.zeros(2))
    assert books.by_cause() == {}
    assert books.sentence() == "explained 1.00 of 1.00; nothing was lost on the way"


def test_causes_come_in_their_order_and_sum_over_operations() -> None:
    rows = tuple(Row(where, "add", cause, one(1.0)) for where, cause in [("a", "dropped"), ("b", "bias"), ("c", "dropped")])
    by_cause = Ledger(one(3.0), one(0.0), rows).by_cause()
    assert list(by_cause) == ["bias", "dropped"] == [cause for cause in CAUSES if cause in by_cause]
    assert by_cause["dropped"].item() == 2


def test_a_cause_nobody_planned_is_booked_all_the_same() -> None:
    assert list(ledger(new_cause=1.0, bias=0.55).by_cause()) == ["bias", "new cause"]


def test_the_sentence_is_that_of_the_design() -> None:
    assert ledger(bias=1.31, stabiliser=0.24).sentence() == (
        "explained 9.87 of 11.42; 1.55 was lost on the way (bias 1.31, stabiliser 0.24)"
    )


def test_figures_of_a_sentence_share_their_decimals() -> None:
    assert ledger(0.0312, 0.03, bias=0.0012).sentence() == "explained 0.0300 of 0.0312; 0.0012 was lost on the way (bias 0.0012)"


def test_a_cause_that_would_read_as_zero_is_left_out() -> None:
    assert ledger(bias=1.55, stabiliser=1e-7).sentence() == "explained 9.87 of 11.42; 1.55 was lost on the way (bias 1.55)"


def test_books_that_do_not_close_say_what_is_missing() -> None:
    words = "explained 9.87 of 11.42; 1.00 was lost on the way (bias 1.00); 0.550 is unaccounted for"
    assert ledger(bias=1.0).sentence() == words
    assert "nan is unaccounted for" in ledger(arrived=float("nan"), bias=1.0).sentence()


def test_each_sample_has_its_own_sentence() -> None:
    books = Ledger(one(1.0, 2.0), one(1.0, 1.5), (Row("", "add", "bias", one(0.0, 0.5)),))
    assert [books.sentence(0), books.sentence(-1)] == [
        "explained 1.00 of 1.00; nothing was lost on the way",
        "explained 1.50 of 2.00; 0.50 was lost on the way (bias 0.50)",
    ]


def test_what_biases_add_is_gained() -> None:
    books = ledger(2.0, 2.5, bias=-0.75, stabiliser=0.25)
    assert books.sentence() == "explained 2.50 of 2.00; 0.50 was gained on the way (bias 0.75, stabiliser -0.25)"


def test_losses_that_cancel_are_named() -> None:
    books = ledger(2.0, 2.0, bias=-0.75, stabiliser=0.75)
    assert books.sentence() == "explained 2.00 of 2.00; 0.00 was lost on the way (bias -0.75, stabiliser 0.75)"


def test_what_conditions_keep_back_is_not_lost() -> None:
    books = ledger(9.35, 0.94, other_channels=8.41)
    assert books.sentence() == "explained 0.94 of 9.35; 8.41 takes other paths (other channels 8.41)"
    books = ledger(9.35, 0.90, other_channels=8.41, bias=0.04)
    assert books.sentence() == (
        "explained 0.90 of 9.35; 8.41 takes other paths (other channels 8.41); 0.04 was lost on the way (bias 0.04)"
    )


def test_sound_books_warn_of_nothing() -> None:
    assert ledger(bias=1.55).warnings(0, size=12.0) == []


def test_an_input_that_holds_less_than_a_tenth_is_told() -> None:
    assert ledger(10, 0.3, bias=9.7).warnings(0, size=1.0) == [
        "Only 3 % of the score reaches the input: the map shows a small part of the evidence."
    ]
    assert "Less than 0.1 %" in ledger(10, 0.0, bias=10).warnings(0, size=0.0)[0]


def test_an_input_against_the_score_is_told() -> None:
    assert ledger(10, -5.2, bias=15.2).warnings(0, size=5.2) == [
        "The relevance at the input sums to -5.20, against the sign of the score."
    ]


def test_an_explosion_is_told() -> None:
    assert ledger(10, 10).warnings(0, size=570.0) == [
        "The map is not bounded: its absolute values sum to 57 times the score and mostly cancel."
    ]


def test_native_fallbacks_are_named() -> None:
    rows = tuple(Row(where, "grid_sample", "native fallback", one(0.0)) for where in ("stn", "stn", "a", "b", "c"))
    (told,) = Ledger(one(1.0), one(1.0), rows).warnings(0, size=1.0)
    assert told == (
        "No rule is known for grid_sample in stn, grid_sample in a, grid_sample in b and 1 more: "
        "the plain derivative was used there."
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0.00"),
        (11.42, "11.42"),
        (1234.5, "1234.50"),
        (0.04, "0.0400"),
        (-1e-9, "-1e-09"),
        (2.5e7, "2.5e+07"),
        (float("inf"), "inf"),
    ],
)
def test_figures_read_well(value: float, words: str) -> None:
    assert figure(value) == words


def test_decimals_ignore_what_is_not_finite() -> None:
    assert decimals(float("nan"), 1.0) == decimals() == 2
