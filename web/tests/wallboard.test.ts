import { describe, expect, test } from "vitest";
import { course, falls, type Figure, written } from "../desk/wallboard";

const NOON = Date.UTC(2026, 10, 23, 12) / 1000;
const figure = (given: Partial<Figure>): Figure => ({
  key: "connect_rate",
  name: "接通率",
  english: "connect rate",
  formula: "answered / (answered + lost)",
  unit: "share",
  value: 0.9,
  at_least: 0.95,
  ...given,
});

describe("a figure", () => {
  test("is written by its unit, and what cannot be said is no zero", () => {
    expect(written(0.9642, "share")).toBe("96.4%");
    expect(written(12.34, "seconds")).toBe("12.3 s");
    expect(written(318, "count")).toBe("318");
    expect(written(null, "share")).toBe("–");
    expect(written(0, "share")).toBe("0.0%");
  });

  test("falls short only of a target that it has, and only when it can be said", () => {
    expect(falls(figure({}))).toBe(true);
    expect(falls(figure({ value: 0.95 }))).toBe(false);
    expect(falls(figure({ value: null }))).toBe(false);
    expect(falls(figure({ at_least: null }))).toBe(false);
  });
});

describe("the day's course", () => {
  test("has every step of the window, also those in which nobody came", () => {
    const steps = [{ at: NOON - 900, came: 3, answered: 2, lost: 1 }];
    const [times, came, answered, lost] = course({ now: NOON + 10, window_s: 3600, step_s: 900, steps });
    expect(times).toEqual([NOON - 2700, NOON - 1800, NOON - 900, NOON]);
    expect(came).toEqual([0, 0, 3, 0]);
    expect(answered).toEqual([0, 0, 2, 0]);
    expect(lost).toEqual([0, 0, 1, 0]);
  });
});
