/** What an agent has begun to write, by session and kind. Kept over a reload, forgotten with the window. */
const PREFIX = "yihao.draft.";

export function draftOf(session: string, kind: string): string {
  return sessionStorage.getItem(PREFIX + kind + session) ?? "";
}

export function keepDraft(session: string, kind: string, text: string): void {
  if (text) sessionStorage.setItem(PREFIX + kind + session, text);
  else sessionStorage.removeItem(PREFIX + kind + session);
}

export function dropDrafts(session: string): void {
  for (const key of Object.keys(sessionStorage)) {
    if (key.startsWith(PREFIX) && key.endsWith(session)) sessionStorage.removeItem(key);
  }
}
