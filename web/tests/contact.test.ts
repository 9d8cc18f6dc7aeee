import { describe, expect, test } from "vitest";
import type { Desk } from "@shared/protocol";
import { type Contact, callState, conferenceOf, endsOf, fileName, grown, isHeldByUs, isMuted, isRecording, lastMessage, linesOf, messageStates, namesIn, partsOf, recalledIn, unreadOf } from "../desk/contact";

type Who = Desk.Who["kind"];

const at = (version: number, entry: Desk.Placed["entry"]): Desk.Placed => ({ version, entry });
const who = (kind: Who): Desk.Who => ({ kind, name: kind === "agent" ? "8001" : "" });
const text = (version: number, from: Who, message: string) =>
  at(version, { kind: "text", at: version, who: who(from), message, text: message, quote: null });
const progress = (version: number, by: Who, message: string, state: "delivered" | "read") =>
  at(version, { kind: "progress", at: version, who: who(by), message, state });
const leg = (version: number, what: Desk.LegEntry["what"]) =>
  at(version, { kind: "leg", at: version, who: who("system"), leg: "l", what, channel: "", medium: null, reason: "" });
const recording = (version: number, name: string, what: "started" | "finished") =>
  at(version, {
    kind: "recording",
    at: version,
    who: who("system"),
    recording: name,
    what,
    duration_s: null,
    whole: true,
    mark: null,
    at_s: null,
  });

test("what is about to ring is known by its channel before it has answered: a page is no telephone", () => {
  const asked: Desk.DialEntry = { kind: "dial", at: 1, who: who("agent"), what: "requested", reason: null, leg: "d", channel: "browser" };
  expect(endsOf([at(1, asked), at(2, { ...asked, what: "started", channel: "" })]).get("d")).toEqual({ channel: "browser", isOurs: false });
});

test("whoever says who they are is called so by their newest word, each name once", () => {
  const named = (version: number, name: string) => at(version, { kind: "name", at: version, who: who("citizen"), leg: "l", name });
  expect(namesIn([named(1, "老王"), text(2, "citizen", "c1"), named(3, "小王"), named(4, "老王")])).toEqual(["老王", "小王"]);
});

test("a file's name cannot show another ending than it has", () => {
  expect(fileName("\u202e\u2066gnp.exe\u2069 王.pdf")).toBe("gnp.exe 王.pdf");
});

test("a message that was taken back says by whom and when, and is no other", () => {
  const back: Desk.RecallEntry = { kind: "recall", at: 9, who: who("agent"), message: "a1" };
  expect(recalledIn([text(1, "agent", "a1"), text(2, "agent", "a2"), at(3, back)])).toEqual(new Map([["a1", back]]));
});

describe("how far a message has come", () => {
  test("what the citizen read, they read up to there, and only the agents' messages", () => {
    const timeline = [
      text(1, "citizen", "c1"),
      text(2, "agent", "a1"),
      text(3, "bot", "b1"),
      text(4, "agent", "a2"),
      progress(5, "citizen", "a2", "delivered"),
      progress(6, "citizen", "b1", "read"),
    ];
    expect(Object.fromEntries(messageStates(timeline))).toEqual({ c1: "sent", a1: "read", b1: "read", a2: "delivered" });
  });

  test("a late delivery does not undo a reading", () => {
    const timeline = [text(1, "agent", "a1"), progress(2, "citizen", "a1", "read"), progress(3, "citizen", "a1", "delivered")];
    expect(messageStates(timeline).get("a1")).toBe("read");
  });

  test("one that failed has come only when that is said of itself", () => {
    const failure = (version: number, message: string) =>
      at(version, { kind: "failure", at: version, who: who("system"), message, channel: "sms", reason: "undelivered", code: "" });
    const timeline = [text(1, "agent", "a1"), text(2, "agent", "a2"), failure(3, "a1"), progress(4, "citizen", "a2", "delivered")];
    expect(Object.fromEntries(messageStates(timeline))).toEqual({ a1: "undelivered", a2: "delivered" });
    expect(messageStates([...timeline, progress(5, "citizen", "a1", "delivered")]).get("a1")).toBe("delivered");
    expect(messageStates([...timeline, failure(5, "a2")]).get("a2")).toBe("delivered");
  });

  test("the carrier has it before the telephone does, and may fail yet", () => {
    const accepted = (version: number, message: string, parts: number) =>
      at(version, { kind: "accepted", at: version, who: who("system"), message, channel: "sms", parts });
    const failure = at(4, { kind: "failure", at: 4, who: who("system"), message: "a1", channel: "sms", reason: "undelivered", code: "30003" });
    const timeline = [text(1, "agent", "a1"), text(2, "agent", "a2"), accepted(3, "a1", 3)];
    expect(Object.fromEntries(messageStates(timeline))).toEqual({ a1: "accepted", a2: "sent" });
    expect(Object.fromEntries(partsOf(timeline))).toEqual({ a1: 3 });
    expect(messageStates([...timeline, failure]).get("a1")).toBe("undelivered");
    expect(messageStates([...timeline, progress(4, "citizen", "a1", "delivered"), accepted(5, "a1", 3)]).get("a1")).toBe("delivered");
  });

  test("however readings and deliveries mingle, each speaks for all before it", () => {
    const STATES = ["sent", "delivered", "read"];
    const from = (place: number): Who => (place % 3 ? "citizen" : "agent");
    const timeline = Array.from({ length: 60 }, (_, place) => text(place, from(place), String(place)));
    const told = Array.from({ length: 40 }, (_, place) => ({ by: from(place + 1), upTo: (place * 37) % 60, state: STATES[1 + (place % 2)] as "read" }));
    timeline.push(...told.map(({ by, upTo, state }, place) => progress(60 + place, by, String(upTo), state)));
    for (const [message, state] of messageStates(timeline)) {
      const ofIt = told.filter(({ by, upTo }) => by !== from(Number(message)) && upTo >= Number(message));
      expect(STATES.indexOf(state)).toBe(Math.max(0, ...ofIt.map((one) => STATES.indexOf(one.state))));
    }
  });

  test("a progress for a message that is not here says nothing", () => {
    const timeline = [text(1, "agent", "a1"), progress(2, "citizen", "elsewhere", "read")];
    expect(messageStates(timeline).get("a1")).toBe("sent");
  });
});

