// What programs read of an instance: names and units that stay.
#include "client/report_json.h"

#include <doctest/doctest.h>

using namespace graced;

TEST_CASE("the status in JSON has its documented names, and seconds") {
  InstanceReport r;
  r.name = "shop";
  r.version = "0.1.0";
  r.pid = 4242;
  r.phase = "serving";
  r.age = 90min;
  r.command = "./shop \"a\"";
  r.executable = "/srv/shop/7/shop";
  r.changed = {"shop.conf"};
  r.serving = 6;
  r.workers = {{6, 0, 4250, "ready", 1500ms, std::nullopt, "12 requests", {"a", "b\xff"}},
               {6, 1, 0, "draining", 0s, infinity, "", {}, "2 connections, 1 queued", 2, 1, 250ms}};
  r.generations = {{6, 4096, 1500ms}, {7, std::nullopt, 0s}};
  r.datagrams = {{7, 12, 3456}};
  r.addresses = {{"http", "tcp [::]:80", "shared"}};
  r.last_reload = ReloadReport{6, false, "one\ntwo", 2s, 250ms};
  r.workers_asked = 2;
  r.workers_missing = 1;
  r.last_exit = ExitReport{6, 1, 4251, "killed by SIGSEGV after 2s", std::nullopt, "SIGSEGV", 3s, 2s, {"bye"}};
  r.watched = {{"tcp://a:1", false, 0, 2, "connection refused"}};
  r.replaces = 6;
  r.last_replacement = ReplacementReport{6, 7, false, "exited with status 1", 3s};
  r.reloads = 5;
  r.next_restart = 400ms;
  r.upgraded_from = "0.0.9";
  r.upgraded = 2min;
  r.last_upgrade = UpgradeReport{"t1", false, "/x: exit 1", "0.1.0", "", 3s};
  r.upgrades = 2;
  r.failed_upgrades = 1;
  CHECK(report_json(r) == R"({
  "schema": 1,
  "name": "shop",
  "version": "0.1.0",
  "pid": 4242,
  "phase": "serving",
  "age_s": 5400.0,
  "command": "./shop \"a\"",
  "executable": "/srv/shop/7/shop",
  "executable_replaced": false,
  "changed_files": [
    "shop.conf"
  ],
  "config": null,
  "serving": 6,
  "candidate": null,
  "standby": null,
  "probation_s": null,
  "workers_asked": 2,
  "workers_missing": 1,
  "check": null,
  "batches": null,
  "probes": [],
  "canary": null,
  "watched_by": [
    {
      "probe": "tcp://a:1",
      "passes": 0,
      "fails": 2,
      "saw": "connection refused"
    }
  ],
  "replaces": 6,
  "last_replacement": {
    "generation": 6,
    "by": 7,
    "ok": false,
    "why": "exited with status 1",
    "age_s": 3.0
  },
  "workers": [
    {
      "generation": 6,
      "worker": 0,
      "pid": 4250,
      "state": "ready",
      "age_s": 1.5,
      "left_s": null,
      "then": "",
      "status": "12 requests",
      "last_lines": [
        "a",
        "b)"
                          "\xef\xbf\xbd"
                          R"("
      ],
      "waits_for": "",
      "connections": null,
      "queued": null,
      "quiet_s": null
    },
    {
      "generation": 6,
      "worker": 1,
      "pid": null,
      "state": "draining",
      "age_s": 0.0,
      "left_s": null,
      "then": "",
      "status": "",
      "last_lines": [],
      "waits_for": "2 connections, 1 queued",
      "connections": 2,
      "queued": 1,
      "quiet_s": 0.25
    }
  ],
  "addresses": [
    {
      "name": "http",
      "address": "tcp [::]:80",
      "handoff": "shared"
    }
  ],
  "generations": [
    {
      "generation": 6,
      "memory": 4096,
      "cpu_s": 1.5
    },
    {
      "generation": 7,
      "memory": null,
      "cpu_s": 0.0
    }
  ],
  "udp": [
    {
      "generation": 7,
      "flows": 12,
      "datagrams": 3456
    }
  ],
  "last_reload": {
    "generation": 6,
    "ok": false,
    "why": "one\ntwo",
    "age_s": 2.0,
    "took_s": 0.25
  },
  "last_exit": {
    "generation": 6,
    "worker": 1,
    "pid": 4251,
    "how": "killed by SIGSEGV after 2s",
    "status": null,
    "signal": "SIGSEGV",
    "age_s": 3.0,
    "lived_s": 2.0,
    "last_lines": [
      "bye"
    ]
  },
  "reloads": 5,
  "failed_reloads": 0,
  "rollbacks": 0,
  "restarts": 0,
  "reload_queued": false,
  "next_restart_s": 0.4,
  "upgraded_from": "0.0.9",
  "upgraded_s": 120.0,
  "upgrade_waits_for": null,
  "last_upgrade": {
    "ok": false,
    "why": "/x: exit 1",
    "from": "0.1.0",
    "to": null,
    "age_s": 3.0
  },
  "upgrades": 2,
  "failed_upgrades": 1,
  "self_upgrade": false
}
)");
}

TEST_CASE("an instance without anything is nulls and empty lists, never missing names") {
  const std::string json = report_json({});
  for (const char* part :
       {"\"workers\": []", "\"addresses\": []", "\"last_reload\": null", "\"next_restart_s\": null",
        "\"executable\": null", "\"changed_files\": []", "\"serving\": null", "\"config\": null",
        "\"workers_asked\": null", "\"last_exit\": null"})
    CHECK_MESSAGE(json.find(part) != std::string::npos, part);
  CHECK(list_json({}) == "[]\n");
}

TEST_CASE("of an instance that does not answer nothing is known but that") {
  InstanceReport silent;
  silent.name = "shop";
  silent.phase = "silent";
  const std::string json = list_json({silent});
  for (const char* part : {"\"schema\": 1", "\"name\": \"shop\"", "\"phase\": \"silent\"", "\"pid\": null",
                           "\"age_s\": null", "\"reloads\": null", "\"command\": null", "\"workers\": []"})
    CHECK_MESSAGE(json.find(part) != std::string::npos, part);
}
