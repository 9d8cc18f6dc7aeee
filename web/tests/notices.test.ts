import { expect, test } from "vitest";
import { cityClock, noticeOf, stateOf } from "../desk/administration/notices";

const EIGHT = Date.UTC(2026, 10, 29, 0, 0);
const SPOKEN = { sound: "0".repeat(32), file: "台风.wav", seconds: 8 };

test("a clock is the city's, whatever the browser's", () => {
  expect(cityClock(EIGHT)).toBe("2026-11-29T08:00:00");
});

test("a notice begins and ends by itself", () => {
  const notice = { starts: "2026-11-29T08:00:00", ends: "2026-11-29T09:30:00" };
  expect([-1, 0, 89, 90].map((minute) => stateOf(notice, EIGHT + minute * 60_000))).toEqual(["to_come", "heard", "heard", "over"]);
});

test("a new one is for a day, and has a name of its own", () => {
  const first = noticeOf(SPOKEN, [], EIGHT);
  expect(first).toMatchObject({ name: "台风", starts: "2026-11-29T08:00:00", ends: "2026-11-30T08:00:00", piece: "welcome", how: "before" });
  expect(noticeOf(SPOKEN, [first], EIGHT).name).toBe("台风 2");
});
