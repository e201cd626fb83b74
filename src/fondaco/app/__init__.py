"""The composition root: the only place that knows every part, puts them together and starts them."""
