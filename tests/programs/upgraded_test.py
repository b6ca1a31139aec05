"""Each program, reloaded under load, with graced replaced by another image of itself after every reload, while the generation
before drains: nobody notices."""
import itertools, os
from program import GRACED, RELOADS, each_program_again, for_everybody, main, setUpModule

NEXT = for_everybody(os.environ["GRACED_NEXT"])


class Upgraded:
    """Before a ProgramCase."""
    how = "upgraded"
    reloads = (RELOADS + 1) // 2

    def setUp(self):
        super().setUp()
        self.images = itertools.cycle((NEXT, GRACED))

    def reload(self, g):
        super().reload(g)
        r = g.run("upgrade", "--binary", next(self.images))
        self.assertEqual(r.returncode, 0, r.stderr + g.said())


globals().update(each_program_again(Upgraded, "Upgraded"))


if __name__ == "__main__":
    main()
