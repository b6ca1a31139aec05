"""run.py IMAGES: the image and the manifest with a real engine, podman. IMAGES is what images.py has saved."""
import sys, unittest

import engine
import own_network  # of tests/e2e, which engine has made known


def main(images):
    try:
        engine.own_mounts()
        engine.ENGINE = engine.Engine()
        engine.ENGINE.load(images)
        own_network.enter()  # ports are ours from here on
    except (engine.CannotRun, unittest.SkipTest) as why:
        print("skipped: %s" % why, file=sys.stderr)
        return 77
    tests = unittest.TestLoader().loadTestsFromNames(["image_test", "kube_test"])
    return 0 if unittest.TextTestRunner(verbosity=2).run(tests).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
