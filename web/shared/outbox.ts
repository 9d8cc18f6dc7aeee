import { ulid, ulidTime } from "./ulid";

/** A gateway remembers a command's id for a day (law 8): an older one might be done twice, so it is let go. */
const KEPT_MS = 24 * 3600 * 1000;

/** A command on its way: acknowledged commands are no longer here. */
export interface Pending<Command> {
  readonly id: string;
  readonly command: Command;
  /** Its number on the present connection; 0 until it is first written there. */
  cseq: number;
  /** Times that it was written on the present socket and not answered yet. */
  unanswered: number;
}

/**
 * The commands that no gateway has acknowledged, oldest first.
 *
 * Each lies under a key of its own in the browser's store, so that a reload, a crash or a closed tab loses none and two
 * tabs never overwrite each other. Two tabs may send the same one: its id makes the second harmless.
 */
export class Outbox<Command extends object> {
  readonly pending: Pending<Command>[] = [];

  constructor(
    private readonly store: Storage,
    private readonly prefix: string,
  ) {
    const ids: string[] = [];
    for (let index = 0; index < store.length; index++) {
      const key = store.key(index);
      if (key?.startsWith(prefix)) ids.push(key.slice(prefix.length));
    }
    for (const id of ids.sort()) {
      const command = Date.now() - ulidTime(id) < KEPT_MS ? this.read(id) : null;
      if (command) this.pending.push({ id, command, cseq: 0, unanswered: 0 });
      else store.removeItem(prefix + id);
    }
  }

  add(command: Command): Pending<Command> {
    const entry = { id: ulid(), command, cseq: 0, unanswered: 0 };
    this.pending.push(entry);
    try {
      this.store.setItem(this.prefix + entry.id, JSON.stringify(command));
    } catch {
      // The store is full or forbidden (private mode): the command still goes out, only a reload would lose it.
    }
    return entry;
  }

  /** Forget a command that was acknowledged or refused for good; gives its place, or -1. */
  settle(id: string): number {
    const index = this.pending.findIndex((entry) => entry.id === id);
    if (index >= 0) this.pending.splice(index, 1);
    this.store.removeItem(this.prefix + id);
    return index;
  }

  /** Number all again from `first` on: a new connection counts from the start. */
  renumber(first: number): void {
    for (const entry of this.pending) entry.cseq = entry.cseq && first ? first++ : 0;
  }

  private read(id: string): Command | null {
    try {
      const value: unknown = JSON.parse(this.store.getItem(this.prefix + id) ?? "null");
      return typeof value === "object" ? (value as Command | null) : null;
    } catch {
      return null;
    }
  }
}

/** What stands in for localStorage where the browser forbids it. */
export class MemoryStorage implements Storage {
  private readonly values = new Map<string, string>();
  [name: string]: unknown;

  get length(): number {
    return this.values.size;
  }
  key(index: number): string | null {
    return [...this.values.keys()][index] ?? null;
  }
  getItem(key: string): string | null {
    return this.values.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.values.set(key, value);
  }
  removeItem(key: string): void {
    this.values.delete(key);
  }
  clear(): void {
    this.values.clear();
  }
}

/** The browser's lasting store, or one in memory where it is forbidden. */
export function lastingStore(): Storage {
  try {
    localStorage.setItem("yihao.probe", "1");
    localStorage.removeItem("yihao.probe");
    return localStorage;
  } catch {
    return new MemoryStorage();
  }
}
