"""Examples: the user's own pictures that activate a unit most, with receptive fields; the search for them.

Not in here: their masks are computed by methods of `pellucid.methods`, and their sheets painted by `pellucid.render.examples`.
"""
