"""A class of ImageNet answers to all names of its synset; of other lists of classes nothing is guessed."""

from __future__ import annotations

import pytest
from torch import nn

from pellucid.errors import TargetError
from pellucid.model import Model
from pellucid.model.sources.imagenet import class_names
from pellucid.model.synonyms import imagenet, synonyms


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(nn.Identity(), "of ImageNet", "nn.Module", labels=class_names())


@pytest.mark.parametrize(
    ("name", "label"), [("lighthouse", "beacon"), ("Pharos", "beacon"), ("taxi", "cab"), ("Felis concolor", "cougar")]
)
def test_a_class_answers_to_its_synonyms(model, name, label):
    assert model.label(model.find(name)) == label


def test_every_lemma_is_found_or_is_said_to_be_of_several_classes(model):
    lemmas = {name: index for index, names in enumerate(imagenet()) for name in names}
    several = [name for name, index in lemmas.items() if isinstance(found(model, name), TargetError)]
    assert len(lemmas) > 1800 and 0 < len(several) < 20
    assert all(lemmas[name] == found(model, name) for name in lemmas if name not in several and name.casefold() not in labels())


def test_a_label_outranks_the_synonym_of_another_class(model):
    assert [model.find(label) for label in ("crane", "cardigan", "gong")] == [517, 474, 577]


def test_an_ambiguous_synonym_lists_the_classes(model):
    with pytest.raises(TargetError, match="2 classes of that name: 55, 57"):
        model.find("grass snake")


def test_other_lists_of_a_thousand_classes_have_no_synonyms():
    assert synonyms([f"kind {number}" for number in range(1000)]) == ()
    assert synonyms(class_names()[::-1]) == ()
    assert synonyms(class_names()) == synonyms([", ".join(names) for names in imagenet()]) == imagenet()


def labels() -> set[str]:
    return {label.casefold() for label in class_names()}


def found(model: Model, name: str) -> int | TargetError:
    try:
        return model.find(name)
    except TargetError as error:
        return error
