import { computed, type Ref, ref, watch } from "vue";

interface Choosing {
  /** The line that Enter or Tab would put in. */
  readonly place: Ref<number>;
  /** Whether the key was for the list. */
  readonly take: (event: KeyboardEvent) => boolean;
  /** The id of that line; none where nothing fits. */
  readonly here: Readonly<Ref<string | undefined>>;
}

/** A list above a field whose caret stays where it is: arrows choose, Enter or Tab puts in, Escape closes. */
export function useChoosing<One>(
  found: Readonly<Ref<readonly One[]>>,
  name: string,
  does: { choose: (chosen: One) => void; close: () => void },
): Choosing {
  const place = ref(0);
  watch(found, () => (place.value = 0));
  const here = computed(() => (found.value.length > 0 ? `${name}-${place.value}` : undefined));

  function take(event: KeyboardEvent): boolean {
    if (event.key === "Escape") {
      does.close();
      return true;
    }
    const chosen = found.value[place.value];
    if (chosen === undefined) return false;
    if (event.key === "Enter" || event.key === "Tab") does.choose(chosen);
    else if (event.key === "ArrowDown") place.value = (place.value + 1) % found.value.length;
    else if (event.key === "ArrowUp") place.value = (place.value + found.value.length - 1) % found.value.length;
    else return false;
    return true;
  }

  return { place, take, here };
}
