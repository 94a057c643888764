"""Volumes by hand: what the bar codes on cartridges say, and where people move them."""
