"""Composite operations as the simple ones they are made of: recurrent cells, grouped convolutions, fused encoder layers."""
