"""Redis, by its own protocol. Its data is not handed over: what is tested is that no connection is lost."""
from program import REDIS_LOAD, ProgramCase, RedisQuestion, found, main, setUpModule

PORT = ("127.0.0.1", 6379)


class Redis(ProgramCase):
    question = RedisQuestion
    load_program = REDIS_LOAD

    def test_redis(self):
        g = self.program(found("redis-server"), "--save", "", "--dir", self.directory)
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)


if __name__ == "__main__":
    main()
