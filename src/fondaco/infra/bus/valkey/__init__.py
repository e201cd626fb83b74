"""The bus over Valkey or Redis, for houses on several machines; docs/adr/0004-bus-over-valkey.md says why it is so."""
