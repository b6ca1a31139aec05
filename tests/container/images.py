"""images.py BASE PACKAGES BUNDLE IMAGES: builds the image graced and that of a shop, and saves both in the file IMAGES. BASE is a
Debian as tests/container/base makes it, PACKAGES a directory with graced's, and BUNDLE one that packaging/bundle has filled."""
import os, sys

import engine


def main(base, packages, bundle, images):
    if os.path.exists(images):
        os.unlink(images)
    try:
        engine.own_mounts()
        builder = engine.Engine()
        builder.build(base, packages, bundle)
    except engine.CannotRun as why:
        print("skipped: %s" % why, file=sys.stderr)
        return 77
    builder.save(images)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
