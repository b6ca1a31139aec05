"""The blocks and tables of a Markdown file. A document is the only place that has its command lines: tests take them from there."""
import os, re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Document:
    """blocks: heading to its fenced blocks, as (language, text). rows: heading to the rows of its tables, without heads."""

    def __init__(self, path):
        self.blocks, self.rows = {}, {}
        heading, language, block = "", None, []
        with open(os.path.join(ROOT, path)) as f:
            for line in f.read().splitlines():
                if language is not None:
                    if line == "```":
                        self.blocks.setdefault(heading, []).append((language, "".join(row + "\n" for row in block)))
                        language, block = None, []
                    else:
                        block.append(line)
                elif line.startswith("```"):
                    language = line[3:]
                elif line.startswith("#"):
                    heading = line.lstrip("#").strip()
                elif line.startswith("|") and not re.match(r"\|[ :|-]*$", line):
                    cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
                    self.rows.setdefault(heading, []).append(cells)
        self.rows = {heading: rows[1:] for heading, rows in self.rows.items()}

    def of(self, heading, language):
        return [text for word, text in self.blocks[heading] if word == language]

    def lines(self, heading, language="sh"):
        """The commands under a heading, one each, without their comments."""
        words = "".join(self.of(heading, language)).splitlines()
        return [re.sub(r"\s+#( .*)?$", "", line) for line in words if line and not line.startswith("#")]


def quoted(cell):
    """What stands in back quotes in a cell of a table."""
    return re.findall(r"`([^`]+)`", cell)
