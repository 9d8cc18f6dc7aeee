import { computed, nextTick, type Ref, ref, watch } from "vue";

/** So many rows are drawn at most: a page with ten thousand messages is as quick as one with ten. */
export const MOST_ROWS = 120;
/** By so many it is moved on. */
const STEP = 40;
/** So near to where it ends, it is moved on: before anybody sees the end. */
const NEAR_PX = 400;
/** So close to the end counts as reading the newest. */
const AT_END_PX = 80;

/**
 * The part of many rows that is drawn within a place that scrolls (`at`), each row an element directly in it (what stands
 * between rows is a heading or a button). It follows
 * the newest, or the reader, for whom what they read stays where it is. `whose` changes where the rows are others.
 */
export function useExcerpt<Row>(at: Ref<HTMLElement | null>, rows: () => readonly Row[], whose: () => unknown) {
  /** Which row is the first not drawn; null follows the newest. */
  const stop = ref<number | null>(null);
  const end = computed(() => Math.min(stop.value ?? Infinity, rows().length));
  const start = computed(() => Math.max(0, end.value - MOST_ROWS));
  const shown = computed(() => rows().slice(start.value, end.value));
  const later = computed(() => rows().length - end.value);
  const hasNew = ref(false);
  let scrolled = 0;

  function toEnd(): void {
    stop.value = null;
    hasNew.value = false;
    void nextTick(() => scrollTo(Infinity));
  }

  function toStart(): void {
    stop.value = Math.min(MOST_ROWS, rows().length);
    void nextTick(() => scrollTo(0));
  }

  /** Something was added below the rows, or is gone from there. */
  function follow(): void {
    if (stop.value === null) void nextTick(() => stop.value === null && scrollTo(Infinity));
  }

  /** Draw earlier or later rows. */
  async function move(by: number): Promise<void> {
    const inSight = firstInSight();
    const before = inSight?.getBoundingClientRect().top ?? 0;
    stop.value = Math.max(Math.min(MOST_ROWS, rows().length), Math.min(end.value + by, rows().length));
    await nextTick();
    if (at.value && inSight?.isConnected) scrollTo(at.value.scrollTop + inSight.getBoundingClientRect().top - before);
  }

  function firstInSight(): Element | undefined {
    const top = at.value?.getBoundingClientRect().top ?? 0;
    return [...(at.value?.children ?? [])].find((one) => !one.matches("button, h4") && one.getBoundingClientRect().bottom > top);
  }

  function scrollTo(top: number): void {
    if (!at.value) return;
    at.value.scrollTop = Math.min(top, at.value.scrollHeight);
    scrolled = at.value.scrollTop;
  }

  /** Only where the reader goes is it moved: two edges that are near together would send it to and fro. */
  function onScroll(): void {
    if (!at.value) return;
    const { scrollTop, scrollHeight, clientHeight } = at.value;
    const below = scrollHeight - scrollTop - clientHeight;
    const goesUp = scrollTop < scrolled;
    scrolled = scrollTop;
    const isAtEnd = later.value === 0 && below < AT_END_PX;
    if (isAtEnd) hasNew.value = false;
    // A picture that has come, or a call's bar that has grown, moves the end away and nobody has scrolled: it is followed.
    if (isAtEnd) stop.value = null;
    else if (goesUp || stop.value !== null) stop.value = end.value;
    else follow();
    if (goesUp && scrollTop < NEAR_PX && start.value > 0) void move(-STEP);
    else if (!goesUp && below < NEAR_PX && later.value > 0) void move(STEP);
  }

  watch(
    () => rows().length,
    () => (stop.value === null ? follow() : (hasNew.value = true)),
  );
  watch(whose, toEnd);

  return { shown, earlier: start, later, hasNew, stop, toEnd, toStart, follow, onScroll, back: () => move(-STEP), on: () => move(STEP) };
}
