"""Every SQL statement of applications, by family of tables. Functions take a connection and never commit."""
