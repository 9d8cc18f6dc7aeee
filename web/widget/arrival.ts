/**
 * Who comes by a link of ours. What opens it stands behind the `#`, which no server is sent and no log has; the page
 * posts it, with a word of its own choosing: with the same word it may ask again, when an answer was lost.
 */
import type { Refused } from "./refused";

const PATH = "/go";
const OPENED = "yihao.go.opened";
const PURPOSE = "yihao.go.purpose";
/** Where this page keeps who it is, apart from the chat on the front page. */
export const SCOPE = "yihao.go.";
const TRIES = 5;
/** What the gateway says of a link; all else means that it is none of ours. */
const REASONS = ["used", "expired", "over"] as const;

export type Purpose = "switch" | "picture";
export type Arrival = { readonly purpose: Purpose } | { readonly refused: Refused };

/** Whether this page is one that a link opens. */
export const comesByLink = location.pathname === PATH;

/** Be let in, or go on where this browser was let in before. */
export async function arrive(store: Storage, visitorKey: string): Promise<Arrival> {
  const token = location.hash.slice(1);
  if (!token) {
    const purpose = store.getItem(PURPOSE);
    return purpose && store.getItem(visitorKey) ? { purpose: purpose as Purpose } : { refused: "forged" };
  }
  const answer = await ask(token, claimFor(store, token));
  if ("refused" in answer) return answer;
  store.setItem(visitorKey, answer.visitor);
  store.setItem(PURPOSE, answer.purpose);
  history.replaceState(null, "", PATH);
  return { purpose: answer.purpose };
}

/** The word that this browser says with a token: the same one whenever it opens the same link. */
function claimFor(store: Storage, token: string): string {
  const [opened, claim] = (store.getItem(OPENED) ?? "").split(" ");
  if (opened === token && claim) return claim;
  const made = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  store.setItem(OPENED, `${token} ${made}`);
  return made;
}

async function ask(token: string, claim: string): Promise<{ visitor: string; purpose: Purpose } | { refused: Refused }> {
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const response = await post(token, claim);
    if (response?.ok) return (await response.json()) as { visitor: string; purpose: Purpose };
    if (response?.status === 429) return { refused: "rate" };
    if (response && response.status < 500) {
      const { error } = (await response.json().catch(() => ({}))) as { error?: string };
      return { refused: REASONS.find((reason) => reason === error) ?? "forged" };
    }
    await new Promise((resolve) => setTimeout(resolve, attempt * 500));
  }
  return { refused: "failed" };
}

async function post(token: string, claim: string): Promise<Response | null> {
  try {
    return await fetch("/api/go", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Yihao": "1" },
      body: JSON.stringify({ token, claim }),
    });
  } catch {
    return null;
  }
}
