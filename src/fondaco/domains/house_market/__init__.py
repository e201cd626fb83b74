"""The house's own books as a source of market data, beside the feeds of outside exchanges."""
