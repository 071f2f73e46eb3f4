"""The command `znayka`: starts the service, talks to it, looks after models and keys, says what is wrong."""
