"""`python -m localcloud`: bring the local cloud up, take it down, see how it is."""

from localcloud.commands import app

if __name__ == "__main__":
    app()
