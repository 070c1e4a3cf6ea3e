"""How raw things become a model's input: pictures, rows of tables, signals, texts.

A reader belongs to a model; what the entries of a batch are about is said by `modality/`.
"""
