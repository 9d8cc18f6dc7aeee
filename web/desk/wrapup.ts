import type { WrapField, WrapRules } from "./api";

/** Which fields may not be left empty for a contact of this queue and kind; the gateway holds to the same rules. */
export function neededBy(rules: WrapRules, queue: string, kind: string): ReadonlySet<WrapField> {
  const holding = rules.needed.filter((one) => [null, queue].includes(one.queue) && [null, kind].includes(one.kind));
  return new Set(holding.flatMap(({ fields }) => fields));
}
