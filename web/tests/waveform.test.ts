import { describe, expect, test } from "vitest";
import { HEIGHT, WIDTH, outlines } from "../desk/waveform";

const MIDDLE = HEIGHT / 2;

describe("a waveform", () => {
  test("has the citizen above the middle line and the agent below it", () => {
    const { citizen, agent } = outlines(new Uint8Array([255, 0, 0, 255]));
    expect(citizen).toBe(`M0 ${MIDDLE}L0.0 0.0H${WIDTH / 2}.0L${WIDTH / 2}.0 ${MIDDLE}.0H${WIDTH}.0V${MIDDLE}Z`);
    expect(agent).toBe(`M0 ${MIDDLE}L0.0 ${MIDDLE}.0H${WIDTH / 2}.0L${WIDTH / 2}.0 ${HEIGHT}.0H${WIDTH}.0V${MIDDLE}Z`);
  });

  test("of an hour is no longer than its columns, and loses no loud moment", () => {
    const hour = new Uint8Array(2 * 36_000);
    hour[2 * 20_001] = 255;
    const { citizen } = outlines(hour, 300);
    expect(citizen.match(/L/g)).toHaveLength(300);
    expect(citizen).toContain(" 0.0H");
  });

  test("of nothing is a line", () => {
    expect(outlines(new Uint8Array()).citizen).toBe(`M0 ${MIDDLE}V${MIDDLE}Z`);
  });
});
