"""Results as notebooks show them: HTML without scripts, in the colours of the page around it, and a picture beside it."""
