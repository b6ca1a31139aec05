"""The D-Bus interface is what graced-dbus(5) says, no more and no less; and graced-json(7) is the schema."""
import os, re, shutil, subprocess, unittest
import xml.etree.ElementTree as ElementTree

from harness import PATIENCE, Case, main
from manual_pages import MANUALS, shown
from schema import definitions

INTERFACE = "org.graced.Supervisor1"


def page(name):
    with open(os.path.join(MANUALS, name)) as f:
        return shown(f.read()).replace("\\(->", "->")


def section(text, title):
    return re.search(r"^\.S[sh] %s\n(.*?)(?=^\.S[sh] |\Z)" % re.escape(title), text, re.M | re.S).group(1)


def tags(text):
    return re.findall(r"^\.It Li (.+)$", text, re.M)


class Manuals(Case):
    maxDiff = None

    @unittest.skipUnless(shutil.which("busctl"), "busctl is not installed")
    def test_the_interface_is_what_the_manual_says(self):
        g = self.serving()
        xml = subprocess.run(["busctl", "--address=unix:path=" + g.control, "--xml-interface", "introspect", INTERFACE, "/org/graced/Supervisor1"],
                             capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(xml.returncode, 0, xml.stderr)
        interface = next(i for i in ElementTree.fromstring(xml.stdout) if i.get("name") == INTERFACE)

        def arguments(of, direction):
            return ", ".join("%s %s" % (a.get("type"), a.get("name")) for a in of.iter("arg") if a.get("direction", "out") == direction)

        def method(m):
            answer = arguments(m, "out")
            return "%s(%s)%s" % (m.get("name"), arguments(m, "in"), " -> " + answer if answer else "")

        text = page("graced-dbus.5")
        self.assertEqual(sorted(tags(section(text, "Methods"))), sorted(map(method, interface.iter("method"))))
        self.assertEqual(sorted(tags(section(text, "Signals"))),
                         sorted("%s(%s)" % (s.get("name"), arguments(s, "out")) for s in interface.iter("signal")))
        told = [each for line in tags(section(text, "Properties")) for each in line.split(" , ")]
        self.assertEqual(sorted(told), sorted("%s %s" % (p.get("name"), p.get("type")) for p in interface.iter("property")))
        self.assertTrue(all(p.get("access") == "read" for p in interface.iter("property")))

    def test_the_members_of_the_manual_are_those_of_the_schema(self):
        text = page("graced-json.7")
        sections = {"status": "Status", "history": "History", "event": "Events", "check": "Members of check", "probe": "Members of probes",
                    "batches": "Members of batches", "canary": "Members of canary", "watch": "Members of watched_by",
                    "replacement": "Members of last_replacement",
                    "worker": "Members of workers", "address": "Members of addresses", "generation": "Members of generations",
                    "datagrams": "Members of udp",
                    "reload": "Members of last_reload", "upgrade": "Members of last_upgrade", "exit": "Members of last_exit", "by": "Members of by"}
        self.assertEqual(set(definitions()) - set(sections), {"list"})
        for kind, title in sections.items():
            told = [re.fullmatch(r"(\w+) Pq (.+); (\d+\.\d+\.\d+)", tag).groups() for tag in tags(section(text, title))]
            properties = definitions()[kind]["properties"]
            self.assertEqual([name for name, _, _ in told], list(properties), title)
            self.assertEqual(definitions()[kind]["required"], list(properties))
            for name, what, _ in told:
                with self.subTest(kind=kind, member=name):
                    null = "null" in str(properties[name].get("type", "")) or {"type": "null"} in properties[name].get("anyOf", [])
                    self.assertEqual(what.endswith(" or null"), null)
        self.assertEqual(tags(section(text, "Words of event")), definitions()["event"]["properties"]["event"]["enum"])

    def test_the_words_of_the_schema_are_those_that_can_be_waited_for(self):
        for word in definitions()["event"]["properties"]["event"]["enum"]:
            answer = self.run_graced("events", "--control", self.path("none"), "--until", word, "--timeout", "1ms")
            self.assertEqual((answer.returncode, answer.stderr), (1, "graced: no %s within 1ms\n" % word))


if __name__ == "__main__":
    main()
