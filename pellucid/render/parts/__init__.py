"""What sheets and pages are made of: palettes, scales, panels, bars, legends, outlines."""
