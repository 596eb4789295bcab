"""What the functions are: what each is given, may do and is called."""
