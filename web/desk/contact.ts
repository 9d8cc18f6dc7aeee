import type { Desk } from "@shared/protocol";

/** A message on its way to the gateway, drawn below the timeline until it is part of it. */
export interface Sending {
  readonly id: string;
  readonly text: string | null;
  readonly file: Desk.File | null;
  readonly failed: boolean;
}

export type Entry = Desk.Placed["entry"];

/** A contact as the desk keeps it; the rest of what is shown is read from its timeline, which is another once it has grown. */
export type Contact = Desk.Contact;

/** An agent has the contact from then on: they took an offer, or began it themselves. */
export function isTaken(entry: Entry): boolean {
  return (entry.kind === "offer" && entry.what === "accepted" && entry.who.kind === "agent") || (entry.kind === "dial" && entry.what === "begun");
}

const STATES = ["sent", "accepted", "delivered", "read"] as const;
export type MessageState = (typeof STATES)[number] | "undelivered";

/**
 * How far each message has come: to its carrier, and at the other side. A progress entry speaks for all earlier ones of its sender too; but
 * one that failed has come only when that is said of itself, by this way or by another.
 */
export function messageStates(timeline: readonly Desk.Placed[]): Map<string, MessageState> {
  const states = new Map<string, MessageState>();
  const order: { id: string; fromCitizen: boolean }[] = [];
  const places = new Map<string, number>();
  /** Before which place the others' messages are known to have come so far: they are not gone through again. */
  const passed = new Map<string, number>();
  for (const { entry } of timeline) {
    if (isMessage(entry) || entry.kind === "notice") {
      if (!states.has(entry.message)) states.set(entry.message, "sent");
      if (!places.has(entry.message)) places.set(entry.message, order.length);
      order.push({ id: entry.message, fromCitizen: entry.who.kind === "citizen" });
    } else if (entry.kind === "accepted") {
      if (states.get(entry.message) === "sent") states.set(entry.message, "accepted");
    } else if (entry.kind === "failure") {
      if (["sent", "accepted"].includes(states.get(entry.message) ?? "")) states.set(entry.message, "undelivered");
    } else if (entry.kind === "progress") {
      const byCitizen = entry.who.kind === "citizen";
      const place = places.get(entry.message);
      if (place === undefined) continue;
      const asFar = `${byCitizen} ${entry.state}`;
      const from = passed.get(asFar) ?? 0;
      passed.set(asFar, Math.max(from, place + 1));
      for (const { id, fromCitizen } of order.slice(Math.min(from, place), place + 1)) {
        const state = states.get(id) ?? "sent";
        if (fromCitizen === byCitizen || (state === "undelivered" && id !== entry.message)) continue;
        if (state === "undelivered" || STATES.indexOf(entry.state) > STATES.indexOf(state)) states.set(id, entry.state);
      }
    }
  }
  return states;
}

/** As how many its carrier counts each message that it has (条数): segments of a text, messages of a budget. */
export function partsOf(timeline: readonly Desk.Placed[]): Map<string, number> {
  return new Map(timeline.flatMap(({ entry }) => (entry.kind === "accepted" ? [[entry.message, entry.parts]] : [])));
}

/** Which messages were taken back, by whom and when (撤回). */
export function recalledIn(timeline: readonly Desk.Placed[]): Map<string, Desk.RecallEntry> {
  return new Map(timeline.flatMap(({ entry }) => (entry.kind === "recall" ? [[entry.message, entry]] : [])));
}

/** What happened in each recording, by the recording's name, in order. */
export function marksIn(timeline: readonly Desk.Placed[]): Map<string, Desk.RecordingEntry[]> {
  const marks = new Map<string, Desk.RecordingEntry[]>();
  for (const { entry } of timeline) {
    if (entry.kind !== "recording" || entry.what !== "marked") continue;
    marks.set(entry.recording, [...(marks.get(entry.recording) ?? []), entry]);
  }
  return marks;
}

type MessageEntry = Extract<Entry, { kind: "text" | "file" | "location" }>;

function isMessage(entry: Entry): entry is MessageEntry {
  return entry.kind === "text" || entry.kind === "file" || entry.kind === "location";
}

const SILENT: readonly Entry["kind"][] = ["progress", "accepted", "recall"];

/** The entries that have a line of their own; the others say something of those. */
export function linesOf<Placed extends Desk.Placed>(timeline: readonly Placed[]): Placed[] {
  return timeline.filter(({ entry }) => !SILENT.includes(entry.kind));
}

/** Of each timeline that several parts ask about: it never changes, one that has grown is another. */
const unreadIn = new WeakMap<readonly Desk.Placed[], readonly string[]>();

/** The citizen's messages that no agent has read. */
export function unreadOf(timeline: readonly Desk.Placed[]): readonly string[] {
  const known = unreadIn.get(timeline);
  if (known) return known;
  const theirs = new Map<string, number>();
  let read = 0;
  for (const { entry } of timeline) {
    if (isMessage(entry) && entry.who.kind === "citizen" && !theirs.has(entry.message)) theirs.set(entry.message, theirs.size + 1);
    if (entry.kind === "progress" && entry.state === "read" && entry.who.kind !== "citizen") {
      read = Math.max(read, theirs.get(entry.message) ?? 0);
    }
  }
  const unread = [...theirs.keys()].slice(read);
  unreadIn.set(timeline, unread);
  return unread;
}

