"""The HTTP face: the API, the control face, the page to look at, and the server that serves them."""
