# The tool and the other programs on the library.
