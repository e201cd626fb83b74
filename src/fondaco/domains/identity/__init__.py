"""Who people are to the house."""
