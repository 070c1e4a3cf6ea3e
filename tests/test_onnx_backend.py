"""The suite of the standard itself, all of it, through our reader."""

from __future__ import annotations

import numpy as np

from tests.onnx_backend import cases, reason

DRAWN = "numpy's random numbers are wanted, one by one"
CODED = "a picture as its file holds it, which a network does not take"
PATTERN = "regular expressions of another library"
TRAINED = "a step of training, not an answer"
REFUSED = {
    **dict.fromkeys((f"test_bernoulli{kind}" for kind in ("", "_double", "_seed")), DRAWN),
    **dict.fromkeys((f"test_bernoulli{kind}_expanded" for kind in ("", "_double", "_seed")), DRAWN),
    **dict.fromkeys((f"test_training_dropout{kind}" for kind in ("", "_mask", "_default", "_default_mask")), DRAWN),
    **dict.fromkeys((f"test_image_decoder_decode_jpeg_{kind}" for kind in ("rgb", "grayscale", "bgr")), CODED),
    **dict.fromkeys((f"test_image_decoder_decode_{kind}_rgb" for kind in ("jpeg2k", "bmp", "png", "tiff", "webp", "pnm")), CODED),
    **dict.fromkeys((f"test_regex_full_match_{kind}" for kind in ("basic", "email_domain", "empty")), PATTERN),
    **dict.fromkeys(("test_adagrad", "test_adagrad_multiple", "test_adam", "test_adam_multiple"), TRAINED),
    **dict.fromkeys(("test_momentum", "test_momentum_multiple", "test_nesterov_momentum"), TRAINED),
    **dict.fromkeys(("test_gradient_of_add", "test_gradient_of_add_and_mul"), TRAINED),
}


def test_every_case_passes_but_those_that_are_refused_with_a_reason():
    with np.errstate(all="ignore"):
        failed = {case.name: why for case in cases(()) if (why := reason(case))}
    assert failed.keys() == REFUSED.keys(), {name: failed.get(name, "passes") for name in failed.keys() ^ REFUSED.keys()}


def test_what_has_no_counterpart_is_named_and_no_number_is_made_up_for_it():
    words = ("test_image_decoder", "test_regex", "test_ada", "momentum", "test_gradient_of")
    assert all("unknown: " in reason(case) for case in cases(words) if case.name in REFUSED)
