"""What becomes of graced@demo when graced hangs or dies."""
import os, signal
from machine import Case, ask, main, wait_until


class Crash(Case):
    def test_a_hung_graced_is_killed_by_the_watchdog_and_serves_again(self):
        self.drop_in("[Service]\nWatchdogSec=500ms\n")
        pid = self.start()
        self.systemctl("reload", self.unit)
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: self.show("NRestarts") == "1" and self.show("ActiveState") == "active", self.journal)
        self.assertIn("Watchdog timeout", self.journal())
        self.assertNotEqual(self.main_pid(), pid)
        self.assertIn("build a", ask(self.address))

    def test_a_slow_start_and_a_slow_stop_get_the_time_they_ask_for(self):
        # Both take longer than systemd's own limits, which are a second.
        self.drop_in("[Service]\nTimeoutStartSec=1s\nTimeoutStopSec=1s\n")
        self.start("listen = 127.0.0.1:8080", "ready = after:3s", "ready-timeout = 20s")
        self.assertEqual(self.show("Result"), "success")
        self.configure("listen = 127.0.0.1:8080", "stop-timeout = 3s")
        with open(self.config) as f:
            text = f.read().replace("/run/build", "/run/build deaf")
        with open(self.config, "w") as f:
            f.write(text)
        self.systemctl("reload", self.unit)
        self.systemctl("stop", self.unit)
        self.assertEqual(self.show("Result"), "success")
        self.assertIn("is hammered", self.journal())


if __name__ == "__main__":
    main()
