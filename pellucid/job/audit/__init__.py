"""Audit: what strategies a network has for a class, over a whole data set, and which of them look like shortcuts.

spectral       clusters of explanations
findings       clusters as findings, ranked by how suspicious they are; `clusters.json`
enrichment     which of the user's metadata goes with a cluster
ordinary       how ordinary each decision is
mark, confirm  the mark that a cluster is based on; taken away and pasted, with controls
mend           a remedy, measured
search         which items use a unit most, or are explained alike
"""
