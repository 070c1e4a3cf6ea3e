"""Imputers: what stands where something was taken away, one file each, and `as_imputer` for what users write."""
