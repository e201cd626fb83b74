"""How a house keeps its ticks and candles: on plain PostgreSQL or on TimescaleDB, behind one port."""
