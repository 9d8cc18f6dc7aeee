/**
 * All that can be done by a key: the one table from which the keys, the palette and the sheet are drawn. Each act is named
 * in both languages by the dictionary (`acts.<name>`); whether it is possible now is told by whoever does it (`useActs`).
 *
 * The keys keep clear of what is taken where the desk is used: Ctrl+Alt+A, Z, W and Alt+A are QQ's and WeChat's,
 * Ctrl+Shift and Alt+Shift change the input method, Alt+D, E and F are the browser's.
 */
export type Group = "offer" | "call" | "contact" | "presence" | "pages" | "desk";

export interface Act {
  readonly name: string;
  readonly group: Group;
  /** As `chord.ts` writes it; empty where the palette is near enough. */
  readonly chord: string;
}

const act = <Name extends string>(group: Group, name: Name, chord = ""): Act & { readonly name: Name } => ({ name, group, chord });

export const ACTS = [
  act("offer", "accept", "F2"),
  act("offer", "decline", "Shift+F2"),
  act("call", "hold", "F4"),
  act("call", "mute", "F8"),
  act("call", "digits", "Alt+KeyP"),
  act("call", "consult", "Alt+KeyG"),
  act("call", "park_call"),
  act("call", "picture"),
  act("call", "call", "Alt+KeyC"),
  act("call", "ring"),
  act("call", "dial", "Alt+KeyO"),
  act("contact", "finish", "F9"),
  act("contact", "extend", "Alt+KeyL"),
  act("contact", "previous", "Alt+ArrowUp"),
  act("contact", "next", "Alt+ArrowDown"),
  act("contact", "reply", "Alt+KeyM"),
  act("contact", "note", "Alt+KeyN"),
  act("contact", "attach", "Alt+KeyU"),
  act("contact", "transfer", "Alt+KeyT"),
  act("contact", "park"),
  act("contact", "resume"),
  act("presence", "ready", "Alt+KeyR"),
  act("presence", "rest", "Alt+KeyB"),
  act("presence", "meal"),
  act("presence", "training"),
  act("presence", "meeting"),
  act("presence", "tech"),
  act("presence", "off_duty"),
  act("pages", "contacts", "Alt+Digit1"),
  act("pages", "history", "Alt+Digit2"),
  act("pages", "supervision", "Alt+Digit3"),
  act("pages", "wallboard", "Alt+Digit4"),
  act("pages", "administration", "Alt+Digit5"),
  act("pages", "mentions", "Alt+Digit6"),
  act("desk", "palette", "Ctrl+KeyK"),
  act("desk", "sheet", "Shift+Slash"),
  act("desk", "settings"),
  act("desk", "trial"),
  act("desk", "telephone"),
  act("desk", "sound"),
  act("desk", "theme"),
  act("desk", "language"),
  act("desk", "leave"),
] as const;

export type ActName = (typeof ACTS)[number]["name"];
export type Bindings = Readonly<Record<ActName, string>>;

export const GROUPS: readonly Group[] = ["offer", "call", "contact", "presence", "pages", "desk"];

/** Keys that belong to the writing itself, and stay. */
export const WRITING = [
  ["line", "Shift+Enter"],
  ["canned", "/"],
  ["mention", "@"],
  ["close", "Escape"],
] as const;

const PRESET = Object.fromEntries(ACTS.map(({ name, chord }) => [name, chord])) as Bindings;

/** An agent's own keys over the preset ones; a name or a chord that is none of ours is passed over. */
export function bindings(own: Readonly<Record<string, unknown>>): Bindings {
  const bound: Record<ActName, string> = { ...PRESET };
  for (const { name } of ACTS) {
    const chord = own[name];
    if (typeof chord === "string") bound[name] = chord;
  }
  return bound;
}

/** What an agent has changed: all that must be kept. */
export function changes(bound: Bindings): Partial<Bindings> {
  return Object.fromEntries(ACTS.filter(({ name, chord }) => bound[name] !== chord).map(({ name }) => [name, bound[name]]));
}

/** Which other act has these keys already. */
export function holder(bound: Bindings, chord: string, but: ActName): ActName | null {
  return ACTS.find(({ name }) => name !== but && chord !== "" && bound[name] === chord)?.name ?? null;
}
