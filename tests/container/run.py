"""run.py BASE PACKAGES BUNDLE: the image and the manifest with a real engine, podman. BASE is a Debian as
tests/container/base makes it, PACKAGES a directory with graced's, and BUNDLE one that packaging/bundle has filled."""
import os, sys, unittest

import engine
import own_network  # of tests/e2e, which engine has made known


def main(base, packages, bundle):
    try:
        engine.ENGINE = engine.Engine(base, packages, bundle)
        own_network.enter()  # ports are ours from here on
    except (engine.CannotRun, unittest.SkipTest) as why:
        print("skipped: %s" % why, file=sys.stderr)
        return 77
    tests = unittest.TestLoader().discover(os.path.dirname(os.path.abspath(__file__)), "*_test.py")
    return 0 if unittest.TextTestRunner(verbosity=2).run(tests).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
