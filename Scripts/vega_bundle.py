"""Writes Vega, Vega-Lite and vega-embed as one classic script, as the `vl_convert` beside it has them.

    PYTHONPATH=WHEEL python3 vega_bundle.py FILE

The script sets `window.vegaEmbed`, `window.vega` and `window.vegaLite`, and nothing else.
"""

import re
import sys


def classic_script(bundle):
    """The bundle with its names to itself, and with the modules where it hands out a null.

    It declares its many short names at the top level, where they meet those of other scripts; and it
    takes Vega's and Vega-Lite's default exports, which do not exist: `const D=null;const M=function…`
    stands before each module's namespace M.
    """
    for empty, module in re.findall(r"\bconst (\w+)=null;const (\w+)=function\(\)", bundle):
        bundle = re.sub(rf"(window\.vega(?:Lite)?=){empty};", rf"\g<1>{module};", bundle)
    return "(()=>{" + bundle + "\n})();\n"


if __name__ == "__main__":
    import vl_convert

    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(classic_script(vl_convert.javascript_bundle()))
