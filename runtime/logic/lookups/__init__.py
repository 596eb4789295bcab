"""What has to be looked up before anything is decided."""
