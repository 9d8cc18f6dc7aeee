/** An offer's explanation as an agent reads it: why it is they who are asked, and why others are not. */
export interface Because {
  readonly word: "first" | "only" | "yours" | "declined" | "unskilled" | "busy";
  readonly count: number;
}

/** `why` is the queue's: the winner, the best with their scores, how many are excluded for what (`queueing/policy.py`). */
export function becauseOf(why: Readonly<Record<string, unknown>>): Because[] {
  const best = Array.isArray(why["best"]) ? (why["best"] as unknown[]).map((one) => (Array.isArray(one) ? one[0] : null)) : [];
  const excluded = (why["excluded"] ?? {}) as Record<string, unknown>;
  const count = (name: string): number => (typeof excluded[name] === "number" ? (excluded[name] as number) : 0);
  const declined = count("declined");
  const busy = Object.keys(excluded).reduce((sum, name) => sum + (["declined", "unskilled"].includes(name) ? 0 : count(name)), 0);
  // Whoever had the citizen before is asked before those who stand ahead; so is nobody who has declined.
  const isFirst = best[0] === why["winner"] || declined > 0;
  const chosen: Because[] = best.length === 0 ? [] : [{ word: !isFirst ? "yours" : best.length === 1 ? "only" : "first", count: best.length }];
  const others: Because[] = [
    { word: "declined", count: declined },
    { word: "unskilled", count: count("unskilled") },
    { word: "busy", count: busy },
  ];
  return [...chosen, ...others.filter((one) => one.count > 0)];
}
