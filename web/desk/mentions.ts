import type { Colleague } from "./api";

/** What stands after an `@` up to the caret; null where no colleague is asked for. */
export function calledFor(text: string, caret: number): string | null {
  return /@([^\s@]{0,16})$/.exec(text.slice(0, caret))?.[1] ?? null;
}

/** Colleagues whose name or number begins so first, then those that have it anywhere. */
export function colleaguesFor(all: readonly Colleague[], asked: string): readonly Colleague[] {
  const sought = asked.toLowerCase();
  const names = ({ login, name }: Colleague) => [name.toLowerCase(), login.toLowerCase()];
  const begins = all.filter((one) => names(one).some((name) => name.startsWith(sought)));
  const has = all.filter((one) => !begins.includes(one) && names(one).some((name) => name.includes(sought)));
  return [...begins, ...has].slice(0, 8);
}

/** How a colleague stands in a note. */
export const calledAs = ({ login, name }: Colleague): string => `@${name || login}`;

/** So many can be told by one note. */
const MOST = 8;

/** Whom a note names: after each `@` the longest name that stands there, so that 王芳芳 is not 王芳 too. */
export function namedIn(text: string, all: readonly Colleague[]): string[] {
  const named = [...text.matchAll(/@/g)].flatMap(({ index }) => {
    const there = all.filter((one) => text.startsWith(calledAs(one), index));
    return there.sort((one, other) => calledAs(other).length - calledAs(one).length).slice(0, 1);
  });
  return [...new Set(named.map(({ login }) => login))].slice(0, MOST);
}