/** The newest message, and when it came. */
export function lastMessage(timeline: readonly Desk.Placed[]): { text: string; at: number; mine: boolean } | null {
  for (let index = timeline.length - 1; index >= 0; index--) {
    const entry = timeline[index]?.entry;
    if (entry?.kind === "text") return { text: entry.text, at: entry.at, mine: entry.who.kind !== "citizen" };
    if (entry?.kind === "file") return { text: `[${entry.file.name}]`, at: entry.at, mine: entry.who.kind !== "citizen" };
  }
  return null;
}

/** The timeline with these entries at their places; one that is there already changes nothing. */
export function grown(timeline: readonly Desk.Placed[], entries: readonly Desk.Placed[]): Desk.Placed[] {
  const whole = [...timeline];
  for (const placed of entries) {
    let place = whole.length;
    while (place > 0 && (whole[place - 1]?.version ?? 0) > placed.version) place--;
    if (whole[place - 1]?.version !== placed.version) whole.splice(place, 0, placed);
  }
  return whole;
}

/** A leg as its opening told: the lines after it only name it. */
export interface End {
  readonly channel: string;
  /** The agent's own telephone is a leg of the call too. */
  readonly isOurs: boolean;
}

/** The legs that a timeline tells of, by their names. */
export function endsOf(timeline: readonly Desk.Placed[]): Map<string, End> {
  const ends = new Map<string, End>();
  for (const { entry } of timeline) {
    if (entry.kind === "dial" && entry.channel) ends.set(entry.leg, { channel: entry.channel, isOurs: false });
    if (entry.kind !== "leg" || entry.what !== "opened") continue;
    ends.set(entry.leg, { channel: entry.channel, isOurs: entry.who.kind !== "citizen" });
  }
  return ends;
}

/** By which names the citizen calls themselves (自称), the newest first, each once. None of them is proven. */
export function namesIn(timeline: readonly Desk.Placed[]): string[] {
  const names = timeline.flatMap(({ entry }) => (entry.kind === "name" ? [entry.name] : []));
  return [...new Set(names.reverse())];
}

/** What turns the text around it: a file's name could show another ending than it has (U+202E). */
const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A file's name as it may be shown: nothing in it moves anything. */
export function fileName(name: string): string {
  return name.replace(TURNING, "");
}

/** Whether the citizen is there by something that shows text. */
export function readsToo(contact: Contact): boolean {
  return contact.legs.some((leg) => leg.party === "citizen" && leg.medium !== "voice" && leg.state !== "ended");
}

/** `dropped`: it broke off, and the citizen may dial again. `waiting`, `ringing`: we call them, the agent's telephone first. */
export type CallState = "waiting" | "ringing" | "joining" | "live" | "held" | "dropped" | "ended";

/** Where the call of a voice contact stands. */
export function callState(contact: Contact): CallState {
  let state: CallState = "joining";
  for (const { entry } of contact.timeline) {
    if (entry.kind !== "leg") continue;
    if (entry.what === "opened" && entry.medium === "voice" && entry.who.kind === "citizen") state = "joining";
    if (entry.what === "joined" || entry.what === "unheld") state = "live";
    if (entry.what === "held") state = "held";
  }
  const calls = contact.legs.filter((leg) => leg.medium === "voice" && leg.party === "citizen");
  if (calls.some((leg) => leg.state === "away")) return "dropped";
  if (calls.some((leg) => leg.state === "planned")) return "waiting";
  if (calls.some((leg) => leg.state === "calling")) return "ringing";
  const isUp = contact.legs.some((leg) => leg.medium === "voice" && leg.party === "citizen" && leg.state !== "ended");
  return isUp ? state : "ended";
}

/** The agent has put the call on hold, from the desk or at their telephone. */
export function isHeldByUs(timeline: readonly Desk.Placed[]): boolean {
  const ends = endsOf(timeline);
  let held = false;
  for (const { entry } of timeline) {
    if (entry.kind !== "leg" || !ends.get(entry.leg)?.isOurs) continue;
    if (entry.what === "held") held = true;
    if (entry.what === "unheld" || entry.what === "joined") held = false;
  }
  return held;
}

/** Who talks with whom while a third is called to the call ("calling") or there; null where none is. */
export function conferenceOf(timeline: readonly Desk.Placed[]): "calling" | "consult" | "citizen" | "together" | null {
  let now: ReturnType<typeof conferenceOf> = null;
  for (const { entry } of timeline) {
    if (entry.kind !== "event") continue;
    if (entry.what === "third_requested") now = "calling";
    if (entry.what === "confer_changed") now = entry.detail as typeof now;
    if (entry.what === "third_ended" || entry.what === "passed_on" || entry.what === "call_parked") now = null;
  }
  return now;
}

/** The agent is on the call, and only hears. */
export function isMuted(timeline: readonly Desk.Placed[]): boolean {
  let muted = false;
  for (const { entry } of timeline) {
    if (entry.kind !== "leg") continue;
    if (entry.what === "muted") muted = true;
    if (entry.what === "unmuted" || entry.what === "joined") muted = false;
  }
  return muted;
}

/** A recording runs: one has begun that has no end yet. */
export function isRecording(timeline: readonly Desk.Placed[]): boolean {
  const running = new Set<string>();
  for (const { entry } of timeline) {
    if (entry.kind !== "recording") continue;
    if (entry.what === "started") running.add(entry.recording);
    else if (entry.what === "finished") running.delete(entry.recording);
  }
  return running.size > 0;
}
