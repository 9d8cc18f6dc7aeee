import { ask } from "./api";
import type { Figure } from "./wallboard";

export type Meant = Omit<Figure, "value">;
type Values = Readonly<Record<string, number | null>>;

/** Days of the city, in steps of an hour or a day. */
export interface Past {
  readonly step_s: number;
  readonly figures: readonly Meant[];
  readonly queues: readonly string[];
  readonly steps: readonly { readonly at: number; readonly total: Values; readonly queues: Readonly<Record<string, Values>> }[];
}

/** As many as the gateway gives at once. */
export const MOST_DAYS = { day: 31, hour: 7 } as const;
export type Step = keyof typeof MOST_DAYS;
const DAY_MS = 24 * 3600 * 1000;
const CITY_MS = 8 * 3600 * 1000;

export async function pastFigures(from: string, days: number, step: Step): Promise<Past> {
  return (await ask(`/api/wallboard/past?from=${from}&days=${days}&step=${step}`)) as Past;
}

/** The day of the city so many days before that moment, as `2026-11-29`. */
export const dayBefore = (now_ms: number, days: number): string => new Date(now_ms + CITY_MS - days * DAY_MS).toISOString().slice(0, 10);

/** One figure, step by step, of a queue or of all (`""`); null where there was nothing to divide by. */
export function courseOf(past: Past, queue: string, figure: string): (number | null)[] {
  return past.steps.map((step) => (queue === "" ? step.total : (step.queues[queue] ?? {}))[figure] ?? null);
}

/** How a step is called: a day by its date, an hour by its date and hour, in the city's time. */
export function nameOf(at: number, step_s: number): string {
  const iso = new Date(at * 1000 + CITY_MS).toISOString();
  return step_s < DAY_MS / 1000 ? `${iso.slice(5, 10)} ${iso.slice(11, 16)}` : iso.slice(0, 10);
}
