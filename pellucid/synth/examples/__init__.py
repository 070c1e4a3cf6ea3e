"""The real inputs, or parts of them, that excite a unit most."""
