/** Sounds in place of the product's, and notices for a time, as the document `prompts` has them. */
export interface Spoken {
  sound: string;
  file: string;
  seconds: number;
}

export interface Own extends Spoken {
  name: string;
}

export interface Notice extends Spoken {
  name: string;
  starts: string;
  ends: string;
  piece: string;
  how: "before" | "instead";
}

export interface Prompts {
  pieces: Own[];
  notices: Notice[];
}

const DAY_MS = 24 * 3600 * 1000;
/** China keeps one time, whatever the browser's. */
const CITY_MS = 8 * 3600 * 1000;
export const MUSIC = "music";
export const LONGEST_S = 60;

/** A moment as the document writes it: in the city's time, to the minute. */
export const cityClock = (at_ms: number): string => `${new Date(at_ms + CITY_MS).toISOString().slice(0, 16)}:00`;

/** Whether it is still to come, is heard, or is over. */
export function stateOf(notice: Pick<Notice, "starts" | "ends">, now_ms: number): "to_come" | "heard" | "over" {
  const now = new Date(now_ms + CITY_MS).toISOString().slice(0, 19);
  return now < notice.starts ? "to_come" : now < notice.ends ? "heard" : "over";
}

/** One of its own name, for a day from now on, before the welcome. */
export function noticeOf(spoken: Spoken, others: readonly Notice[], now_ms: number): Notice {
  const plain = spoken.file.replace(/\.\w+$/, "").slice(0, 56) || spoken.file.slice(0, 56);
  let name = plain;
  for (let again = 2; others.some((other) => other.name === name); again++) name = `${plain} ${again}`;
  return { ...spoken, name, starts: cityClock(now_ms), ends: cityClock(now_ms + DAY_MS), piece: "welcome", how: "before" };
}
