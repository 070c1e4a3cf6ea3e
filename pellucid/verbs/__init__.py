"""What users call, a file a verb: explain, compare, evaluate, maximize, examples, concepts, inspect/, and experiments in suites/.

A verb reads its arguments once (inputs.py), calls what is below, and returns a result. Nothing here computes relevance, scores or
pictures: see `methods/`, `metrics/`, `synth/`. How results are drawn: `render/`.
"""