describe("what no agent has read", () => {
  test("is what came after the last reading", () => {
    const timeline = [
      text(1, "citizen", "c1"),
      text(2, "citizen", "c2"),
      progress(3, "agent", "c1", "read"),
      text(4, "agent", "a1"),
      text(5, "citizen", "c3"),
    ];
    expect(unreadOf(timeline)).toEqual(["c2", "c3"]);
  });

  test("is not shortened by a delivery, nor by the citizen's own reading", () => {
    const timeline = [
      text(1, "citizen", "c1"),
      progress(2, "agent", "c1", "delivered"),
      text(3, "agent", "a1"),
      progress(4, "citizen", "a1", "read"),
    ];
    expect(unreadOf(timeline)).toEqual(["c1"]);
  });

  test("an old reading that comes again takes nothing away", () => {
    const timeline = [
      text(1, "citizen", "c1"),
      progress(2, "agent", "c1", "read"),
      text(3, "citizen", "c2"),
      progress(4, "agent", "c1", "read"),
    ];
    expect(unreadOf(timeline)).toEqual(["c2"]);
  });
});

test("entries find their places whatever order they come in, and none stands twice", () => {
  const timeline = [text(2, "agent", "two"), text(5, "agent", "five")];
  const whole = grown(timeline, [text(7, "agent", "seven"), text(3, "agent", "three"), text(5, "agent", "five"), text(1, "bot", "one")]);
  expect(whole.map(({ version }) => version)).toEqual([1, 2, 3, 5, 7]);
  expect(timeline).toHaveLength(2);
});

test("what only tells of other entries has no line", () => {
  const timeline = [text(1, "citizen", "c1"), progress(2, "agent", "c1", "read"), leg(3, "away")];
  expect(linesOf(timeline).map(({ version }) => version)).toEqual([1, 3]);
});

test("the last message is told with whose it is", () => {
  expect(lastMessage([])).toBeNull();
  expect(lastMessage([text(1, "agent", "a"), text(2, "citizen", "c"), leg(3, "away")])).toEqual({ text: "c", at: 2, mine: false });
});

describe("a call", () => {
  const call = (timeline: Desk.Placed[], state: Desk.LegView["state"] = "live"): Contact => ({
    session: "s",
    phase: "active",
    medium: "voice",
    channel: "phone",
    queue: "general",
    citizen: "tel 138****8000",
    legs: [{ id: "l", channel: "phone", medium: "voice", party: "citizen", state }],
    assignee: "8001",
    opened_at: 0,
    wrap_until: null,
    owed: null,
    timeline,
  });

  test("is joined, held, taken up again and over", () => {
    const timeline = [leg(1, "opened")];
    expect(callState(call(timeline))).toBe("joining");
    timeline.push(leg(2, "joined"));
    expect(callState(call(timeline))).toBe("live");
    timeline.push(leg(3, "held"));
    expect(callState(call(timeline))).toBe("held");
    timeline.push(leg(4, "unheld"));
    expect(callState(call(timeline))).toBe("live");
    expect(callState(call(timeline, "ended"))).toBe("ended");
  });

  test("is held by us only where our end says so, and muted until it is joined anew", () => {
    const of = (kind: Who, version: number, what: Desk.LegEntry["what"]): Desk.Placed => {
      const placed = leg(version, what);
      return { ...placed, entry: { ...placed.entry, who: who(kind), leg: kind } as Desk.LegEntry };
    };
    const ours = (version: number, what: Desk.LegEntry["what"]) => of("agent", version, what);
    const timeline = [of("citizen", 1, "opened"), ours(2, "opened"), ours(3, "joined"), of("citizen", 4, "held")];
    expect(isHeldByUs(timeline)).toBe(false);
    timeline.push(ours(5, "held"), ours(6, "muted"));
    expect(isHeldByUs(timeline)).toBe(true);
    expect(isMuted(timeline)).toBe(true);
    timeline.push(ours(7, "unheld"), ours(8, "joined"));
    expect(isHeldByUs(timeline)).toBe(false);
    expect(isMuted(timeline)).toBe(false);
  });

  test("is recorded while a recording has no end", () => {
    const timeline = [recording(1, "r1", "started"), recording(2, "r1", "finished"), recording(3, "r2", "started")];
    expect(isRecording(timeline)).toBe(true);
    expect(isRecording([...timeline, recording(4, "r2", "finished")])).toBe(false);
  });
});

test("who talks with whom, from the first ring for a third to the end", () => {
  const event = (version: number, what: Desk.EventEntry["what"], detail = "") => at(version, { kind: "event", at: version, who: who("agent"), what, detail });
  const course = [
    event(1, "third_requested", "110"),
    event(2, "confer_changed", "consult"),
    event(3, "confer_changed", "together"),
    event(4, "third_ended", "left"),
    event(5, "third_requested", "8002"),
    event(6, "passed_on", "8002"),
  ];
  expect(course.map((_, index) => conferenceOf(course.slice(0, index + 1)))).toEqual(["calling", "consult", "together", null, "calling", null]);
});
