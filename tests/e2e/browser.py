"""A real Chromium, driven by chromedriver: Debian's packages chromium, chromium-driver and python3-selenium."""
import base64, os, shutil, unittest

from harness import PATIENCE, wait_until

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
except ImportError:
    webdriver = None

SCREENSHOTS = os.path.join(os.path.dirname(os.environ["GRACED_BINARY"]), "..", "screenshots")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


def need_browser():
    """For setUpModule."""
    if webdriver is None:
        raise unittest.SkipTest("python3-selenium is not installed")
    for program, package in ("chromium", "chromium"), ("chromedriver", "chromium-driver"):
        if not shutil.which(program):
            raise unittest.SkipTest(package + " is not installed")


class Browser:
    def __init__(self, directory, javascript=True):
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        # Without a sandbox, as tests may run as root; it sees pages of ours alone.
        for word in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-background-networking",
                     "no-first-run", "hide-scrollbars", "user-data-dir=" + directory):
            options.add_argument("--" + word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        if not javascript:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.driver.set_page_load_timeout(PATIENCE)

    def open(self, exporter, path):
        self.driver.get("about:blank")
        self.said()  # of a page before, whose exporter has ended
        self.driver.get("http://%s:%d%s" % (*exporter.address, path))

    def texts(self, css):
        """Of all such elements, as they are at one moment."""
        return self.driver.execute_script(
            "return Array.from(document.querySelectorAll(arguments[0]), e => e.textContent.trim().replace(/\\s+/g, ' '))", css)

    def attributes(self, css, name):
        return self.driver.execute_script(
            "return Array.from(document.querySelectorAll(arguments[0]), e => e.getAttribute(arguments[1]))", css, name)

    def elements_text(self, css):
        """The same without JavaScript, of a page that does not change."""
        return [" ".join(e.get_attribute("textContent").split()) for e in self.driver.find_elements(By.CSS_SELECTOR, css)]

    def wait(self, css, words):
        """Until some such element has these words; all of their texts."""
        return wait_until(lambda: any(words in text for text in self.texts(css)) and self.texts(css),
                          lambda: "no %r in %r" % (words, self.texts("main")))

    def said(self):
        """What is in its log since the last time: refused scripts, files that are not there."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def shoot(self, name, look="light", size="desktop"):
        """The whole page as a picture in the build folder; how wide it is, beside how wide the window is."""
        width, height = SIZES[size]
        cdp = self.driver.execute_cdp_cmd
        cdp("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": look}]})
        cdp("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"})
        shown = cdp("Page.getLayoutMetrics", {})["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": width, "height": max(height, shown["height"]), "scale": 1}
        picture = cdp("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})["data"]
        os.makedirs(SCREENSHOTS, exist_ok=True)
        with open(os.path.join(SCREENSHOTS, "%s-%s-%s.png" % (name, size, look)), "wb") as f:
            f.write(base64.b64decode(picture))
        return shown["width"], width

    def close(self):
        self.driver.quit()
