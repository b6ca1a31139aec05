"""What the manual pages show: their displays (.Dl, .Bd -literal), as a reader would copy them."""
import collections, os, re, subprocess

MANUALS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "man")

Display = collections.namedtuple("Display", "page line text")


def shown(mdoc):
    """Without the escapes of roff."""
    for escape, what in (("\\&", ""), ("\\-", "-"), ("\\(dq", '"'), ("\\e", "\\")):
        mdoc = mdoc.replace(escape, what)
    return mdoc


def displays_of(page):
    found, block = [], None
    with open(os.path.join(MANUALS, page)) as f:
        for number, line in enumerate(f.read().splitlines(), 1):
            if block is not None and line != ".Ed":
                block.append(shown(line))
            elif block is not None:
                found.append(Display(page, number - len(block), "\n".join(block)))
                block = None
            elif line.startswith(".Dl "):
                found.append(Display(page, number, shown(line[4:])))
            elif line.startswith(".Bd -literal"):
                block = []
    return found


def all_displays():
    return [display for page in sorted(os.listdir(MANUALS)) for display in displays_of(page)]


def the_display(page, beginning):
    """Of that page, the only one that begins so."""
    only, = (d.text for d in displays_of(page) if d.text.startswith(beginning))
    return only


def rendered(page):
    """As a terminal of any width has it, without any blank."""
    text = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=300", os.path.join(MANUALS, page)], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return "".join(re.sub(".\b", "", text).split())
