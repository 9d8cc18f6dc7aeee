import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Gathering } from "../desk/gathering";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function gathering() {
  const page = { isSeen: true, taken: [] as number[][] };
  const arrivals = new Gathering<number>((all) => page.taken.push([...all]), () => page.isSeen);
  return { page, arrivals };
}

test("a thousand that come together are taken at once, in their order", () => {
  const { page, arrivals } = gathering();
  const thousand = Array.from({ length: 1000 }, (_, place) => place);
  for (const one of thousand) arrivals.add(one);
  expect(page.taken).toEqual([]);
  vi.runAllTimers();
  expect(page.taken).toEqual([thousand]);
});

test("what comes later is taken later", () => {
  const { page, arrivals } = gathering();
  arrivals.add(1);
  vi.runAllTimers();
  arrivals.add(2);
  vi.runAllTimers();
  expect(page.taken).toEqual([[1], [2]]);
});

test("a page that nobody sees waits for no timer: its offers ring", () => {
  const { page, arrivals } = gathering();
  arrivals.add(1);
  page.isSeen = false;
  arrivals.add(2);
  expect(page.taken).toEqual([[1, 2]]);
  vi.runAllTimers();
  expect(page.taken).toHaveLength(1);
});

test("what was dropped is not taken", () => {
  const { page, arrivals } = gathering();
  arrivals.add(1);
  arrivals.drop();
  vi.runAllTimers();
  expect(page.taken).toEqual([]);
});
