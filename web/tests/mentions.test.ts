import { expect, test } from "vitest";
import { calledFor, colleaguesFor, namedIn } from "../desk/mentions";

const WANG = { login: "8001", name: "王芳" };
const LONG = { login: "8002", name: "王芳芳" };
const LI = { login: "li.na", name: "" };
const ALL = [WANG, LONG, LI];

test("a colleague is asked for by what stands after the last @, up to the caret", () => {
  expect(calledFor("请@王", 3)).toBe("王");
  expect(calledFor("请@", 2)).toBe("");
  expect(calledFor("请@王芳 看看", 7)).toBeNull();
  expect(calledFor("请看", 2)).toBeNull();
});

test("names that begin so come first, numbers are names too", () => {
  expect(colleaguesFor(ALL, "芳").map(({ login }) => login)).toEqual(["8001", "8002"]);
  expect(colleaguesFor(ALL, "8002")).toEqual([LONG]);
  expect(colleaguesFor(ALL, "")).toEqual(ALL);
});

test("a note names whom it says, the longest name first, each once", () => {
  expect(namedIn("@王芳芳 请看", ALL)).toEqual(["8002"]);
  expect(namedIn("@王芳 和 @li.na，@王芳", ALL)).toEqual(["8001", "li.na"]);
  expect(namedIn("王芳不在", ALL)).toEqual([]);
});
