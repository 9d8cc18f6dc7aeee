import { expect, test } from "vitest";
import { nextTick, ref, shallowRef } from "vue";
import { MOST_ROWS, useExcerpt } from "../desk/excerpt";

const ROW_PX = 30;
const count = (from: number, to: number) => Array.from({ length: to - from }, (_, place) => from + place);

/** A place that scrolls, a thousand rows in it, and the reader's hand. */
function reading(rows = shallowRef(count(0, 1000))) {
  const place = {
    scrollTop: 0,
    clientHeight: 600,
    getBoundingClientRect: () => ({ top: 0 }),
    get scrollHeight() {
      return excerpt.shown.value.length * ROW_PX;
    },
    get children() {
      return excerpt.shown.value.map(rowOf);
    },
  };
  const rowOf = (row: number) => ({
    matches: () => false,
    get isConnected() {
      return excerpt.shown.value.includes(row);
    },
    getBoundingClientRect() {
      const top = excerpt.shown.value.indexOf(row) * ROW_PX - place.scrollTop;
      return { top, bottom: top + ROW_PX };
    },
  });
  const whose = ref("one");
  const at = ref(place as unknown as HTMLElement);
  const excerpt = useExcerpt(at, () => rows.value, () => whose.value);
  excerpt.toEnd();
  async function scrollTo(px: number): Promise<void> {
    place.scrollTop = Math.max(0, Math.min(px, place.scrollHeight - place.clientHeight));
    excerpt.onScroll();
    await nextTick();
  }
  return { ...excerpt, rows, whose, scrollTo, place, top: () => place.scrollTop };
}

test("however many rows there are, some are drawn, and they are the newest", async () => {
  const { rows, shown, earlier, later } = reading();
  expect(shown.value).toEqual(count(1000 - MOST_ROWS, 1000));
  for (const more of count(1000, 1100)) rows.value = [...rows.value, more];
  await nextTick();
  expect(shown.value).toEqual(count(1100 - MOST_ROWS, 1100));
  expect([earlier.value, later.value]).toEqual([1100 - MOST_ROWS, 0]);
});

test("who goes up and down again has seen every row", async () => {
  const { shown, scrollTo, top, place, earlier, later } = reading();
  await nextTick();
  await scrollTo(Infinity);
  const seen = new Set(shown.value);
  for (let turn = 0; earlier.value > 0 && turn < 500; turn++) {
    await scrollTo(top() - 500);
    for (const one of shown.value) seen.add(one);
    expect(shown.value.length).toBeLessThanOrEqual(MOST_ROWS);
  }
  await scrollTo(0);
  expect(seen.size).toBe(1000);
  for (let turn = 0; later.value > 0 && turn < 500; turn++) await scrollTo(top() + 500);
  await scrollTo(place.scrollHeight);
  expect(shown.value[shown.value.length - 1]).toBe(999);
});

test("what is read stays while new rows come, and the reader is told of them", async () => {
  const { rows, shown, scrollTo, hasNew, later, toEnd } = reading();
  await nextTick();
  await scrollTo(Infinity);
  await scrollTo(1500);
  const read = shown.value;
  rows.value = count(0, 1010);
  await nextTick();
  expect(shown.value).toEqual(read);
  expect([hasNew.value, later.value]).toEqual([true, 10]);
  toEnd();
  expect([hasNew.value, later.value]).toEqual([false, 0]);
});

test("another's rows begin at their newest", async () => {
  const { rows, shown, whose, scrollTo } = reading();
  await nextTick();
  await scrollTo(Infinity);
  await scrollTo(1500);
  whose.value = "other";
  rows.value = count(5000, 5400);
  await nextTick();
  expect(shown.value).toEqual(count(5400 - MOST_ROWS, 5400));
});

test("from the beginning they are drawn from the first on", () => {
  const { shown, toStart } = reading();
  toStart();
  expect(shown.value).toEqual(count(0, MOST_ROWS));
});
