"""Where networks come from: a file per source, imported when it is needed. Sources by name are listed in registry.py.

Each has a function that makes a `Model` and records its assumptions: in `source` where the network comes from, in
`preprocess.source` who says how pictures are read, in `notes` what else a reader of the caption has to know.
"""
