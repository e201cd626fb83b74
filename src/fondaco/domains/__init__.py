"""Vertical slices of the house: each domain has its own tables, service, routes and jobs."""
