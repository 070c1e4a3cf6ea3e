"""Where networks come from: a file per source, imported when that source is asked for.

Each has one function that makes a `Model` and says what it took for granted: in `source` where the network comes from, in
`preprocess.source` who says how pictures are read, in `notes` what else was found on the way.
"""
