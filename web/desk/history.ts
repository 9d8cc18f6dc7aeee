import type { Desk } from "@shared/protocol";
import { ref, shallowRef } from "vue";
import { pastContacts, Refused } from "./api";
import { isTaken } from "./contact";

/** A line of the history. Times are seconds since 1970; `kind` is one of the five, as the contact was written up. */
export interface Past {
  readonly session: string;
  readonly phase: Desk.Contact["phase"];
  readonly medium: Desk.Contact["medium"];
  readonly queue: string;
  readonly citizen: string;
  readonly assignee: string | null;
  readonly opened_at: number;
  /** When a person first had it. */
  readonly answered_at: number | null;
  readonly closed_at: number | null;
  readonly end: "completed" | "abandoned" | "resolved_by_bot" | "unreached" | "expired" | "joined" | "unserved" | null;
  readonly kind: string | null;
  readonly rating: number | null;
}

export interface Page {
  readonly sessions: readonly Past[];
  readonly more: boolean;
}

/** How asking went. `over`: the login is; `missing`: there is no such session, or none that this agent may see. */
export type Asking = "busy" | "done" | "failed" | "over" | "missing";

export function failureOf(refusal: unknown): Asking {
  const status = refusal instanceof Refused ? refusal.status : 0;
  if (status === 404) return "missing";
  return status === 401 || status === 403 ? "over" : "failed";
}

/** Sessions are ULIDs, which have no case: addresses have the lower one, the gateway's names the upper one. */
export const inAddress = (session: string): string => session.toLowerCase();
export const fromAddress = (name: string): string => name.toUpperCase();

/** How long the citizen waited for a person; null while they still wait. */
export function waited_s(past: Past): number | null {
  const until = past.answered_at ?? past.closed_at;
  return until === null ? null : until - past.opened_at;
}

/** From the answer to the last word of the write-up; null where nobody answered, or it is not done yet. */
export function handled_s(past: Past): number | null {
  return past.answered_at === null || past.closed_at === null ? null : past.closed_at - past.answered_at;
}

/** The lines of one day, the newest day first, as the lines came. `at` is any time of that day. */
export function byDay(contacts: readonly Past[]): { day: string; at: number; contacts: Past[] }[] {
  const days: { day: string; at: number; contacts: Past[] }[] = [];
  for (const past of contacts) {
    const day = new Date(past.opened_at * 1000).toDateString();
    const last = days[days.length - 1];
    if (last?.day === day) last.contacts.push(past);
    else days.push({ day, at: past.opened_at, contacts: [past] });
  }
  return days;
}

export interface Spans {
  readonly waited: number | null;
  readonly talked: number | null;
  readonly written: number | null;
}

/** How long a session waited, talked and was written up, each in seconds, as far as its timeline says. */
export function spansOf(timeline: readonly Desk.Placed[]): Spans {
  const entries = timeline.map(({ entry }) => entry);
  const opened = entries[0]?.at ?? null;
  const place = entries.findIndex(isTaken);
  const answered = entries[place]?.at ?? null;
  const after = place < 0 ? [] : entries.slice(place);
  const callers = new Set(
    entries.flatMap((one) => (one.kind === "leg" && one.what === "opened" && one.who.kind === "citizen" ? [one.leg] : [])),
  );
  const ended =
    after.find((one) => one.kind === "event" && one.what === "finished") ??
    after.filter((one) => one.kind === "leg" && one.what === "closed" && callers.has(one.leg)).pop();
  const written = after.filter(({ kind }) => kind === "wrap").pop();
  const between = (from: number | null, to: number | undefined | null) => (from === null || to == null ? null : to - from);
  return {
    waited: between(opened, answered),
    talked: between(answered, ended?.at),
    written: between(ended?.at ?? null, written?.at),
  };
}

/** Past contacts, page by page. It lives with the view: the next to log in here starts with none. */
export function usePast() {
  const contacts = shallowRef<readonly Past[]>([]);
  const more = ref(false);
  const asking = ref<Asking>("busy");
  let turn = 0;
  let asked: string | undefined;

  async function ask(before: string | undefined): Promise<void> {
    const mine = ++turn;
    asked = before;
    asking.value = "busy";
    try {
      const page = await pastContacts(before);
      if (mine !== turn) return;
      contacts.value = before ? [...contacts.value, ...page.sessions] : page.sessions;
      more.value = page.more;
      asking.value = "done";
    } catch (refusal) {
      if (mine === turn) asking.value = failureOf(refusal);
    }
  }

  /** Begin anew with the newest page; what is shown stays until it is there. */
  const renew = () => ask(undefined);
  const older = () => ask(contacts.value[contacts.value.length - 1]?.session);
  /** Put the question that failed once more. */
  const retry = () => ask(asked);
  return { contacts, more, asking, renew, older, retry };
}
