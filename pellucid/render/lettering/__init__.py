"""Letters of any script: which font has them, in which order they are seen, and how they join."""
