"""An exception that cannot be shown."""


class Broken(Exception):
    def __str__(self):
        raise ValueError("no text for you")


raise Broken()
