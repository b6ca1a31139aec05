"""The manifest of packaging/kubernetes, played by podman. Here the files of its config volume are no links."""
import json, os, unittest, urllib.request
import yaml

import engine
from engine import ROOT, Case, wait_until


class Manifest(Case):
    def setUp(self):
        super().setUp()
        with open(os.path.join(ROOT, "packaging", "kubernetes", "shop.yaml")) as f:
            documents = list(yaml.safe_load_all(f))
        for document in documents:
            if document["kind"] == "Deployment":
                document["spec"]["replicas"] = 1  # all share the network of this test
        self.file = os.path.join(engine.ENGINE.place, "shop.yaml")
        with open(self.file, "w") as f:
            yaml.safe_dump_all(documents, f)

    def test_it_plays_and_its_sidecar_reloads_when_a_file_changes(self):
        self.addCleanup(self.podman, "kube", "down", self.file, ok=False)
        # One by one, for podman 4.3 would remove the init container at times before it has seen it end, and fail.
        self.podman("kube", "play", "--start=false", self.file)
        names = self.podman("ps", "--all", "--format", "{{.Names}}").stdout.split()
        place, shop, sidecar = (next(name for name in names if name.endswith(end)) for end in ("-place", "-shop", "-reload"))
        self.podman("start", "--attach", place)
        self.podman("start", shop, sidecar)
        self.becomes_ready(shop)
        with urllib.request.urlopen("http://127.0.0.1:8080/", timeout=60) as answer:
            self.assertIn(b"generation 1", answer.read())
        mounts = {m["Destination"]: m["Source"] for m in json.loads(self.podman("inspect", shop).stdout)[0]["Mounts"]}
        with open(os.path.join(mounts["/etc/shop"], "shop.conf"), "a") as f:
            f.write("greeting = hello again\n")
        wait_until(lambda: self.status(shop)["serving"] == 2, lambda: self.said(shop) + self.said(sidecar))
        status = self.status(shop)
        self.assertEqual((status["name"], status["pid"]), ("shop", 1))
        self.assertEqual(self.exec(sidecar, "graced", "status", "--ready").returncode, 0)


if __name__ == "__main__":
    unittest.main()
