"""Measures the peers: what is asked, of whom, how often, and what came of it. `../run` is where it begins."""
