import { onScopeDispose } from "vue";

/**
 * The desk's keys. `event.code` is the place on the keyboard, whatever the layout; nothing fires while an input method
 * composes. Ctrl+Alt+A and Alt+A stay free: in China they are QQ's and WeChat's.
 */
export function useKeys(keys: Record<string, () => void>): void {
  const hear = (event: KeyboardEvent) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.repeat) return;
    const act = keys[event.altKey ? `Alt+${event.code}` : event.code];
    if (!act || document.querySelector(".el-overlay:not([style*='display: none']) [role='dialog']")) return;
    event.preventDefault();
    act();
  };
  addEventListener("keydown", hear);
  onScopeDispose(() => removeEventListener("keydown", hear));
}
