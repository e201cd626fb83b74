"""Trading as people and programs ask for it: decimals and words in, commands to the engine, answers out."""
