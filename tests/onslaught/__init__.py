"""The house under load, while its processes are killed: nothing that was acknowledged may be missing or there twice."""
