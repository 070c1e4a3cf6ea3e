"""How raw data become a model's input: pictures, rows of tables, series, texts. The protocol of a reader: reader.py.

A reader belongs to a model. What the entries of a batch are, once read, is a `modality`; where networks come from, `sources`.
"""
