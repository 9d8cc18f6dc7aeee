import { expect, test } from "vitest";
import { type Past, courseOf, dayBefore, nameOf } from "../desk/past";

const EIGHT = Date.UTC(2026, 10, 29, 0, 0);
const past = {
  steps: [
    { at: 0, total: { came: 3 }, queues: { general: { came: 3, connect_rate: 0.5 } } },
    { at: 1, total: { came: 0 }, queues: {} },
  ],
} as unknown as Past;

test("days are the city's", () => {
  expect(dayBefore(EIGHT - 8 * 3600_000, 0)).toBe("2026-11-29");
  expect(dayBefore(EIGHT - 8 * 3600_000 - 1, 0)).toBe("2026-11-28");
  expect(nameOf(EIGHT / 1000, 3600)).toBe("11-29 08:00");
  expect(nameOf(EIGHT / 1000, 86400)).toBe("2026-11-29");
});

test("a share of nothing is no zero", () => {
  expect(courseOf(past, "", "came")).toEqual([3, 0]);
  expect(courseOf(past, "general", "connect_rate")).toEqual([0.5, null]);
});
