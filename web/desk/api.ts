/** The desk's plain HTTP questions. Each POST bears a header that no other site's form can set (CSRF). */
import type { Desk } from "@shared/protocol";
import type { Page, Past } from "./history";
import type { Board } from "./wallboard";

/** What not everybody may who is logged in: `rulebook/roles.py`. */
export const PERMISSIONS = [
  "see_all", "supervise", "wallboard", "force", "broadcast", "traces", "captures", "rules", "accounts", "audit",
] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** A role besides the built-in ones. */
export interface Role {
  readonly name: string;
  readonly title: string;
  readonly english: string;
  readonly permissions: readonly Permission[];
}

export interface Agent {
  readonly login: string;
  readonly name: string;
  readonly extension: string;
  readonly role: string;
  readonly permissions: readonly Permission[];
}

export interface Uploaded {
  readonly file: string;
  readonly name: string;
  readonly content_type: string;
  readonly size: number;
}

/** An answer that is not 2xx. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly retryAfter_s: number | null,
    /** Why, by a name of the dictionary. */
    readonly code = "",
    /** What else was said. */
    readonly more: Readonly<Record<string, unknown>> = {},
  ) {
    super(`refused with ${status}`);
  }
}

export async function ask(path: string, init: RequestInit = {}): Promise<unknown> {
  const headers = init.method ? { "X-Yihao": "1", ...init.headers } : { ...init.headers };
  const response = await fetch(path, { ...init, headers, credentials: "same-origin" });
  const isJson = response.headers.get("Content-Type")?.includes("json") ?? false;
  const body: unknown = isJson ? await response.json() : null;
  if (response.ok) return body;
  const why = body as { retry_after_s?: number; error?: string } | null;
  throw new Refused(response.status, why?.retry_after_s ?? null, why?.error ?? "", { ...why });
}

export const post = (path: string, given: object): Promise<unknown> =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(given) });

export async function login(login: string, password: string): Promise<Agent> {
  return ((await post("/api/login", { login, password })) as { agent: Agent }).agent;
}

/** What administrators have set that every desk shows. */
export interface DeskRules {
  readonly revision: number;
  readonly queues: readonly Named[];
  readonly roles: readonly Role[];
  readonly skills: readonly Named[];
  readonly replies: readonly CannedReply[];
  readonly words: readonly SensitiveWord[];
  readonly wrap: WrapRules;
}

/** What must stand in a write-up, and how much more time there is for it. */
export interface WrapRules {
  readonly needed: readonly { readonly fields: readonly WrapField[]; readonly queue: string | null; readonly kind: string | null }[];
  readonly extend_s: number;
  readonly extensions: number;
}
export type WrapField = "kind" | "note";

/** A queue or a skill: how the rules name it, and how people do. */
export interface Named {
  readonly name: string;
  readonly title: string;
  readonly english: string;
}

export interface CannedReply {
  readonly word: string;
  readonly title: string;
  readonly text: string;
  readonly english: string;
  readonly queues: readonly string[];
  readonly group: string;
}

export interface SensitiveWord {
  readonly word: string;
  readonly act: "mask" | "mark";
  readonly of: "all" | "agent" | "citizen";
  readonly why: string;
}

export async function deskRules(): Promise<DeskRules> {
  return (await ask("/api/desk/rules")) as DeskRules;
}

/** A call that runs now, as a supervisor sees it. */
export interface LiveCall {
  readonly session: string;
  readonly agent: string;
  readonly queue: string;
  readonly citizen: string;
  readonly since: number;
  readonly supervisor: string;
  readonly what: Desk.CallSupervise["what"] | "";
}

/** A call of a session that its node has kept as a ladder. */
export interface KeptCall {
  readonly call: string;
  /** Its packets were kept besides. */
  readonly captured: boolean;
}

/** The calls of a session that this node has had; for supervisors. */
export async function keptCalls(session: string): Promise<readonly KeptCall[]> {
  return ((await ask(`/api/calls?session=${encodeURIComponent(session)}`)) as { calls: KeptCall[] }).calls;
}

/** What happened in a call, drawn as people read it. */
export async function ladderOf(call: string): Promise<string> {
  const response = await fetch(`/api/calls/${encodeURIComponent(call)}/ladder.txt`, { credentials: "same-origin" });
  if (!response.ok) throw new Refused(response.status, null);
  return await response.text();
}

/** Every call that runs now; for supervisors. */
export async function liveCalls(): Promise<readonly LiveCall[]> {
  return ((await ask("/api/supervision")) as { calls: LiveCall[] }).calls;
}

/** What the telephone in this page registers with, for a while. */
export interface Lent {
  readonly extension: string;
  readonly username: string;
  readonly password: string;
  readonly realm: string;
  /** What it calls to hear itself. */
  readonly echo: string;
  readonly lasts_s: number;
}

export async function telephoneLogin(): Promise<Lent> {
  return (await post("/api/desk/telephone", {})) as Lent;
}

/** Somebody who works here. */
export interface Colleague {
  readonly login: string;
  readonly name: string;
}

export async function colleagues(): Promise<readonly Colleague[]> {
  return ((await ask("/api/desk/colleagues")) as { colleagues: Colleague[] }).colleagues;
}

/** A colleague's note that names this agent. */
export type Mention = Omit<Desk.Mentioned, "t" | "seq">;

export async function unseenMentions(): Promise<readonly Mention[]> {
  return ((await ask("/api/desk/mentions")) as { mentions: Mention[] }).mentions;
}

export async function lookedAt(session: string): Promise<void> {
  await post("/api/desk/mentions", { session });
}

export async function logout(): Promise<void> {
  await ask("/api/logout", { method: "POST" });
}

