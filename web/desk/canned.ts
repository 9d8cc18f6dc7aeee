import type { CannedReply } from "./api";

export interface Circumstances {
  readonly name: string;
  readonly number: string;
  readonly citizen: string;
  readonly queue: string;
}

/** What stands after a `/` that begins the text or a word of it, up to the caret; null where no reply is asked for. */
export function askedFor(text: string, caret: number): string | null {
  return /(?:^|\s)\/([^\s/]*)$/.exec(text.slice(0, caret))?.[1] ?? null;
}

/** Replies for a contact, those whose word begins so first, then those whose title or text has it. */
export function fitting(replies: readonly CannedReply[], asked: string, queue: string): readonly CannedReply[] {
  const sought = asked.toLowerCase();
  const theirs = replies.filter(({ queues }) => queues.length === 0 || queues.includes(queue));
  const begins = theirs.filter(({ word }) => word.toLowerCase().startsWith(sought));
  const has = theirs.filter((one) => !begins.includes(one) && `${one.title}${one.text}`.toLowerCase().includes(sought));
  return [...begins, ...has].slice(0, 8);
}

/** A reply with what differs filled in. A variable that is unknown here stays: whoever reads before sending sees it. */
export function filled(text: string, about: Circumstances, now: Date): string {
  const values: Record<string, string> = {
    ...about,
    date: now.toLocaleDateString("zh-CN", { timeZone: "Asia/Shanghai", month: "long", day: "numeric" }),
    time: now.toLocaleTimeString("zh-CN", { timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit", hour12: false }),
  };
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}
