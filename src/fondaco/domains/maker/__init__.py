"""The market maker of the demo world: whoever comes new has someone to trade with."""
