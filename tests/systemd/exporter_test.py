"""graced-exporter as its units run it: a user of its own that may do nothing, started by the first client; what it reads of
instances of root and of others, and which right each of them takes."""
import http.client, os, pwd, shutil, signal
from machine import PATIENCE, Case, main, run, systemctl, wait_until, write

DROP_IN = "/etc/systemd/system/graced-exporter.service.d/test.conf"
OTHER = pwd.getpwnam("daemon")


def metrics():
    connection = http.client.HTTPConnection("127.0.0.1", 9917, timeout=PATIENCE)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        lines = answer.read().decode().splitlines()
    finally:
        connection.close()
    assert answer.status == 200, lines
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}


class Exporter(Case):
    def setUp(self):
        super().setUp()
        self.exporter("")

    def clean(self):
        systemctl("stop", "graced-exporter.socket", "graced-exporter.service", ok=False)
        shutil.rmtree(os.path.dirname(DROP_IN), ignore_errors=True)
        super().clean()

    def exporter(self, drop_in):
        """It is started by whoever asks it next."""
        systemctl("stop", "graced-exporter.socket", "graced-exporter.service")
        shutil.rmtree(os.path.dirname(DROP_IN), ignore_errors=True)
        if drop_in:
            write(DROP_IN, "[Service]\n" + drop_in)
        systemctl("daemon-reload")
        systemctl("start", "graced-exporter.socket")

    def exporter_pid(self):
        return int(systemctl("show", "--property", "MainPID", "--value", "graced-exporter.service").stdout)

    def test_the_first_client_starts_it_and_it_may_do_nothing(self):
        self.start()
        self.assertEqual(self.exporter_pid(), 0)
        m = metrics()
        self.assertEqual((m['graced_up{name="demo"}'], m['graced_phase{name="demo",phase="serving"}']), (1, 1))
        self.assertEqual(m['graced_reloads_total{name="demo",outcome="ok"}'], 0)
        self.systemctl("reload", self.unit)
        m = metrics()
        self.assertEqual(m['graced_reloads_total{name="demo",outcome="ok"}'], 1)
        # What the kernel and its cgroup tell anybody.
        for name in ("graced_memory_bytes", "graced_cpu_seconds_total"):
            self.assertIn(name + '{name="demo",role="serving"}', m)
        for name in ("graced_accept_queue_length", "graced_accept_queue_drops_total", "graced_address_connections"):
            self.assertIn(name + '{name="demo",address="tcp 127.0.0.1:8080"}', m)
        self.assertNotIn('graced_pss_bytes{name="demo"}', m)
        pid = self.exporter_pid()
        with open("/proc/%d/status" % pid) as f:
            status = dict(line.strip().split(":\t", 1) for line in f if ":\t" in line)
        self.assertNotIn("0", status["Uid"].split())
        self.assertEqual((int(status["CapEff"], 16), int(status["CapBnd"], 16), int(status["CapAmb"], 16)), (0, 0, 0))
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        # The next one continues where it listens, and nobody is refused meanwhile.
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.exporter_pid() != pid)
        self.assertEqual(metrics()['graced_up{name="demo"}'], 1)
        systemctl("stop", "graced-exporter.service")
        self.assertEqual(metrics()['graced_up{name="demo"}'], 1)
        systemctl("stop", "graced-exporter.socket", "graced-exporter.service")
        self.assertEqual(systemctl("show", "--property", "Result", "--value", "graced-exporter.service").stdout.strip(), "success")

    def test_an_instance_of_another_user_is_read_and_one_whose_directory_is_closed_takes_its_group(self):
        self.drop_in("[Service]\nUser=daemon\n")
        self.start()
        self.assertEqual(metrics()['graced_up{name="demo"}'], 1)
        self.systemctl("stop", self.unit)
        wait_until(lambda: 'graced_up{name="demo"}' not in metrics())
        self.drop_in("[Service]\nUser=daemon\nGroup=daemon\nRuntimeDirectoryMode=0750\n")
        self.start()
        m = metrics()
        self.assertEqual((m['graced_up{name="demo"}'], m['graced_unread{name="demo",reason="refused"}']), (0, 1))
        self.exporter("SupplementaryGroups=daemon\n")
        self.assertEqual(metrics()['graced_up{name="demo"}'], 1)

    def test_one_of_a_users_own_manager_takes_a_capability_and_its_path(self):
        directory = "/run/user/%d/graced/own" % OTHER.pw_uid
        os.makedirs(directory)
        for path in directory, os.path.dirname(directory), os.path.dirname(os.path.dirname(directory)):
            os.chmod(path, 0o700)
            os.chown(path, OTHER.pw_uid, OTHER.pw_gid)
        self.addCleanup(shutil.rmtree, os.path.dirname(os.path.dirname(directory)))
        control = directory + "/control"
        run("systemd-run", "--unit=own", "--uid=%d" % OTHER.pw_uid, "--property=Type=notify", "--setenv=GRACED_CONTROL=" + control,
            "graced", "run", "--name", "own", "-l", "127.0.0.1:0", "--ready", "after:0s", "--control", control, "--", "sleep", "infinity")
        self.addCleanup(systemctl, "stop", "own.service", ok=False)
        exec_start = "ExecStart=\nExecStart=graced-exporter --control %s\n" % control
        self.exporter(exec_start)
        m = metrics()
        self.assertEqual([value for name, value in m.items() if name.startswith("graced_up{")], [0])
        self.exporter(exec_start + "ProtectHome=read-only\nAmbientCapabilities=CAP_DAC_READ_SEARCH\n"
                      "CapabilityBoundingSet=CAP_DAC_READ_SEARCH\n")
        self.assertEqual(metrics()['graced_up{name="own"}'], 1)

    def test_memory_and_descriptors_of_graced_itself_take_a_capability_each(self):
        self.start()
        self.exporter("AmbientCapabilities=CAP_SYS_PTRACE\nCapabilityBoundingSet=CAP_SYS_PTRACE\n")
        self.assertGreater(metrics()['graced_pss_bytes{name="demo"}'], 100000)
        self.exporter("AmbientCapabilities=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH\n"
                      "CapabilityBoundingSet=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH\n")
        m = metrics()
        self.assertGreater(m['graced_open_fds{name="demo"}'], 3)


if __name__ == "__main__":
    main()
