import { describe, expect, test } from "vitest";
import type { Desk } from "@shared/protocol";
import { endsOf } from "../desk/contact";
import { byDay, fromAddress, handled_s, inAddress, type Past, spansOf, waited_s } from "../desk/history";

const ULID = "01M84WAGHCZ1AHAY31262R7R60";
const NOON = Date.UTC(2026, 10, 23, 12) / 1000;
const DAY_S = 24 * 3600;

const past = (given: Partial<Past>): Past => ({
  session: ULID,
  phase: "closed",
  medium: "chat",
  queue: "general",
  citizen: "web 9f3c",
  assignee: "8001",
  opened_at: NOON,
  answered_at: NOON + 12,
  closed_at: NOON + 200,
  end: "completed",
  kind: "咨询",
  rating: null,
  ...given,
});

type Kind = Desk.Who["kind"];
const who = (kind: Kind): Desk.Who => ({ kind, name: kind === "agent" ? "8001" : "" });
const opened = (at: number): Desk.Placed["entry"] => ({ kind: "event", at, who: who("citizen"), what: "opened", detail: "" });
const finished = (at: number): Desk.Placed["entry"] => ({ kind: "event", at, who: who("agent"), what: "finished", detail: "" });
const wrap = (at: number): Desk.Placed["entry"] => ({ kind: "wrap", at, who: who("agent"), subject: "咨询", note: "" });
const accepted = (at: number, by: Kind): Desk.Placed["entry"] => ({
  ...{ kind: "offer", at, who: who(by), token: 1, what: "accepted", reason: "", why: null },
});
const leg = (at: number, name: string, what: "opened" | "closed", by: Kind): Desk.Placed["entry"] => ({
  ...{ kind: "leg", at, who: who(by), leg: name, what, channel: what === "opened" ? "phone" : "", medium: "voice", reason: "" },
});
const placed = (...entries: Desk.Placed["entry"][]): Desk.Placed[] => entries.map((entry, version) => ({ version, entry }));

describe("how long a line of the history says that it took", () => {
  test("the wait ends with the answer, the handling with the write-up", () => {
    expect([waited_s(past({})), handled_s(past({}))]).toEqual([12, 188]);
  });

  test("who left unanswered waited to the end and was not handled", () => {
    const left = past({ answered_at: null, closed_at: NOON + 40, end: "abandoned" });
    expect([waited_s(left), handled_s(left)]).toEqual([40, null]);
  });

  test("of what is not over yet, nothing is said too early", () => {
    const waits = past({ phase: "queued", answered_at: null, closed_at: null, end: null });
    expect([waited_s(waits), handled_s(waits)]).toEqual([null, null]);
    expect(handled_s(past({ closed_at: null }))).toBeNull();
  });
});

describe("how long a timeline says that it took", () => {
  test("a chat ends when the agent finishes it", () => {
    const chat = placed(opened(100), leg(100, "c", "opened", "citizen"), accepted(130, "agent"), finished(200), wrap(230));
    expect(spansOf(chat)).toEqual({ waited: 30, talked: 70, written: 30 });
  });

  test("a call ends when the citizen's end does, not the agent's telephone", () => {
    const call = placed(
      ...[opened(0), leg(0, "c", "opened", "citizen"), accepted(9, "agent"), leg(10, "a", "opened", "agent")],
      ...[leg(70, "c", "closed", "system"), leg(71, "a", "closed", "system"), wrap(90)],
    );
    expect(spansOf(call)).toEqual({ waited: 9, talked: 61, written: 20 });
  });

  test("a call of an agent's own is theirs from its beginning", () => {
    const begun: Desk.Placed["entry"] = { kind: "dial", at: 0, who: who("agent"), what: "begun", reason: null, leg: "", channel: "" };
    const call = placed(opened(0), begun, leg(9, "c", "opened", "citizen"), leg(60, "c", "closed", "system"), wrap(70));
    expect(spansOf(call)).toEqual({ waited: 0, talked: 60, written: 10 });
  });

  test("a robot's part counts as waiting for a person", () => {
    expect(spansOf(placed(opened(0), accepted(1, "bot"), accepted(31, "agent")))).toEqual({ waited: 31, talked: null, written: null });
  });

  test("an empty one says nothing", () => {
    expect(spansOf([])).toEqual({ waited: null, talked: null, written: null });
  });
});

test("days follow as the lines do, each line in its own", () => {
  const days = byDay([past({ opened_at: NOON + 60 }), past({ opened_at: NOON }), past({ opened_at: NOON - DAY_S })]);
  expect(days.map(({ at, contacts }) => [at, contacts.length])).toEqual([
    [NOON + 60, 2],
    [NOON - DAY_S, 1],
  ]);
});

test("a session's name comes back from an address as it went in", () => {
  expect(inAddress(ULID)).toMatch(/^[0-9a-z]+$/);
  expect(fromAddress(inAddress(ULID))).toBe(ULID);
});

test("an end is known by its opening", () => {
  const ends = endsOf(placed(leg(0, "c", "opened", "citizen"), leg(1, "a", "opened", "agent"), leg(2, "c", "closed", "system")));
  expect(Object.fromEntries(ends)).toEqual({ c: { channel: "phone", isOurs: false }, a: { channel: "phone", isOurs: true } });
});
