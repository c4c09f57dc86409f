"""Check an installed clsimpact from outside the repository: names, data and version are all in the wheel."""

import sys
from importlib.metadata import version
from pathlib import Path

import clsimpact


def main() -> None:
    """Use what a user would use first; any missing part raises."""
    home = Path(clsimpact.__file__).resolve().parent
    if not home.is_relative_to(Path(sys.prefix).resolve()):
        raise SystemExit(f"clsimpact was imported from {home}, not from the installed wheel")
    if clsimpact.__version__ != version("clsimpact"):
        raise SystemExit(f"clsimpact {clsimpact.__version__} is installed as {version('clsimpact')}")
    if not (home / "py.typed").is_file():
        raise SystemExit("the wheel lacks py.typed: type checkers would ignore its annotations")
    for name in clsimpact.__all__:
        getattr(clsimpact, name)
    panel, adoption = clsimpact.load_panel(), clsimpact.load_adoption()
    if not clsimpact.load_panel("simulated").attrs["simulated"]:
        raise SystemExit("the simulated panel does not say that it is made up")
    print(
        f"clsimpact {clsimpact.__version__}: {len(clsimpact.__all__)} public names, "
        f"a panel of {len(panel)} rows, {len(adoption)} rows of adoption evidence"
    )


if __name__ == "__main__":
    main()
