"""Write the page: `python -m tutorial_lib.recipes.vit.explainer`."""

import argparse
from pathlib import Path

from tutorial_lib.recipes.vit import explainer

parser = argparse.ArgumentParser(prog="explainer", description="Write the ViT that runs in a page.")
parser.add_argument("--out", type=Path, default=Path("build", "vit-explainer.html"))
out = parser.parse_args().out
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text(explainer.page(), encoding="utf-8")
print(f"Open this in a browser: {out.resolve()}")
