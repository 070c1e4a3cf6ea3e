"""Trust in synthesised pictures: measurements against real pictures, other networks and other seeds, and a report of them.

Not in here: metrics of explanations, which are in `pellucid.metrics`.
"""
