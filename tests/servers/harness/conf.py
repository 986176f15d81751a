# SPDX-License-Identifier: LGPL-2.1-or-later
"""libconfig text from Python values: dict = group, list = list, tuple of scalars = array."""


def scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'


def render(value, depth=0):
    pad = "  " * (depth + 1)
    if isinstance(value, dict):
        inside = "".join(
            f"{pad}{key} = {render(item, depth + 1)};\n" for key, item in value.items() if item is not None
        )
        return "{\n" + inside + "  " * depth + "}"
    if isinstance(value, tuple):
        return "[ " + ", ".join(scalar(v) for v in value) + " ]" if value else "[ ]"
    if isinstance(value, list):
        return "( " + ", ".join(render(v, depth) for v in value) + " )" if value else "( )"
    return scalar(value)


def document(settings):
    """The text of a configuration file."""
    return "".join(f"{key} = {render(value)};\n" for key, value in settings.items() if value is not None)
