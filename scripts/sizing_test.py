#!/usr/bin/env python3
"""The arithmetic of sizing.py. Run: python3 scripts/sizing_test.py"""

import json
import unittest

import sizing


def row(workers, kind, rate, how):
    figure = f"`serve` and {workers} workers{' of 8 slots' if '200' in kind else ''}, {kind}"
    return {"database": "PostgreSQL 15", "figure": figure, "measured": f"{rate} runs/s, 1.50 times one worker", "target": "-",
            "how": f"from the first start to the last end; {how}"}


REPORT = json.dumps([
    row(1, "a model of 200 ms a call", 40, "crewd 0.20 cores, database 0.10 cores, 120 commits/s"),
    row(1, "a model that takes no time", 400, "crewd 0.80 cores, database 0.40 cores, 600 commits/s"),
    row(2, "a model that takes no time", 500, "crewd 1.25 cores, database 0.45 cores, 500 commits/s"),
    {"database": "PostgreSQL 15", "figure": "submit p99", "measured": "3 ms", "target": "20 ms", "how": "-"},
])


class Reading(unittest.TestCase):
    def test_lines_of_the_curves_are_read_and_others_passed_over(self):
        report = sizing.read(REPORT)
        self.assertEqual(report.database, "PostgreSQL 15")
        self.assertEqual([(point.workers, point.rate) for point in report.points], [(1, 40), (1, 400), (2, 500)])
        self.assertEqual(report.points[0].commits, 120)

    def test_without_a_database_server_there_are_no_figures_of_one(self):
        report = sizing.read(json.dumps([row(1, "a model that takes no time", 400, "crewd 0.80 cores")]))
        self.assertIsNone(report.points[0].database_cores)
        self.assertIsNone(report.commits_per_call())
        self.assertEqual(report.database_seconds(), 0)
        self.assertIn("commits were not counted", sizing.section([report], sizing.Assumptions()))

    def test_a_report_of_something_else_is_refused(self):
        with self.assertRaises(ValueError):
            sizing.read(json.dumps([{"database": "x", "figure": "submit", "measured": "3 ms", "how": "-"}]))
        with self.assertRaises(ValueError):
            sizing.read(json.dumps([row(1, "a model that takes no time", 400, "nothing")]))


class Arithmetic(unittest.TestCase):
    def setUp(self):
        self.report = sizing.read(REPORT)
        self.assumed = sizing.Assumptions(peak=2, calls=3, seconds=20, slots=100, full=0.5, bytes_per_call=1_048_576)

    def test_costs_are_those_of_the_most_expensive_point(self):
        self.assertAlmostEqual(self.report.crewd_seconds(), 1.25 / 500)
        self.assertAlmostEqual(self.report.database_seconds(), 0.40 / 400)
        self.assertAlmostEqual(self.report.commits_per_call(), 120 / 40)
        self.assertEqual(self.report.limit().rate, 500)

    def test_a_day_is_multiplied_out(self):
        line = sizing.size(self.report, 864_000, self.assumed)
        self.assertAlmostEqual(line.peak_rate, 20)
        self.assertAlmostEqual(line.at_once, 400)
        self.assertAlmostEqual(line.crewd_cores, 20 * 3 * 0.0025 / 0.5)
        self.assertAlmostEqual(line.database_cores, 20 * 3 * 0.001 / 0.5)
        self.assertAlmostEqual(line.commits, 20 * 3 * 3)
        self.assertEqual((line.serves, line.workers), (2, 8), "400 runs at once in slots that are half full")
        self.assertEqual(line.connections, 10 * 32)
        self.assertAlmostEqual(line.gib_per_day, 864_000 * 3 / 1024)
        self.assertAlmostEqual(line.share, 60 / 500)

    def test_nobody_is_told_to_run_one_process(self):
        line = sizing.size(self.report, 10, self.assumed)
        self.assertEqual((line.serves, line.workers), (2, 2))

    def test_what_goes_beyond_the_measurement_is_said(self):
        self.assertIn("larger database machine", "\n".join(sizing.table(self.report, self.assumed)))
        small = sizing.Assumptions(calls=0.1)
        self.assertNotIn("larger database machine", "\n".join(sizing.table(self.report, small)))

    def test_numbers_are_rounded_to_what_they_mean(self):
        for number, text in [(None, "–"), (0.0034, "under 0.01"), (0.034, "0.03"), (0.347, "0.3"), (3.47, "3.5"), (34.7, "35"), (347, "350"), (34_722, "35,000")]:
            self.assertEqual(sizing.rounded(number), text)


class Writing(unittest.TestCase):
    def test_only_what_is_between_the_markers_changes(self):
        page = f"before\n{sizing.BEGIN}\nold\n{sizing.END}\nafter\n"
        once = sizing.put(page, "new")
        self.assertEqual(once, f"before\n{sizing.BEGIN}\n\nnew\n\n{sizing.END}\nafter\n")
        self.assertEqual(sizing.put(once, "new"), once)
        with self.assertRaises(ValueError):
            sizing.put("no markers", "new")

    def test_the_page_has_markers(self):
        sizing.put(sizing.PAGE.read_text(), "new")


if __name__ == "__main__":
    unittest.main()
