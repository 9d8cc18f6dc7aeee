import { describe, expect, test } from "vitest";
import { ACTS, GROUPS, bindings, changes, holder } from "../desk/acts";
import { chordOf, composes, readable, taken, writes } from "../desk/chord";
import { en, zh } from "../desk/words/acts";

const pressed = (code: string, ...modifiers: ("ctrlKey" | "metaKey" | "altKey" | "shiftKey")[]) => ({
  ...{ code, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false },
  ...Object.fromEntries(modifiers.map((name) => [name, true])),
});
const preset = bindings({});

describe("the table of acts", () => {
  test("each act is named in both languages, and the dictionaries name no other", () => {
    const names = ACTS.map(({ name }) => name).sort();
    expect(Object.keys(zh.acts).sort()).toEqual(names);
    expect(Object.keys(en.acts).sort()).toEqual(names);
    expect(ACTS.every(({ group }) => GROUPS.includes(group))).toBe(true);
  });

  test("the preset keys are each one act's, and nobody else's", () => {
    const chords = ACTS.map(({ chord }) => chord as string).filter(Boolean);
    expect(new Set(chords).size).toBe(chords.length);
    expect(chords.filter((chord) => taken(chord) !== null)).toEqual([]);
  });
});

describe("an agent's own keys", () => {
  test("only what differs is kept, and unknown names are passed over", () => {
    const own = bindings({ accept: "F3", mute: "F8", nothing: "F7", hold: 4 });
    expect(own.accept).toBe("F3");
    expect(own.hold).toBe("F4");
    expect(changes(own)).toEqual({ accept: "F3" });
    expect(changes(preset)).toEqual({});
  });

  test("keys that another act has are told", () => {
    expect(holder(preset, "F9", "accept")).toBe("finish");
    expect(holder(preset, "F9", "finish")).toBeNull();
    expect(holder({ ...preset, mute: "" }, "", "accept")).toBeNull();
  });
});

describe("chords", () => {
  test("are the places of the keys, whatever they write", () => {
    expect(chordOf(pressed("KeyK", "ctrlKey"))).toBe("Ctrl+KeyK");
    expect(chordOf(pressed("KeyK", "metaKey"))).toBe("Ctrl+KeyK");
    expect(chordOf(pressed("Slash", "shiftKey"))).toBe("Shift+Slash");
    expect(["ControlLeft", "ShiftRight", "AltLeft", "MetaLeft", ""].map((code) => chordOf(pressed(code)))).toEqual(["", "", "", "", ""]);
  });

  test("read as people say them", () => {
    expect(["Ctrl+KeyK", "Alt+ArrowUp", "Shift+Slash", "Alt+Digit1", "F2", ""].map(readable)).toEqual(["Ctrl + K", "Alt + ↑", "?", "Alt + 1", "F2", ""]);
  });

  test("that write are left to a field", () => {
    expect(["Shift+Slash", "KeyJ", "Digit1", "Space"].every(writes)).toBe(true);
    expect(["F2", "Shift+F2", "Ctrl+KeyK", "Alt+ArrowUp"].some(writes)).toBe(false);
  });

  test("that are the browser's, a chat program's or an input method's cannot be ours", () => {
    expect(["Ctrl+KeyW", "Alt+KeyA", "Ctrl+Shift+KeyA", "Tab", "Ctrl+Alt+KeyA", "F6"].map(taken)).toEqual(["browser", "chat", "input", "move", "chat", null]);
  });

  test("an input method's keys are its own, however the browser says so", () => {
    expect(composes({ isComposing: true, keyCode: 13 })).toBe(true);
    expect(composes({ isComposing: false, keyCode: 229 })).toBe(true);
    expect(composes({ isComposing: false, keyCode: 13 })).toBe(false);
  });
});
