import { expect, test } from "vitest";
import { becauseOf } from "../desk/why";
import { neededBy } from "../desk/wrapup";

test("whose turn it is, and why nobody else's", () => {
  const best = [["8001", 40], ["8002", 12]];
  expect(becauseOf({ winner: "8001", score: 40, best })).toEqual([{ word: "first", count: 2 }]);
  expect(becauseOf({ winner: "8001", score: 40, best: best.slice(0, 1), excluded: { engaged: 2, off: 1, unskilled: 3 } })).toEqual([
    { word: "only", count: 1 },
    { word: "unskilled", count: 3 },
    { word: "busy", count: 3 },
  ]);
});

test("who had the citizen before is told so, unless those ahead have declined", () => {
  const best = [["8001", 40], ["8002", 12]];
  expect(becauseOf({ winner: "8002", score: 12, best })[0]).toEqual({ word: "yours", count: 2 });
  expect(becauseOf({ winner: "8002", score: 12, best, excluded: { declined: 1 } })).toEqual([
    { word: "first", count: 2 },
    { word: "declined", count: 1 },
  ]);
  expect(becauseOf({})).toEqual([]);
});

test("every rule that holds is met, and no other", () => {
  const rules = {
    needed: [
      { fields: ["kind"] as const, queue: null, kind: null },
      { fields: ["note"] as const, queue: null, kind: "举报" },
      { fields: ["note"] as const, queue: "law", kind: null },
    ],
    extend_s: 60,
    extensions: 3,
  };
  expect([...neededBy(rules, "general", "咨询")]).toEqual(["kind"]);
  expect([...neededBy(rules, "general", "举报")]).toEqual(["kind", "note"]);
  expect([...neededBy(rules, "law", "")]).toEqual(["kind", "note"]);
});
