/**
 * Keys pressed together, as text: `Ctrl+KeyK`, `Alt+ArrowUp`, `F2`. The key is its place on the keyboard
 * (`event.code`), whatever the layout or the input method; ⌘ counts as Ctrl.
 */
type Pressed = Pick<KeyboardEvent, "code" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">;

const MODIFIERS = /^(Control|Shift|Alt|Meta|OS|CapsLock|Fn)/;
/** No page can have these, or whoever loses them loses the page. */
const OF_THE_BROWSER = new Set([
  ...["Ctrl+KeyT", "Ctrl+KeyN", "Ctrl+KeyW", "Ctrl+Tab", "Ctrl+Shift+Tab", "Ctrl+KeyR", "Ctrl+KeyL", "Ctrl+KeyC"],
  ...["Ctrl+KeyV", "Ctrl+KeyX", "Ctrl+KeyA", "Ctrl+KeyZ", "Alt+F4", "Alt+KeyD", "Alt+KeyE", "Alt+KeyF", "F1", "F5", "F11", "F12"],
]);
/** Screenshots and windows of the chat programs that run beside (QQ, WeChat). */
const OF_CHAT_PROGRAMS = new Set(["Ctrl+Alt+KeyA", "Ctrl+Alt+KeyZ", "Ctrl+Alt+KeyW", "Alt+KeyA", "Alt+KeyS"]);
const SIGNS: Readonly<Record<string, string>> = {
  ...{ ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", Escape: "Esc", "Shift+Slash": "?" },
  ...{ Slash: "/", Comma: ",", Period: ".", Minus: "-", Equal: "=", Semicolon: ";", Quote: "'", Backquote: "`" },
  ...{ BracketLeft: "[", BracketRight: "]", Backslash: "\\" },
};

/** What is pressed; empty while it is modifiers only. */
export function chordOf({ code, ctrlKey, metaKey, altKey, shiftKey }: Pressed): string {
  if (code === "" || MODIFIERS.test(code)) return "";
  return [ctrlKey || metaKey ? "Ctrl" : "", altKey ? "Alt" : "", shiftKey ? "Shift" : "", code].filter(Boolean).join("+");
}

/** An input method has the key: Safari, and some Chinese ones, say 229 where others say `isComposing`. */
export function composes({ isComposing, keyCode }: Pick<KeyboardEvent, "isComposing" | "keyCode">): boolean {
  return isComposing || keyCode === 229;
}

/** As people read it: `Ctrl + K`, `?`. */
export function readable(chord: string): string {
  if (SIGNS[chord]) return SIGNS[chord];
  return chord
    .split("+")
    .map((part) => SIGNS[part] ?? part.replace(/^(Key|Digit)/, ""))
    .join(" + ");
}

/** It writes a character: in a field, that is all it does. */
export function writes(chord: string): boolean {
  return !/^(Ctrl|Alt)\+/.test(chord) && !/(^|\+)(F\d+|Arrow\w+|Page\w+|Insert|Pause|ScrollLock)$/.test(chord);
}

/** Whose these keys are, where they cannot be ours. `move`: what leads through the page by the keyboard. */
export function taken(chord: string): "browser" | "chat" | "move" | "input" | null {
  if (OF_THE_BROWSER.has(chord)) return "browser";
  if (OF_CHAT_PROGRAMS.has(chord)) return "chat";
  // With Shift, Ctrl and Alt change the input method as soon as they are let go.
  if (/^(Ctrl\+Shift|Alt\+Shift|Ctrl\+Alt\+Shift)\+/.test(chord) || chord === "Ctrl+Space") return "input";
  return /^(Shift\+)?(Tab|Enter|Escape|Space|Backspace|Delete|Arrow\w+|Home|End|Page\w+)$/.test(chord) ? "move" : null;
}
