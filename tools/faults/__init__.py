"""Faults to plant in made-up panels, a module per group of checks."""
