import { onScopeDispose } from "vue";
import { ACTS, type ActName } from "./acts";
import { chordOf, composes, writes } from "./chord";
import { type Doing, useKeyboard } from "./stores/keys";

/** While the part that asks is on the screen, these acts are done by it: by their keys and from the palette. */
export function useActs(acts: Partial<Record<ActName, Doing | (() => void)>>): void {
  const keyboard = useKeyboard();
  for (const { name } of ACTS) {
    const doing = acts[name];
    if (doing) onScopeDispose(keyboard.offer(name, typeof doing === "function" ? { can: () => true, act: doing } : doing));
  }
}

/** Hear the keys, for the whole desk: once. */
export function useKeys(): void {
  const keyboard = useKeyboard();
  const hear = (event: KeyboardEvent, chord: string) => {
    if (composes(event) || event.repeat || event.defaultPrevented) return;
    if (!chord || keyboard.isOff || isCovered() || (writes(chord) && isField(event.target))) return;
    const act = ACTS.find(({ name }) => keyboard.bound[name] === chord);
    const doing = act && keyboard.able(act.name);
    if (!doing) return;
    event.preventDefault();
    event.stopPropagation();
    doing.act();
  };
  // What writes nothing is heard before what has the focus hears it: a menu's button would take Alt+↓ for ↓.
  const early = (event: KeyboardEvent) => {
    const chord = chordOf(event);
    if (!writes(chord)) hear(event, chord);
  };
  const late = (event: KeyboardEvent) => {
    const chord = chordOf(event);
    if (writes(chord)) hear(event, chord);
  };
  addEventListener("keydown", early, true);
  addEventListener("keydown", late);
  onScopeDispose(() => {
    removeEventListener("keydown", early, true);
    removeEventListener("keydown", late);
  });
}

/** A dialog is open: the keys are its own. One that fades away has let go of them. */
function isCovered(): boolean {
  const open = ".el-overlay:not([style*='display: none'], [class*='leave-active']) [role='dialog']";
  return document.querySelector(open) !== null;
}

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}