/** Who is logged in by the cookie; null for nobody. */
export async function me(): Promise<Agent | null> {
  try {
    const answer = (await ask("/api/me")) as { agent: Agent } | Agent;
    return "agent" in answer ? answer.agent : answer;
  } catch (refusal) {
    if (refusal instanceof Refused && refusal.status === 401) return null;
    throw refusal;
  }
}

/** A single-use ticket for the socket; null where the login is over. */
export async function ticket(): Promise<string | null> {
  try {
    return ((await ask("/api/desk/ticket", { method: "POST" })) as { ticket: string }).ticket;
  } catch (refusal) {
    if (refusal instanceof Refused && (refusal.status === 401 || refusal.status === 403)) return null;
    throw refusal;
  }
}

/** A colleague, or a line, that a contact may be handed on to. */
export interface Destinations {
  readonly agents: readonly {
    readonly login: string;
    readonly name: string;
    readonly routing: Desk.PresenceSelf["routing"];
    readonly queues: readonly string[];
    /** Somebody is there who could be asked. */
    readonly may: boolean;
  }[];
  readonly queues: readonly Desk.Line[];
  /** Authorities who can be called to a call by one click. */
  readonly places: readonly { readonly name: string; readonly number: string; readonly emergency: boolean }[];
}

/** What an option of `DestinationOptions` stands for. */
export function chosenDestination(option: string): { to: string } | { queue: string } {
  const [kind, name = ""] = option.split("/", 2);
  return kind === "agent" ? { to: name } : { queue: name };
}

export async function destinations(): Promise<Destinations> {
  return (await ask("/api/desk/destinations")) as Destinations;
}

/** A proof that two addresses are one citizen's; `confidence` goes from 0 to 1. Times are seconds since 1970. */
export interface Proof {
  readonly link: string;
  readonly with: string;
  readonly proof: "sms_code" | "qr_scan" | "signed_web" | "switch_link" | "agent_word";
  readonly confidence: number;
  readonly at: number;
  readonly by: string | null;
}

/** A session's citizen as they are known: what is proven, and what is only claimed. Addresses are masked. */
export interface Person {
  readonly person: string | null;
  readonly addresses: readonly {
    readonly address: string;
    readonly here: boolean;
    readonly vouched: boolean;
    readonly links: readonly Proof[];
  }[];
  readonly claims: readonly { readonly address: string; readonly by: string; readonly at: number }[];
  readonly sessions: readonly Past[];
  /** Running sessions of theirs besides; `joined` where one goes on in this one. */
  readonly also_open: readonly { readonly session: string; readonly joined: boolean; readonly opened_at: number }[];
}

const personAddress = (session: string) => `/api/sessions/${encodeURIComponent(session)}/person`;

export async function personOf(session: string): Promise<Person> {
  return (await ask(personAddress(session))) as Person;
}

/** All sessions of the session's citizen, as one timeline. */
export async function personTimelineOf(session: string): Promise<Desk.ContactTimeline[]> {
  return ((await ask(`${personAddress(session)}/timeline`)) as { entries: Desk.ContactTimeline[] }).entries;
}

export type PersonAct = "verify" | "prove" | "link" | "unlink" | "reveal" | "join" | "split";

export async function actOnPerson(
  session: string,
  act: PersonAct,
  given: Record<string, string>,
): Promise<{ addresses?: string[] }> {
  return (await post(`${personAddress(session)}/${act}`, given)) as { addresses?: string[] };
}

export async function upload(file: File): Promise<Uploaded> {
  const answer = await ask("/api/desk/files", {
    method: "POST",
    headers: { "Content-Type": file.type || "application/octet-stream", "X-Filename": encodeURIComponent(file.name) },
    body: file,
  });
  return answer as Uploaded;
}

/** Past contacts before that session, the newest first: an agent's own, a supervisor's everybody's. */
export async function pastContacts(before?: string): Promise<Page> {
  const query = before ? `?before=${encodeURIComponent(before)}` : "";
  return (await ask(`/api/sessions${query}`)) as Page;
}

/** All that happened in a session, live or long past. */
export async function timelineOf(session: string): Promise<Desk.Placed[]> {
  const answer = await ask(`/api/sessions/${encodeURIComponent(session)}/timeline`);
  return (answer as { entries: Desk.Placed[] }).entries;
}

/** For supervisors: the house as it stands, and the figures of its day. */
export async function wallboard(): Promise<Board> {
  return (await ask("/api/wallboard")) as Board;
}

/** For supervisors: put an agent into another state, and say why. */
export async function forcePresence(login: string, presence: Desk.Presence["presence"], reason: string): Promise<void> {
  await post(`/api/agents/${encodeURIComponent(login)}/presence`, { presence, reason });
}

/** For supervisors: a sentence to every desk. */
export async function tellAll(text: string): Promise<void> {
  await post("/api/notices", { text });
}

/** The waveform of a recording: an octet a channel and 100 ms, citizen and agent by turns. */
export async function peaksOf(recording: string): Promise<Uint8Array> {
  const response = await fetch(`${recordingAddress(recording)}/peaks`, { credentials: "same-origin" });
  if (!response.ok) throw new Refused(response.status, null);
  return new Uint8Array(await response.arrayBuffer());
}

export const fileAddress = (id: string): string => `/api/desk/files/${encodeURIComponent(id)}`;
/** A sound that some browser plays badly, or none does, is asked for as one that every browser plays. */
export const soundAddress = (file: { id: string; content_type: string }): string =>
  /^audio\/(amr|amr-wb|3gpp|webm|ogg)$/.test(file.content_type) ? `${fileAddress(file.id)}/sound` : fileAddress(file.id);
export const recordingAddress = (id: string): string => `/api/recordings/${encodeURIComponent(id)}`;
