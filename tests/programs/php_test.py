"""PHP's own server, which keeps no connection."""
import os
from program import SERVERS, ProgramCase, found, main, setUpModule

PORT = ("127.0.0.1", 8080)


class Php(ProgramCase):
    def test_php(self):
        g = self.program(found("php"), "-S", "127.0.0.1:8080", os.path.join(SERVERS, "index.php"))
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT, keep_alive=False)


if __name__ == "__main__":
    main()
