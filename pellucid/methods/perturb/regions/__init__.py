"""What is removed at a time: windows, cells, superpixels, groups, words. What stands in its place is in imputers/."""
