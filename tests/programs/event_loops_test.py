"""The examples of the library with the event loops of others: nothing is lost, kept connections included."""
from program import ProgramCase, built, main, setUpModule

ADDRESS = ("127.0.0.1", 8080)
WHERE = "%s:%d" % ADDRESS
RELOADS = 20


class EventLoops(ProgramCase):
    def loses_nothing(self, g, kinds):
        loads = [self.load(WHERE, *kind) for kind in kinds]
        for load in loads:
            load.began()
        for _ in range(RELOADS):
            self.reload(g)
            for load in loads:
                load.began()  # with the new generation
        self.one_serves(g)
        for load in loads:
            r = load.report()
            self.assertEqual((r["failed"], r["soft"]), (0, 0), "%s\n%s" % (r, g.said()))
            self.assertGreater(r["answered"], 20)
        self.assertEqual(g.end(), 0, g.said())
        self.assert_nothing_left(g)

    def test_asio_answers_a_request_of_which_it_has_half_when_it_has_to_leave(self):
        g = self.passed(WHERE, built("asio_server"))
        held = self.begin(ADDRESS)
        self.assertIn("generation 1", self.answer(ADDRESS))  # who came later, so that the first is not in the queue any more
        self.reload(g)
        self.soon("generation 2", lambda: self.answer(ADDRESS))
        self.assertIn("generation 1", self.finish(held))

    def test_asio_under_load(self):
        self.loses_nothing(self.passed(WHERE, built("asio_server")),
                           [("--clients", "4"), ("--clients", "4", "--keep-alive"), ("--clients", "8", "--keep-alive", "--pause", "50ms")])

    def test_libuv_under_load(self):
        self.loses_nothing(self.passed(WHERE, built("libuv_server")), [("--clients", "8",)])


if __name__ == "__main__":
    main()
