import type { SensitiveWord } from "./api";

/** A piece of a message: as it is, marked, or under stars until somebody looks. */
export interface Piece {
  readonly text: string;
  readonly act: "mask" | "mark" | null;
}

export type Veil = (text: string, writer: "agent" | "citizen") => readonly Piece[];

/** How messages are shown: all words at once, the longest first, whatever their case. */
export function veilOf(words: readonly SensitiveWord[]): Veil {
  const patterns = { agent: patternOf(words, "agent"), citizen: patternOf(words, "citizen") };
  const acts = new Map(words.map(({ word, act }) => [word.toLowerCase(), act]));
  return (text, writer) => {
    const pattern = patterns[writer];
    if (!pattern) return [{ text, act: null }];
    // With one group, every second piece is a word that was found.
    return text
      .split(pattern)
      .map((piece, place) => ({ text: piece, act: place % 2 ? (acts.get(piece.toLowerCase()) ?? "mask") : null }))
      .filter((piece) => piece.text !== "");
  };
}

function patternOf(words: readonly SensitiveWord[], writer: "agent" | "citizen"): RegExp | null {
  const theirs = words.filter(({ of }) => of === "all" || of === writer).map(({ word }) => word);
  if (theirs.length === 0) return null;
  theirs.sort((one, other) => other.length - one.length);
  return new RegExp(`(${theirs.map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|")})`, "giu");
}
