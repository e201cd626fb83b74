"""The single writer round the pure core: journal, follower, projection, and the tables that they keep."""
