"""Messages of outside protocols as frozen structs, shared by the client and the server side."""
