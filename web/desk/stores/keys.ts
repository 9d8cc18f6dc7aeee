import { defineStore } from "pinia";
import { computed, ref, shallowReactive, watch } from "vue";
import { type ActName, type Bindings, bindings, changes, holder } from "../acts";
import { readable } from "../chord";
import { useAgent } from "./agent";

const OWN = "yihao.desk.keys.";

/** How an act is done by the part of the desk that can do it, and whether it can now. */
export interface Doing {
  readonly can: () => boolean;
  readonly act: () => void;
}

/** Which keys do what, as this agent has set them at this browser; and who does it now. */
export const useKeyboard = defineStore("keyboard", () => {
  const agent = useAgent();
  const own = ref<Partial<Bindings>>({});
  const isOff = ref(false);
  /** Who is on the screen and does it; the newest speaks first. */
  const doers = shallowReactive(new Map<ActName, readonly Doing[]>());
  const bound = computed(() => bindings(own.value));

  watch(
    () => agent.agent?.login,
    (login) => {
      const kept = login ? read(OWN + login) : {};
      own.value = changes(bindings(kept));
      isOff.value = kept["off"] === true;
    },
    { immediate: true },
  );

  function keep(): void {
    const login = agent.agent?.login;
    if (login) localStorage.setItem(OWN + login, JSON.stringify({ ...own.value, ...(isOff.value ? { off: true } : {}) }));
  }

  /** Give an act these keys, or none; whoever had them has none then. */
  function bind(name: ActName, chord: string): void {
    const before = holder(bound.value, chord, name);
    own.value = changes({ ...bound.value, ...(before ? { [before]: "" } : {}), [name]: chord });
    keep();
  }

  function reset(): void {
    own.value = {};
    isOff.value = false;
    keep();
  }

  /** All keys off, or on again: for those whom they get in the way. */
  function turn(off: boolean): void {
    isOff.value = off;
    keep();
  }

  function offer(name: ActName, doing: Doing): () => void {
    doers.set(name, [doing, ...(doers.get(name) ?? [])]);
    return () => doers.set(name, (doers.get(name) ?? []).filter((one) => one !== doing));
  }

  const able = (name: ActName): Doing | undefined => doers.get(name)?.find(({ can }) => can());
  /** As people read it; empty where the act has no keys. */
  const shown = (name: ActName): string => (isOff.value ? "" : readable(bound.value[name]));

  return { bound, own, isOff, bind, reset, turn, offer, able, shown };
});

function read(name: string): Record<string, unknown> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(name) ?? "{}");
    return typeof kept === "object" && kept !== null ? { ...kept } : {};
  } catch {
    return {};
  }
}
