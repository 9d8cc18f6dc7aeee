import type { Desk } from "@shared/protocol";
import { onScopeDispose, ref, shallowRef } from "vue";
import { wallboard } from "./api";
import { type Asking, type Past, failureOf } from "./history";
import { useClock } from "./stores/clock";

/** A figure of the sliding day. `value` is null where there is nothing to divide by. */
export interface Figure {
  readonly key: string;
  readonly name: string;
  readonly english: string;
  readonly formula: string;
  readonly unit: "count" | "share" | "seconds";
  readonly value: number | null;
  readonly at_least: number | null;
}

export interface QueueRow {
  readonly queue: string;
  readonly waiting: number;
  readonly longest_wait_s: number;
  readonly ready: number;
  readonly figures: Readonly<Record<string, number | null>>;
}

export interface AgentRow {
  readonly login: string;
  readonly name: string;
  readonly extension: string;
  readonly queues: readonly string[];
  readonly routing: Desk.Presence["routing"];
  readonly presence: Desk.Presence["presence"];
  readonly reason: string;
  readonly since: number;
  readonly sessions: readonly string[];
}

export interface Live extends Past {
  readonly waited_s: number;
  readonly waiting: boolean;
}

export interface Step {
  readonly at: number;
  readonly came: number;
  readonly answered: number;
  readonly lost: number;
}

export type Alarm =
  | { readonly kind: "nobody"; readonly queue: string }
  | { readonly kind: "wait"; readonly queue: string; readonly seconds: number }
  | { readonly kind: "figure"; readonly figure: string; readonly value: number; readonly at_least: number };

export interface Board {
  readonly now: number;
  readonly window_s: number;
  readonly figures: readonly Figure[];
  readonly queues: readonly QueueRow[];
  readonly agents: readonly AgentRow[];
  readonly sessions: readonly Live[];
  readonly live: number;
  readonly steps: readonly Step[];
  readonly step_s: number;
  readonly alarms: readonly Alarm[];
}

const EVERY_MS = 2_000;

/** `96.4 %`, `12 s` or `318`; a dash for what cannot be said. */
export function written(value: number | null, unit: Figure["unit"]): string {
  if (value === null) return "–";
  if (unit === "share") return `${(value * 100).toFixed(1)}%`;
  return unit === "seconds" ? `${value.toFixed(1)} s` : String(value);
}

export const falls = (figure: Figure): boolean =>
  figure.at_least !== null && figure.value !== null && figure.value < figure.at_least;

/** Every step of the window, also those in which nobody came: a line through gaps would lie. */
export function course(board: Pick<Board, "now" | "window_s" | "steps" | "step_s">): [number[], number[], number[], number[]] {
  const { step_s } = board;
  const known = new Map(board.steps.map((step) => [step.at, step]));
  const last = Math.floor(board.now / step_s) * step_s;
  const first = last - Math.floor(board.window_s / step_s) * step_s + step_s;
  const lines: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let at = first; at <= last; at += step_s) {
    const step = known.get(at);
    lines[0].push(at);
    lines[1].push(step?.came ?? 0);
    lines[2].push(step?.answered ?? 0);
    lines[3].push(step?.lost ?? 0);
  }
  return lines;
}

/** The board, asked for again and again while its page is open. What failed leaves the last one standing. */
export function useBoard() {
  const clock = useClock();
  const board = shallowRef<Board | null>(null);
  const asking = ref<Asking>("busy");
  let timer = 0;
  let isOver = false;

  async function look(): Promise<void> {
    clearTimeout(timer);
    try {
      const found = await wallboard();
      if (isOver) return;
      clock.follow(found.now);
      board.value = found;
      asking.value = "done";
    } catch (refusal) {
      if (isOver) return;
      asking.value = failureOf(refusal);
    }
    if (asking.value !== "over") timer = window.setTimeout(look, EVERY_MS);
  }

  onScopeDispose(() => {
    isOver = true;
    clearTimeout(timer);
  });
  void look();
  return { board, asking, look };
}
