"""What is taken away at a time: windows, cells, superpixels, groups, words."""
