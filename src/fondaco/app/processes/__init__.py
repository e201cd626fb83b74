"""The processes of a house: each puts its parts together, runs them, and ends cleanly when told to."""
