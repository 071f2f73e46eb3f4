"""One module a group of addresses. Handlers parse, call one thing, answer."""
