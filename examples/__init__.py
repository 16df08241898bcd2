"""Programs to read and to run; each is a tutorial of its own."""
