"""What every part of the house needs and none of it is trading: settings, database, bus, processes, logs, metrics."""
